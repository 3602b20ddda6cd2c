import {
  BadRequestException,
  Body,
  Controller,
  Get,
  HttpCode,
  Inject,
  Param,
  ParseIntPipe,
  Post,
  Put,
} from '@nestjs/common';
import { InjectPool, type PoolOf } from 'nestjs-connection-pool';
import { Database } from './database.js';
import { OrdersDb } from './orders.db.js';
import { OrdersService, type Order } from './orders.service.js';

@Controller()
export class OrdersController {
  constructor(
    @Inject(OrdersService) private readonly orders: OrdersService,
    @Inject(Database) private readonly database: Database,
    @InjectPool(OrdersDb) private readonly pool: PoolOf<typeof OrdersDb>,
  ) {}

  @Get('orders')
  all(): Promise<Order[]> {
    return this.orders.all();
  }

  @Put('orders/:id')
  place(
    @Param('id', ParseIntPipe) id: number,
    @Body() body: Partial<Pick<Order, 'customer' | 'item' | 'amount'>> | undefined,
  ): Promise<Order> {
    const { customer, item, amount } = body ?? {};
    if (typeof customer !== 'string' || typeof item !== 'string' || typeof amount !== 'number') {
      throw new BadRequestException('An order has a customer, an item and an amount');
    }
    return this.orders.place({ id, customer, item, amount });
  }

  @Post('orders/:id/payment')
  pay(@Param('id', ParseIntPipe) id: number): Promise<Order> {
    return this.orders.pay(id, 5);
  }

  @Post('careless')
  @HttpCode(204)
  careless(): Promise<void> {
    return this.orders.careless();
  }

  @Post('restart')
  @HttpCode(202)
  async restart(): Promise<void> {
    await this.database.restart();
  }

  @Get('pool')
  statistics(): object {
    const { lastConnectError, ...stats } = this.pool.stats();
    return { ...stats, lastConnectError: lastConnectError instanceof Error ? lastConnectError.message : null };
  }
}
