import { once } from 'node:events';
import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { CreateTableCommand, DynamoDBClient, type DynamoDBClientConfig } from '@aws-sdk/client-dynamodb';
import type { OnApplicationShutdown } from '@nestjs/common';
import dynalite from 'dynalite';

/** How many writes go wrong at the press of a button. */
const MISHAPS = 5;

/** DynamoDB in this process, in memory, with a table of seats; and what may go wrong with it. */
export class Dynamo implements OnApplicationShutdown {
  readonly tableName = 'seats';
  private toThrottle = 0;
  private toLose = 0;
  private readonly serve: RequestListener;

  private constructor(private readonly server: Server) {
    // What answers in its place must be asked in its place.
    this.serve = server.listeners('request')[0] as RequestListener;
    server.removeAllListeners('request');
    server.on('request', (request: IncomingMessage, response: ServerResponse) => this.answer(request, response));
  }

  static async launch(): Promise<Dynamo> {
    const server = dynalite({ createTableMs: 0 });
    const dynamo = new Dynamo(server);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    await dynamo.createTable();
    return dynamo;
  }

  get config(): DynamoDBClientConfig {
    return {
      endpoint: `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`,
      region: 'eu-central-1',
      credentials: { accessKeyId: 'any', secretAccessKey: 'will do' },
    };
  }

  /** The next writes are more than the table can bear. */
  throttle(): void {
    this.toThrottle = MISHAPS;
  }

  /** The next writes are done, but their connections break before the answer. */
  loseAnswers(): void {
    this.toLose = MISHAPS;
  }

  onApplicationShutdown(): void {
    this.server.close();
  }

  private answer(request: IncomingMessage, response: ServerResponse): void {
    const isWrite = String(request.headers['x-amz-target']).endsWith('.PutItem');
    if (isWrite && this.toThrottle > 0) {
      this.toThrottle--;
      throttled(response);
      return;
    }
    if (isWrite && this.toLose > 0) {
      this.toLose--;
      response.end = () => {
        request.socket.resetAndDestroy();
        return response;
      };
    }
    this.serve(request, response);
  }

  private async createTable(): Promise<void> {
    const client = new DynamoDBClient(this.config);
    await client.send(
      new CreateTableCommand({
        TableName: this.tableName,
        BillingMode: 'PAY_PER_REQUEST',
        KeySchema: [{ AttributeName: 'seat', KeyType: 'HASH' }],
        AttributeDefinitions: [{ AttributeName: 'seat', AttributeType: 'S' }],
      }),
    );
    client.destroy();
  }
}

function throttled(response: ServerResponse): void {
  const __type = 'com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException';
  response.writeHead(400, { 'content-type': 'application/x-amz-json-1.0' });
  response.end(JSON.stringify({ __type, message: 'The level of configured provisioned throughput was exceeded' }));
}
