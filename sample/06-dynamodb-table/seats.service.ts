import {
  ConditionalCheckFailedException,
  DynamoDBServiceException,
  PutItemCommand,
  ScanCommand,
} from '@aws-sdk/client-dynamodb';
import { ConflictException, Injectable } from '@nestjs/common';
import { ConnectionError, InjectPool, Retryable, type PoolOf } from 'nestjs-connection-pool';
import { SeatsTable } from './seats.table.js';

const THROTTLED = ['ProvisionedThroughputExceededException', 'ThrottlingException', 'RequestLimitExceeded'];

/** An answer, and so no connection error; but one that is worth asking again for. */
function isThrottled(error: unknown): boolean {
  return error instanceof DynamoDBServiceException && THROTTLED.includes(error.name);
}

@Injectable()
export class SeatsService {
  constructor(@InjectPool(SeatsTable) private readonly pool: PoolOf<typeof SeatsTable>) {}

  /**
   * May run twice: if the connection breaks, nobody knows whether the seat was taken, so it may be taken by the same guest
   * again. That somebody else has it is an answer: it is neither retried, nor does it cost the connection.
   */
  @Retryable({
    retryOn: [ConnectionError, isThrottled],
    maxRetries: 10,
    delay: 20,
  })
  async take(seat: string, guest: string): Promise<{ seat: string; guest: string }> {
    try {
      await this.pool.use((table) =>
        table.send(
          new PutItemCommand({
            TableName: table.tableName,
            Item: { seat: { S: seat }, guest: { S: guest } },
            ConditionExpression: 'attribute_not_exists(seat) OR guest = :guest',
            ExpressionAttributeValues: { ':guest': { S: guest } },
          }),
        ),
      );
    } catch (error) {
      if (error instanceof ConditionalCheckFailedException) throw new ConflictException(`Seat ${seat} is taken`);
      throw error;
    }
    return { seat, guest };
  }

  @Retryable({ retryOn: [ConnectionError, isThrottled] })
  all(): Promise<Array<{ seat: string; guest: string }>> {
    return this.pool.use(async (table) => {
      const { Items = [] } = await table.send(new ScanCommand({ TableName: table.tableName }));
      return Items.map(({ seat, guest }) => ({ seat: String(seat?.S), guest: String(guest?.S) }));
    });
  }
}
