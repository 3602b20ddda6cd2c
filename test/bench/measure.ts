import { fork, type ChildProcess } from 'node:child_process';
import type { Figures, Scenario } from './scenario.js';
import type { Reply, SampleRequest } from './worker.js';

export interface MeasureOptions {
  /** How often everybody's turn comes. */
  readonly rounds: number;
  /** How long a sample takes, in milliseconds. */
  readonly sample: number;
  /** Whether an AsyncLocalStorage is active. */
  readonly als: boolean;
}

/** Who is measured: a contestant of the scenario, as this worker knows it. */
export interface Entrant {
  readonly name: string;
  readonly contestant: string;
  readonly worker: URL;
}

/** What one cost, in each round, and what else there is to be shown, likewise; or why that says nothing. */
export type Result =
  { readonly costs: readonly number[]; readonly also: readonly Figures[] } | { readonly void: string };

/** Rounds whose samples are thrown away: V8 has yet to compile what is measured. */
const WARM_UP = 3;

/** No sample takes longer than this, whatever the machine does, in milliseconds. */
const PATIENCE = 60_000;

/** Lets all entrants have their turn, again and again: A B A B, so that what disturbs the machine disturbs all. */
export async function measure(
  scenario: Scenario,
  entrants: readonly Entrant[],
  { rounds, sample, als }: MeasureOptions,
): Promise<Map<string, Result>> {
  const service = await scenario.startService?.();
  const runs = entrants.map((entrant) => new EntrantRun(scenario, entrant, service?.address ?? '', als));
  try {
    for (let round = -WARM_UP; round < rounds; round++) {
      for (const run of runs) await run.sample(sample, round >= 0);
    }
    return new Map(runs.map((run) => [run.name, run.result]));
  } finally {
    for (const run of runs) run.end();
    await service?.stop();
  }
}

class EntrantRun {
  readonly name: string;
  private readonly child: ChildProcess;
  private readonly costs: number[] = [];
  private readonly also: Figures[] = [];
  private void: string | undefined;
  private isReady = false;

  constructor(scenario: Scenario, { name, contestant, worker }: Entrant, address: string, als: boolean) {
    this.name = name;
    const args = [scenario.name, contestant, address, ...(als ? ['als'] : [])];
    // Young objects have room enough not to be collected in the middle of a sample that counts bytes.
    const execArgv = ['--expose-gc', ...(scenario.unit === 'bytes' ? ['--max-semi-space-size=128'] : [])];
    this.child = fork(worker, args, { execArgv, stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  }

  get result(): Result {
    return this.void === undefined ? { costs: this.costs, also: this.also } : { void: this.void };
  }

  async sample(milliseconds: number, counts: boolean): Promise<void> {
    if (this.void !== undefined) return;
    if (!this.isReady) {
      const reply = await this.nextReply();
      if ('failure' in reply) {
        this.void = reply.failure;
        return;
      }
      this.isReady = true;
    }
    const reply = this.nextReply();
    this.child.send(milliseconds satisfies SampleRequest);
    this.note(await reply, counts);
  }

  end(): void {
    this.child.kill('SIGKILL');
  }

  private note(reply: Reply, counts: boolean): void {
    if ('failure' in reply) this.void = reply.failure;
    else if ('cost' in reply && reply.void !== undefined) this.void = reply.void;
    else if ('cost' in reply && counts) {
      this.costs.push(reply.cost);
      if (reply.also !== undefined) this.also.push(reply.also);
    }
  }

  private nextReply(): Promise<Reply> {
    const { child } = this;
    return new Promise((resolve) => {
      const done = (reply: Reply): void => {
        clearTimeout(timer);
        child.removeListener('exit', onExit);
        child.removeListener('message', done);
        resolve(reply);
      };
      const onExit = (code: number | null): void => done({ failure: `the process ended with ${code}` });
      const timer = setTimeout(() => done({ failure: `no sample in ${PATIENCE / 1_000} s` }), PATIENCE);
      child.once('exit', onExit);
      child.once('message', done);
    });
  }
}
