import type { Bug } from '../bug.js';

/** Leaks that only show over time: the soak must find each of them. */
export const BUGS: readonly Bug[] = [
  {
    name: 'each lease leaves a listener on its connection',
    file: 'connection-pool.ts',
    from: 'const { home } = this;',
    to: "(entry.connection as { on(event: string, listener: () => void): void }).on('end', () => {});\n    const { home } = this;",
  },
  {
    name: 'each lease leaves a listener on the process',
    file: 'connection-pool.ts',
    from: 'const { home } = this;',
    to: "if (this.totals.acquired % 100 === 0) process.on('warning', () => {});\n    const { home } = this;",
  },
  {
    name: 'each lease is kept for ever',
    file: 'connection-pool.ts',
    from: 'const { home } = this;',
    to: '((globalThis as { kept?: unknown[] }).kept ??= []).push(new Array(500).fill(0));\n    const { home } = this;',
  },
  {
    name: 'each lease leaves a timer',
    file: 'connection-pool.ts',
    from: 'const { home } = this;',
    to: 'if (this.totals.acquired % 100 === 0) this.settings.clock.setTimeout(() => {}, 1e9);\n    const { home } = this;',
  },
  {
    name: 'one broken connection in three is not closed',
    file: 'closer.ts',
    from: 'if (this.factory.close !== undefined) await',
    to: "if (reason === 'broken' && Math.random() < 0.3) return;\n      if (this.factory.close !== undefined) await",
  },
  {
    name: 'a ping is counted twice',
    file: 'stock.ts',
    from: 'this.totals.pings++;',
    to: 'this.totals.pings += 2;',
  },
];
