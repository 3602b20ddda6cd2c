import { EventEmitter } from 'node:events';
import { ConnectionFactory } from '../../src/pool/connection-factory.js';

/** A service in memory, which can die and come back. */
export class Backend {
  isUp = true;
  /** What a connect fails with while it is down. */
  failure: Error = Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:5432'), { code: 'ECONNREFUSED' });
  private readonly connections = new Set<EventEmitter>();

  open(): EventEmitter {
    if (!this.isUp) throw this.failure;
    const connection = new EventEmitter();
    this.connections.add(connection);
    return connection;
  }

  /** Every connection is lost, and there will be no others until it is back. */
  die(): void {
    this.isUp = false;
    for (const connection of this.connections) connection.emit('close');
    this.connections.clear();
  }

  comeBack(): void {
    this.isUp = true;
  }
}

/** A class of factories for a pool of this name. */
export function factoryTo(backend: Backend, name: string) {
  return class BackendConnectionFactory extends ConnectionFactory<EventEmitter> {
    static override poolName = name;

    connect(): EventEmitter {
      return backend.open();
    }

    override close(): void {}
  };
}
