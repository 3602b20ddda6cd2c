/**
 * An HTTP server: node http-server.js PORT [tls]. With TLS it reads key.pem and cert.pem in its folder. On SIGUSR2 it
 * ends all connections.
 *
 *     OPTIONS /       204
 *     GET /           hi
 *     GET /slow       hi, after 20 s
 *     GET /big        5 MB
 *     GET /private    hi, to whom sends `authorization: secret`; else 401
 *     GET /close      hi, and the end of the connection
 *     (anything else) 404
 */
import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import process from 'node:process';

const [port, mode] = process.argv.slice(2);

const ANSWERS = {
  '/': (_, response) => response.end('hi'),
  '/slow': (_, response) => setTimeout(() => response.end('hi'), 20_000),
  '/big': (_, response) => response.end(Buffer.alloc(5_000_000)),
  '/close': (_, response) => response.setHeader('connection', 'close').end('hi'),
  '/private': ({ headers }, response) => {
    response.statusCode = headers.authorization === 'secret' ? 200 : 401;
    response.end(response.statusCode === 200 ? 'hi' : 'who are you?');
  },
};

function answer(request, response) {
  if (request.method === 'OPTIONS') {
    response.writeHead(204).end();
    return;
  }
  const serve = ANSWERS[request.url];
  if (serve === undefined) response.writeHead(404).end('there is no such thing');
  else serve(request, response);
}

const options = { keepAliveTimeout: 120_000 };
const server =
  mode === 'tls'
    ? https.createServer({ ...options, key: readFileSync('key.pem'), cert: readFileSync('cert.pem') }, answer)
    : http.createServer(options, answer);
server.listen(Number(port), '127.0.0.1');

process.on('SIGUSR2', () => server.closeAllConnections());
process.on('SIGTERM', () => process.exit());
