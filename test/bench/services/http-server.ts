/** A program of its own: answers a request for /17 with the JSON text {"number":17}. */
import { createServer } from 'node:http';
import { serveParent } from './server-process.js';

serveParent(
  // Connections stay open while others have their turn.
  createServer({ noDelay: true, keepAliveTimeout: 0 }, (request, response) => {
    const body = `{"number":${Number(request.url!.slice(1))}}`;
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': body.length });
    response.end(body);
  }),
);
