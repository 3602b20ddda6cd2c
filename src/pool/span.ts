import type { TracingChannel } from 'node:diagnostics_channel';

type Heard = Readonly<
  Record<'start' | 'end' | 'asyncStart' | 'asyncEnd' | 'error', { readonly hasSubscribers: boolean }>
>;

/** Something that takes time, told of by the five channels of its kind as Node tells of a promise. */
export class Span<E extends { error?: unknown }> {
  private hasEnded = false;

  constructor(
    private readonly kind: TracingChannel<unknown, E>,
    readonly event: E,
  ) {}

  /** Whether anybody wants to know. */
  static isHeard({ start, end, asyncStart, asyncEnd, error }: Heard): boolean {
    return (
      start.hasSubscribers ||
      end.hasSubscribers ||
      asyncStart.hasSubscribers ||
      asyncEnd.hasSubscribers ||
      error.hasSubscribers
    );
  }

  start(): void {
    this.kind.start.publish(this.event);
  }

  /** That is all for now; or, unless it is to go on, for good. */
  end(): void {
    if (this.hasEnded) return;
    this.hasEnded = true;
    this.kind.end.publish(this.event);
  }

  fail(error: unknown): void {
    this.event.error = error;
    this.kind.error.publish(this.event);
  }

  /** It is over, some time after {@link end}; or within what set it off, which then ends now. */
  asyncEnd(): void {
    this.end();
    this.kind.asyncStart.publish(this.event);
    this.kind.asyncEnd.publish(this.event);
  }
}
