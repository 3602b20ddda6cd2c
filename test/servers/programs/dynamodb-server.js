/**
 * DynamoDB in memory, by dynalite: node dynamodb-server.js PORT [tls]. With TLS it reads key.pem and cert.pem in its folder.
 * It has a table "things", whose key is the string "id". On SIGUSR2 it ends all connections. Besides:
 *
 *     ListTables   answers after 20 s
 *     Scan         is always throttled
 *     Query        always fails by the server's own fault
 */
import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import process from 'node:process';
import dynalite from 'dynalite';

const [port, mode] = process.argv.slice(2);

const tls = mode === 'tls' ? { ssl: true, key: readFileSync('key.pem'), cert: readFileSync('cert.pem'), ca: [] } : {};
const server = dynalite({ createTableMs: 0, deleteTableMs: 0, ...tls });
server.keepAliveTimeout = 120_000;

const [serve] = server.listeners('request');
server.removeAllListeners('request');
server.on('request', (request, response) => {
  const [, operation] = (request.headers['x-amz-target'] ?? '').split('.');
  if (operation === 'ListTables') setTimeout(() => serve(request, response), 20_000);
  else if (operation === 'Scan') fail(response, 400, 'ProvisionedThroughputExceededException');
  else if (operation === 'Query') fail(response, 500, 'InternalServerError');
  else serve(request, response);
});

function fail(response, status, type) {
  response.writeHead(status, { 'content-type': 'application/x-amz-json-1.0' });
  response.end(JSON.stringify({ __type: `com.amazonaws.dynamodb.v20120810#${type}`, message: `${type}, as always` }));
}

function createTable() {
  const request = (mode === 'tls' ? https : http).request({
    ...{ host: '127.0.0.1', port, method: 'POST', rejectUnauthorized: false, agent: false },
    headers: {
      'content-type': 'application/x-amz-json-1.0',
      'x-amz-target': 'DynamoDB_20120810.CreateTable',
      'x-amz-date': '20260101T000000Z',
      authorization: 'AWS4-HMAC-SHA256 Credential=a/b/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=c',
    },
  });
  request.end(
    JSON.stringify({
      TableName: 'things',
      BillingMode: 'PAY_PER_REQUEST',
      KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
      AttributeDefinitions: [{ AttributeName: 'id', AttributeType: 'S' }],
    }),
  );
}

server.listen(Number(port), '127.0.0.1', createTable);

process.on('SIGUSR2', () => server.closeAllConnections());
process.on('SIGTERM', () => process.exit());
