import { timed, type Open, type Run, type Scenario } from '../scenario.js';

interface Service {
  read(number: number): Promise<number>;
}

const CALLS = 5_000;

/** Call after call, each of which succeeds. */
function calls(service: Service): Run {
  const work = async (): Promise<void> => {
    for (let number = 0; number < CALLS; number++) {
      if ((await service.read(number)) !== number) throw new Error('the method returned what it was not to return');
    }
  };
  return { batch: () => timed(CALLS, work) };
}

const bare: Open = async () => calls(new (await import('../retryable/bare-service.js')).BareService());

const plainInstance: Open = async () =>
  calls(new (await import('../retryable/retryable-service.js')).RetryableService());

const inApplication: Open = async () =>
  calls(await (await import('../retryable/application.js')).serviceInApplication());

function retryableScenario(name: string, ours: Open): Scenario {
  return {
    name,
    unit: 'ns',
    per: 'call',
    reference: 'bare method',
    goal: { more: 100 },
    contestants: { 'bare method': bare, ours },
  };
}

export const RETRYABLE: readonly Scenario[] = [
  retryableScenario('@Retryable(), plain instance', plainInstance),
  retryableScenario('@Retryable(), in an application', inApplication),
];
