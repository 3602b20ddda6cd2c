import { fork, type ChildProcess } from 'node:child_process';
import type { Scenario } from './scenario.js';
import type { Reply, SampleRequest } from './worker.js';

/** Who is measured: a contestant of the scenario, as this worker knows it. */
export interface Entrant {
  readonly name: string;
  readonly contestant: string;
  readonly worker: URL;
}

/** What one cost, in each round, and what else was seen in each; or why that says nothing. */
export type Result =
  | { readonly costs: readonly number[]; readonly also?: Readonly<Record<string, readonly number[]>> }
  | { readonly void: string };

interface Conditions {
  /** Of the scenario's service. */
  readonly address: string;
  readonly als: boolean;
  /** The longest that an answer may take, in milliseconds. */
  readonly patience: number;
}

/** An entrant's process, from its start to its end. */
export class Entry {
  readonly name: string;
  private readonly child: ChildProcess;
  private readonly patience: number;
  private readonly costs: number[] = [];
  private readonly also: Record<string, number[]> = {};
  private void: string | undefined;
  /** Who waits for the process to say something. */
  private listener: ((reply: Reply) => void) | undefined;
  /** What it said while nobody waited: it may be ready, or dead, before it is asked. */
  private early: Reply | undefined;

  constructor(scenario: Scenario, entrant: Entrant, { address, als, patience }: Conditions) {
    this.name = entrant.name;
    this.patience = patience;
    const args = [scenario.name, entrant.contestant, address, ...(als ? ['als'] : [])];
    // Young objects have room enough not to be collected in the middle of a sample that counts bytes, and have it at once:
    // V8 gives them more only when many survive.
    const room = ['--min-semi-space-size=128', '--max-semi-space-size=128'];
    const execArgv = ['--expose-gc', ...(scenario.unit === 'bytes' ? room : [])];
    this.child = fork(entrant.worker, args, { execArgv, stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
    this.child.on('message', (reply: Reply) => this.hear(reply));
    this.child.on('error', (error) => this.hear({ failure: error.message }));
    this.child.on('exit', (code, signal) => this.hear({ failure: `the process ended with ${code ?? signal}` }));
  }

  get result(): Result {
    if (this.void !== undefined) return { void: this.void };
    const { costs, also } = this;
    return Object.keys(also).length === 0 ? { costs } : { costs, also };
  }

  async ready(): Promise<void> {
    this.note(await this.nextReply(), false);
  }

  async sample(milliseconds: number, counts: boolean): Promise<void> {
    if (this.void !== undefined) return;
    // That it cannot be sent is told by 'error' or 'exit'.
    this.child.send(milliseconds satisfies SampleRequest, () => {});
    this.note(await this.nextReply(), counts);
  }

  end(): void {
    this.child.kill('SIGKILL');
  }

  private note(reply: Reply, counts: boolean): void {
    if ('failure' in reply) this.void = reply.failure;
    else if ('cost' in reply) {
      if (reply.void !== undefined) this.void = reply.void;
      else if (!Number.isFinite(reply.cost)) this.void = `its cost is ${reply.cost}`;
      else if (counts) this.keep(reply);
    }
    // One that hangs would take a core from all the others.
    if (this.void !== undefined) this.end();
  }

  private keep({ cost, also = {} }: Extract<Reply, { cost: number }>): void {
    this.costs.push(cost);
    for (const [name, figure] of Object.entries(also)) (this.also[name] ??= []).push(figure);
  }

  private hear(reply: Reply): void {
    if (this.listener !== undefined) this.listener(reply);
    // The first reason is the best, and one that has died has nothing more to say.
    else if (this.early === undefined || !('failure' in this.early)) this.early = reply;
  }

  private nextReply(): Promise<Reply> {
    const { early } = this;
    // Of one that has died, nothing but that will ever be heard.
    if (early !== undefined) {
      if (!('failure' in early)) this.early = undefined;
      return Promise.resolve(early);
    }
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.hear({ failure: `no answer in ${this.patience / 1_000} s` }), this.patience);
      this.listener = (reply) => {
        clearTimeout(timer);
        this.listener = undefined;
        resolve(reply);
      };
    });
  }
}
