import { Inject, Injectable } from '@nestjs/common';
import { DynamoDbTableConnectionFactory } from 'nestjs-connection-pool/factories/dynamodb';
import { Dynamo } from './dynamo.js';

@Injectable()
export class SeatsTable extends DynamoDbTableConnectionFactory {
  constructor(@Inject(Dynamo) dynamo: Dynamo) {
    super({ ...dynamo.config, tableName: dynamo.tableName });
  }
}
