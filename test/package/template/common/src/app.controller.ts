import { Controller, Get, Param } from '@nestjs/common';
import { AppService } from './app.service.js';

@Controller()
export class AppController {
  constructor(private readonly appService: AppService) {}

  @Get()
  getHello(): string {
    return this.appService.getHello();
  }

  @Get('echo/:text')
  async echo(@Param('text') text: string): Promise<string> {
    return this.appService.echo(text);
  }

  @Get('connections')
  connections(): { size: number } {
    return { size: this.appService.connections() };
  }
}
