import type { Clock, Timer } from "../protocol/clock.ts";

/** Calls something at intervals, as long as it is wanted; no timer runs while it is not. */
export class Ticker {
  readonly #interval: number | false;
  readonly #clock: Clock;
  readonly #isWanted: () => boolean;
  readonly #tick: () => void;
  #timer: Timer | undefined;

  /**
   * @param interval The time between two calls, in milliseconds; `false` calls never.
   * @param clock Where time comes from.
   * @param isWanted Whether to go on.
   * @param tick What to call.
   */
  constructor(interval: number | false, clock: Clock, isWanted: () => boolean, tick: () => void) {
    this.#interval = interval;
    this.#clock = clock;
    this.#isWanted = isWanted;
    this.#tick = tick;
  }

  /** To be called when what `isWanted` says may have changed. */
  update(): void {
    if (this.#interval !== false && this.#isWanted()) {
      this.#timer ??= this.#clock.after(this.#interval, () => this.#due());
      return;
    }
    this.#timer?.clear();
    this.#timer = undefined;
  }

  #due(): void {
    this.#timer = undefined;
    this.#tick();
    this.update();
  }
}
