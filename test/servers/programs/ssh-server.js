/**
 * An SSH server that lets ann in (password `secret`) and knows a few commands: node ssh-server.js PORT. Its key is made at
 * the first start and kept in its folder, the fingerprint in host_key.fingerprint. On SIGUSR2 it ends all sessions.
 *
 *     echo text       prints it
 *     fail            prints to its error output, and ends with 3
 *     hang            does not end
 *     linger          ends, but its output does not, as when it has left something in the background
 *     mute            is neither begun nor refused
 *     cut             is answered by hanging up
 *     killed          ends by a signal
 *     open            how many other channels this connection has open, and what is forwarded to it, as JSON
 *
 * Any other is refused. The subsystem sftp begins, and answers nothing. The user `expired` is to change his password, at `cut` it
 * hangs up.
 */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import process from 'node:process';
import ssh2 from 'ssh2';

const { Server, utils } = ssh2;

function hostKey() {
  if (!existsSync('host_key')) {
    const { private: key, public: publicKey } = utils.generateKeyPairSync('ed25519');
    const hash = createHash('sha256')
      .update(Buffer.from(publicKey.split(' ')[1], 'base64'))
      .digest('base64');
    writeFileSync('host_key.fingerprint', `SHA256:${hash.replace(/=+$/, '')}`);
    writeFileSync('host_key', key);
  }
  return readFileSync('host_key');
}

const clients = new Set();

function serve(client) {
  const channels = new Set();
  const forwardings = new Set();
  clients.add(client);
  client.setNoDelay();
  client.on('error', () => {});
  client.once('close', () => clients.delete(client));

  const opened = (channel) => {
    channels.add(channel);
    channel.on('error', () => {});
    // What is said to it must be read, or it would not see its end.
    channel.resume?.();
    channel.once('close', () => channels.delete(channel));
    return channel;
  };

  const commands = {
    echo: (channel, text) => end(channel, 0, text),
    fail: (channel) => {
      channel.stderr.write('no');
      end(channel, 3, '');
    },
    hang: () => {},
    linger: (channel) => channel.exit(0),
    killed: (channel) => {
      channel.exit('KILL');
      channel.close();
    },
    open: (channel) => {
      channels.delete(channel);
      end(channel, 0, JSON.stringify({ channels: channels.size, forwardings: [...forwardings] }));
    },
  };

  client.on('authentication', (attempt) => {
    const { method, username, password } = attempt;
    if (username === 'cut') return client.end();
    if (method !== 'password') return attempt.reject(['password']);
    if (username === 'expired') return attempt.requestChange('too old', () => {});
    if (username === 'ann' && password === 'secret') return attempt.accept();
    attempt.reject(['password']);
  });

  client.on('request', (accept, reject, name, { bindAddr, bindPort, socketPath }) => {
    const forwarding = socketPath ?? `${bindAddr}:${bindPort}`;
    if (/^(cancel-tcpip|cancel-streamlocal)/.test(name)) {
      return forwardings.delete(forwarding) ? accept() : reject();
    }
    if (bindPort === 2) return reject();
    forwardings.add(forwarding);
    accept();
  });

  client.on('ready', () =>
    client.on('session', (acceptSession) => {
      const session = acceptSession();
      session.on('exec', (accept, reject, { command }) => {
        const [name, ...words] = command.split(' ');
        if (name === 'mute') return;
        if (name === 'cut') return client.end();
        if (commands[name] === undefined) return reject();
        commands[name](opened(accept()), words.join(' '));
      });
      session.on('shell', (accept) => opened(accept()));
      session.on('sftp', (accept) => opened(accept()));
    }),
  );
}

function end(channel, code, text) {
  channel.write(text);
  channel.exit(code);
  channel.end();
}

new Server({ hostKeys: [hostKey()] }, serve).listen(Number(process.argv[2]), '127.0.0.1');

process.on('SIGUSR2', () => {
  for (const client of clients) client.end();
});
process.on('SIGTERM', () => process.exit());
