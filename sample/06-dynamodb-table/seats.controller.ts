import { Body, Controller, Get, HttpCode, Inject, Param, Post, Put } from '@nestjs/common';
import { InjectPool, type PoolOf } from 'nestjs-connection-pool';
import { Dynamo } from './dynamo.js';
import { RetryCounter } from './retry-counter.js';
import { SeatsService } from './seats.service.js';
import { SeatsTable } from './seats.table.js';

@Controller()
export class SeatsController {
  constructor(
    @Inject(SeatsService) private readonly seats: SeatsService,
    @Inject(Dynamo) private readonly dynamo: Dynamo,
    @Inject(RetryCounter) private readonly counter: RetryCounter,
    @InjectPool(SeatsTable) private readonly pool: PoolOf<typeof SeatsTable>,
  ) {}

  @Get('seats')
  all(): Promise<Array<{ seat: string; guest: string }>> {
    return this.seats.all();
  }

  @Put('seats/:seat')
  take(@Param('seat') seat: string, @Body() { guest }: { guest: string }): Promise<{ seat: string; guest: string }> {
    return this.seats.take(seat, guest);
  }

  @Post('throttle')
  @HttpCode(204)
  throttle(): void {
    this.dynamo.throttle();
  }

  @Post('lose-answers')
  @HttpCode(204)
  loseAnswers(): void {
    this.dynamo.loseAnswers();
  }

  @Get('report')
  report(): object {
    const { open, totals } = this.pool.stats();
    return {
      retries: this.counter.retries,
      connections: { open, opened: totals.connected, lost: totals.closed.broken },
    };
  }
}
