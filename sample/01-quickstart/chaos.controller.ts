import { Controller, HttpCode, Inject, Post, UseGuards } from '@nestjs/common';
import { CALLERS, Load } from './load.js';
import { NotFromOtherSites } from './not-from-other-sites.guard.js';
import { StoreProcess } from './store-process.js';

const LOAD_FOR = 30_000;

const DOWN_FOR = 2_000;

/** What goes wrong at three in the morning, at the press of a button. */
@Controller('chaos')
@UseGuards(NotFromOtherSites)
export class ChaosController {
  constructor(
    @Inject(StoreProcess) private readonly store: StoreProcess,
    @Inject(Load) private readonly callers: Load,
  ) {}

  @Post('load')
  @HttpCode(202)
  load(): { happening: string } {
    this.callers.start(LOAD_FOR);
    return { happening: `${CALLERS} callers ask for values, for ${LOAD_FOR / 1_000} s from now` };
  }

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
