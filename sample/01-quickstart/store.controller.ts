import { BadRequestException, Body, Controller, Get, Inject, Param, Put } from '@nestjs/common';
import { StoreService } from './store.service.js';

@Controller()
export class StoreController {
  constructor(@Inject(StoreService) private readonly store: StoreService) {}

  @Get('get/:key')
  async get(@Param('key') key: string): Promise<{ key: string; value: unknown }> {
    return { key, value: await this.store.get(key) };
  }

  @Put('set/:key')
  async set(@Param('key') key: string, @Body() body: unknown): Promise<{ key: string; value: unknown }> {
    const { value } = (body ?? {}) as { value?: unknown };
    if (value === undefined) throw new BadRequestException('The body must be { "value": … }');
    await this.store.set(key, value);
    return { key, value };
  }
}
