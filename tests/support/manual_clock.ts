import type { Clock, Timer } from "../../protocol/clock.ts";

interface ManualTimer {
  readonly at: number;
  readonly callback: () => void;
}

/** A clock whose time stands still until the test moves it. */
export class ManualClock implements Clock {
  readonly #timers = new Set<ManualTimer>();
  #now: number;

  /** @param now The time it starts with, in milliseconds. */
  constructor(now = 1_000_000) {
    this.#now = now;
  }

  /** How many timers are set. */
  get timers(): number {
    return this.#timers.size;
  }

  now(): number {
    return this.#now;
  }

  after(ms: number, callback: () => void): Timer {
    const timer = { at: this.#now + Math.max(ms, 0), callback };
    this.#timers.add(timer);
    return { clear: () => this.#timers.delete(timer) };
  }

  /**
   * Moves the time and runs what falls due, in order, each at its own time;
   * timers that are set on the way run too if they fall due.
   */
  advance(ms: number): void {
    const end = this.#now + ms;
    for (
      let timer = this.#next(end);
      timer !== undefined;
      timer = this.#next(end)
    ) {
      this.#timers.delete(timer);
      this.#now = Math.max(this.#now, timer.at);
      timer.callback();
    }
    this.#now = end;
  }

  /** Moves the time without running anything, as sleep and a busy loop do. */
  stall(ms: number): void {
    this.#now += ms;
  }

  /** The earliest timer due; of two due together, the one that was set first. */
  #next(end: number): ManualTimer | undefined {
    let next: ManualTimer | undefined;
    for (const timer of this.#timers) {
      if (timer.at <= end && (next === undefined || timer.at < next.at)) {
        next = timer;
      }
    }
    return next;
  }
}
