/**
 * The service behind the pool: a key-value store over TCP, one command a line. It runs as a process of its own, so that
 * it can die. Commands: `LOGIN <token>`, `PING`, `GET <key>`, `SET <key> <json>`.
 *
 * What was set is appended to a file, so that a restart forgets nothing.
 */
import { appendFileSync, existsSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { dirname } from 'node:path';
import { createInterface } from 'node:readline';

const [port, token, file] = process.argv.slice(2) as [string, string, string];

/** What an answer takes at most, in milliseconds: this is not the fastest of stores. */
const SLOWEST = 5;

const values = new Map<string, string>();
if (existsSync(file)) {
  for (const line of readFileSync(file, 'utf8').split('\n').filter(Boolean)) {
    const [key, value] = split(line);
    values.set(key, value);
  }
}

const sockets = new Set<Socket>();

const server = createServer({ noDelay: true }, (socket) => {
  let loggedIn = false;
  sockets.add(socket);
  socket.on('error', () => {});
  socket.on('close', () => sockets.delete(socket));
  socket.write('STORE 1\n');
  const lines = createInterface({ input: socket });
  // It repeats the socket's errors.
  lines.on('error', () => {});
  lines.on('line', (line) => {
    const [command, rest] = split(line);
    if (command === 'LOGIN') {
      loggedIn = rest === token;
      socket.write(loggedIn ? 'OK\n' : 'ERR wrong token\n');
    } else if (!loggedIn) {
      socket.write('ERR log in first\n');
    } else {
      const reply = `${answer(command, rest)}\n`;
      setTimeout(() => socket.write(reply), Math.random() * SLOWEST);
    }
  });
});

function answer(command: string, rest: string): string {
  switch (command) {
    case 'PING':
      return 'PONG';
    case 'GET':
      return `OK ${values.get(rest) ?? 'null'}`;
    case 'SET': {
      const [key, value] = split(rest);
      appendFileSync(file, `${key} ${value}\n`);
      values.set(key, value);
      return 'OK';
    }
    default:
      return `ERR unknown command ${command}`;
  }
}

/** What stands before the first space, and what stands behind it. */
function split(line: string): [string, string] {
  const space = line.indexOf(' ');
  return space < 0 ? [line, ''] : [line.slice(0, space), line.slice(space + 1)];
}

process.on('message', (message) => {
  if (message !== 'break') return;
  for (const socket of sockets) socket.resetAndDestroy();
});

// The application has gone, however it went.
process.on('disconnect', () => {
  rmSync(dirname(file), { recursive: true, force: true });
  process.exit();
});

// A terminal sends Ctrl-C to both processes; the application closes its connections first and then lets go of this one.
process.on('SIGINT', () => {});

server.listen(Number(port), '127.0.0.1', () => process.send?.(server.address()));
