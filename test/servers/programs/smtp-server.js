/**
 * An SMTP server that keeps no mail: node smtp-server.js PORT [MOST CLIENTS [tls|starttls]]. Ann logs in with the password
 * "secret". With TLS it reads key.pem and cert.pem in its folder. On SIGUSR2 it ends all sessions.
 *
 *     MAIL FROM: bad@…     550      anybody else may send
 *     RCPT TO: bad@…       550      busy@… 450, closing@… 421, slow@… is accepted after 20 s
 *     a mail with "spam"   554; one of more than 100,000 bytes 552
 *     a mail               250, with its number of bytes
 */
import { readFileSync } from 'node:fs';
import process from 'node:process';
import { SMTPServer } from 'smtp-server';

const [port, maxClients = Infinity, mode] = process.argv.slice(2);

/** What becomes of those of this name. */
const ANSWERS = { bad: [550, 'No such user'], busy: [450, 'Come back later'], closing: [421, 'Closing'] };

const refusal = (code, text) => Object.assign(new Error(text), { responseCode: code });

function judge(address, callback) {
  const name = address.split('@')[0];
  const answer = ANSWERS[name];
  const reply = () => callback(answer === undefined ? null : refusal(...answer));
  if (name === 'slow') setTimeout(reply, 20_000);
  else reply();
}

const server = new SMTPServer({
  maxClients: Number(maxClients),
  secure: mode === 'tls',
  ...(mode === undefined ? {} : { key: readFileSync('key.pem'), cert: readFileSync('cert.pem') }),
  size: 100_000,
  authOptional: true,
  disabledCommands: mode === 'starttls' ? [] : ['STARTTLS'],
  disableReverseLookup: true,
  closeTimeout: 0,
  logger: false,
  onAuth: ({ username, password }, _session, callback) => {
    if (username === 'ann' && password === 'secret') callback(null, { user: username });
    else callback(new Error('Invalid username or password'));
  },
  onMailFrom: ({ address }, _session, callback) => judge(address, callback),
  onRcptTo: ({ address }, _session, callback) => judge(address, callback),
  onData: (stream, _session, callback) => {
    const chunks = [];
    stream.on('data', (chunk) => chunks.push(chunk));
    stream.on('end', () => {
      const mail = Buffer.concat(chunks).toString();
      if (stream.sizeExceeded) callback(refusal(552, 'Too long'));
      else if (mail.includes('spam')) callback(refusal(554, 'We do not like it'));
      else callback(null, `${mail.length} bytes`);
    });
  },
});
server.on('error', () => {});
server.listen(Number(port), '127.0.0.1');

process.on('SIGUSR2', () => {
  for (const connection of server.connections) connection.close();
});
process.on('SIGTERM', () => process.exit());
