import type { Clock, Timer } from "../protocol/clock.ts";

/**
 * A clock that stands still while this process does not run. A process that was
 * asleep, or busy for long, has not heard what its clients said meanwhile, and
 * must not accuse them of silence.
 */
export class AwakeClock implements Clock {
  readonly #clock: Clock;
  readonly #longest: number;
  #time = 0;
  #tickedAt: number;

  /**
   * @param clock Where time comes from.
   * @param longest The longest time between two ticks that counts, in milliseconds.
   */
  constructor(clock: Clock, longest: number) {
    this.#clock = clock;
    this.#longest = longest;
    this.#tickedAt = clock.now();
  }

  /** Time awake since the start, in milliseconds. */
  now(): number {
    const elapsed = this.#clock.now() - this.#tickedAt;
    return this.#time + Math.min(Math.max(elapsed, 0), this.#longest);
  }

  /** Runs `callback` once, `ms` milliseconds from now. */
  after(ms: number, callback: () => void): Timer {
    return this.#clock.after(ms, callback);
  }

  /** Shows that the process runs; to be called more often than `longest`. */
  tick(): void {
    this.#time = this.now();
    this.#tickedAt = this.#clock.now();
  }
}
