import { DescribeTableCommand, DynamoDBClient, type DynamoDBClientConfig } from '@aws-sdk/client-dynamodb';
import { nodeProgram } from './node-program.js';
import { withPem, type Pem } from './pem.js';
import type { ServerKind } from './server-kind.js';

/** What clients of it are told; any credentials will do. */
export function dynamoDbAt(port: number, scheme = 'http'): DynamoDBClientConfig {
  return {
    endpoint: `${scheme}://127.0.0.1:${port}`,
    region: 'us-east-1',
    credentials: { accessKeyId: 'ann', secretAccessKey: 'secret' },
  };
}

/** The DynamoDB of test/servers/programs, with its table; given a certificate and its key, on TLS. */
export function dynamoDb(pem?: Pem): ServerKind {
  if (pem === undefined) return nodeProgram('DynamoDB', 'dynamodb-server.js', (port) => hasTable(port, 'http'));
  const kind = nodeProgram('DynamoDB with TLS', 'dynamodb-server.js', (port) => hasTable(port, 'https'), ['tls']);
  return withPem(kind, pem);
}

/** Resolves if the table is there. */
async function hasTable(port: number, scheme: string): Promise<void> {
  const client = new DynamoDBClient({
    ...dynamoDbAt(port, scheme),
    maxAttempts: 1,
    requestHandler: { httpAgent: { keepAlive: false }, httpsAgent: { keepAlive: false, rejectUnauthorized: false } },
  });
  try {
    const abortSignal = AbortSignal.timeout(2_000);
    await client.send(new DescribeTableCommand({ TableName: 'things' }), { abortSignal });
  } finally {
    client.destroy();
  }
}
