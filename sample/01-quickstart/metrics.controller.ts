import type { ServerResponse } from 'node:http';
import { Controller, Get, Inject, Res } from '@nestjs/common';
import { CONNECTION_POOL_REGISTRY } from 'nestjs-connection-pool/prometheus';
import type { Registry } from 'prom-client';

@Controller('metrics')
export class MetricsController {
  constructor(@Inject(CONNECTION_POOL_REGISTRY) private readonly registry: Registry) {}

  @Get()
  async metrics(@Res({ passthrough: true }) response: ServerResponse): Promise<string> {
    response.setHeader('content-type', this.registry.contentType);
    return this.registry.metrics();
  }
}
