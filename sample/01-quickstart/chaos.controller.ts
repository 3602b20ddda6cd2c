import { Controller, HttpCode, Inject, Post } from '@nestjs/common';
import { StoreProcess } from './store-process.js';

const DOWN_FOR = 2_000;

/** What goes wrong at three in the morning, at the press of a button. */
@Controller('chaos')
export class ChaosController {
  constructor(@Inject(StoreProcess) private readonly store: StoreProcess) {}

  @Post('break')
  @HttpCode(202)
  break(): { happening: string } {
    this.store.break();
    return { happening: 'the store resets all its connections' };
  }

  @Post('restart')
  @HttpCode(202)
  restart(): { happening: string } {
    this.store.restart(DOWN_FOR);
    return { happening: `the store dies, and is back after ${DOWN_FOR / 1_000} s` };
  }
}
