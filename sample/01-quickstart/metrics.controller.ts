import { Controller, Get, Header, Inject } from '@nestjs/common';
import { CONNECTION_POOL_REGISTRY } from 'nestjs-connection-pool/prometheus';
import type { Registry } from 'prom-client';

@Controller('metrics')
export class MetricsController {
  constructor(@Inject(CONNECTION_POOL_REGISTRY) private readonly registry: Registry) {}

  @Get()
  @Header('content-type', 'text/plain; version=0.0.4')
  metrics(): Promise<string> {
    return this.registry.metrics();
  }
}
