import { delay } from "@std/async/delay";
import type { Clock } from "../protocol/clock.ts";
import type { Goaway } from "../protocol/session/control.ts";

/** What a {@linkcode Mover} does. */
export interface MoverOptions {
  /** Opens a new connection while the present one still serves, and moves to it. */
  readonly move: (goaway: Goaway, signal: AbortSignal) => Promise<void>;
  /** Told why the last try has failed, when there is no time for another. */
  readonly onFailure: (error: unknown) => void;
  /** Where time comes from. */
  readonly clock: Clock;
}

/** The part of the time that is left over which clients are spread, at random. */
const SPREAD_SHARE = 0.1;
/** The shortest pause after a try that failed, in milliseconds. */
const MIN_PAUSE = 100;
/** The shortest time from one move to the next, in milliseconds: servers may ask for ever. */
const MIN_STAY = 1_000;

/** Moves to a new connection when the present one is about to go away. */
export class Mover {
  readonly #options: MoverOptions;
  #running: AbortController | undefined;
  #movedAt = -Infinity;

  /** @param options How to move. */
  constructor(options: MoverOptions) {
    this.#options = options;
  }

  /** Tries to move until it succeeds or the time is over; once is enough. */
  start(goaway: Goaway): void {
    if (this.#running !== undefined) return;
    const running = this.#running = new AbortController();
    this.#run(goaway, running.signal).catch(() => {}).finally(() => {
      if (this.#running === running) this.#running = undefined;
    });
  }

  /** Stops trying: the connection has gone, or nobody needs it any more. */
  stop(): void {
    this.#running?.abort();
    this.#running = undefined;
  }

  async #run(goaway: Goaway, signal: AbortSignal): Promise<void> {
    const { move, onFailure, clock } = this.#options;
    const spread = goaway.afterMs * SPREAD_SHARE;
    const deadline = clock.now() + goaway.afterMs;
    const stay = Math.max(this.#movedAt + MIN_STAY - clock.now(), 0);
    for (let pause = stay;; pause = MIN_PAUSE) {
      await delay(pause + Math.random() * spread, { signal });
      try {
        await move(goaway, signal);
        this.#movedAt = clock.now();
        return;
      } catch (error) {
        signal.throwIfAborted();
        // Servers that restart one after the other may let nobody in for a while.
        if (clock.now() >= deadline) return onFailure(error);
      }
    }
  }
}
