import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const BUILT_SAMPLES = new URL('../../build/sample/', import.meta.url);

/** A sample application in a process of its own, as a user runs it, on a free port. */
export class RunningSample {
  output = '';
  private readonly ended: Promise<unknown>;

  private constructor(private readonly child: ChildProcess) {
    this.ended = once(child, 'close');
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => (this.output += text));
    }
  }

  /** Resolves once it says at which address it listens. */
  static async start(name: string, env: Record<string, string> = {}): Promise<RunningSample> {
    const main = fileURLToPath(new URL(`${name}/main.js`, BUILT_SAMPLES));
    const child = spawn(process.execPath, [main], {
      env: { ...process.env, NODE_OPTIONS: '', NO_COLOR: '1', PORT: '0', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const sample = new RunningSample(child);
    await sample.until(() => sample.output.includes('curl http') || child.exitCode !== null);
    if (child.exitCode !== null) throw new Error(`${name} did not start:\n${sample.output}`);
    return sample;
  }

  get url(): string {
    const [url] = /http:\/\/127\.0\.0\.1:\d+/.exec(this.output) ?? [];
    return url ?? '';
  }

  async get<T>(path: string): Promise<T> {
    const response = await fetch(this.url + path);
    return (await response.json()) as T;
  }

  /** Asks again until the answer is yes; jest's time-out is the limit. */
  async until(condition: () => boolean | Promise<boolean>): Promise<void> {
    while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 20));
  }

  /** Ends it as an operator does, and resolves with how it ended. */
  async stop(): Promise<unknown> {
    this.child.kill('SIGTERM');
    return this.ended;
  }
}
