import type { Happening, HappeningKind } from './frames.js';

/** As many as the page shows. */
const KEPT = 200;

/** How many calls of a leak's stack are told. */
const CALLS = 12;

/** What happened lately, oldest first. */
export class Happenings {
  private readonly kept: Happening[] = [];
  private fresh: Happening[] = [];
  private count = 0;

  get all(): readonly Happening[] {
    return this.kept;
  }

  add(at: number, kind: HappeningKind, subject: string, text: string, stack?: string): void {
    const calls = stack?.split('\n').slice(0, CALLS).join('\n');
    const happening: Happening = { id: ++this.count, at, kind, subject, text, ...(calls && { stack: calls }) };
    this.kept.push(happening);
    if (this.kept.length > KEPT) this.kept.shift();
    this.fresh.push(happening);
    if (this.fresh.length > KEPT) this.fresh.shift();
  }

  /** Those that nobody was told of yet. */
  take(): Happening[] {
    const { fresh } = this;
    this.fresh = [];
    return fresh;
  }
}
