/** A program of its own: sends back whatever it gets. */
import { createServer } from 'node:net';
import { serveParent } from './server-process.js';

serveParent(
  createServer({ noDelay: true }, (socket) => {
    // A contestant's process ends without taking leave.
    socket.on('error', () => {});
    socket.on('data', (chunk) => void socket.write(chunk));
  }),
);
