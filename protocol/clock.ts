/** A timer that has been set, and can be cleared any number of times. */
export interface Timer {
  /** Clears the timer: its callback will not run any more. */
  clear(): void;
}

/**
 * Where time comes from. Everything in `protocol/` is given one, so that a
 * test or a simulator can replace it.
 */
export interface Clock {
  /** The current time, in milliseconds since any fixed moment. */
  now(): number;
  /** Runs `callback` once, `ms` milliseconds from now. */
  after(ms: number, callback: () => void): Timer;
  /**
   * Runs `callback` once in the next turn of the event loop; without it, as
   * soon as a timer can.
   */
  turn?(callback: () => void): Timer;
}

/** Timers hold 32-bit delays; what is longer fires early and is set again by its owner. */
const MAX_DELAY = 2 ** 31 - 1;

/**
 * The wall clock and the host's timers.
 *
 * The wall clock, because a monotonic one stands still while a laptop sleeps,
 * and waking up must be noticed.
 */
export const systemClock: Clock = {
  now: () => Date.now(),
  after(ms, callback) {
    return new HostTimer(setTimeout(callback, Math.min(Math.max(ms, 0), MAX_DELAY)));
  },
  turn(callback) {
    // Browsers have none.
    if (typeof setImmediate !== "function") return this.after(0, callback);
    const id = setImmediate(callback);
    return { clear: () => clearImmediate(id) };
  },
};

/** A timer of the host's. */
class HostTimer implements Timer {
  readonly #id: ReturnType<typeof setTimeout>;

  constructor(id: ReturnType<typeof setTimeout>) {
    this.#id = id;
  }

  clear(): void {
    clearTimeout(this.#id);
  }
}

/** The host's stopwatch. */
const HOST_STOPWATCH = (): number => performance.now();

/** Runs `callback` once in the next turn of the event loop, or soon. */
export function nextTurn(clock: Clock, callback: () => void): Timer {
  return clock.turn?.(callback) ?? clock.after(0, callback);
}

/**
 * What tells how long something takes, in milliseconds. The wall clock counts
 * whole ones only, and may be set; a clock that was given is taken as it is.
 *
 * @param clock Where time comes from.
 * @returns The time since some moment.
 */
export function stopwatch(clock: Clock): () => number {
  return clock === systemClock ? HOST_STOPWATCH : () => clock.now();
}
