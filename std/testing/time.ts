/**
 * Stand-in for `jsr:@std/testing/time`: time under a test's control.
 *
 * @module
 */
import type { DelayOptions } from "@std/async/delay";
import { Clock } from "./_clock.ts";
import {
  fakeGlobals,
  install,
  RealDate,
  realTimers,
  restoreGlobals,
  uninstall,
} from "./_fake_globals.ts";
import { TimeError } from "./_time_error.ts";

export type { DelayOptions };
export { TimeError };

/** Options for {@linkcode FakeTime}. */
export interface FakeTimeOptions {
  /**
   * How fast fake time passes by itself, relative to real time.
   *
   * @default {0}
   */
  advanceRate: number;
  /**
   * How often fake time that passes by itself is moved on, in milliseconds.
   *
   * @default {10}
   */
  advanceFrequency?: number;
}

let active: FakeTime | undefined;

/**
 * Replaces `Date`, the timer functions and `AbortSignal.timeout()` by ones
 * whose time only passes when told so.
 */
export class FakeTime {
  readonly #clock: Clock;
  readonly #start: number;
  #advancing: ReturnType<typeof setInterval> | undefined;

  /**
   * @param start Time to begin at, by default the current one.
   * @throws {TimeError} If time is faked already.
   * @throws {TypeError} If the start is no valid time.
   */
  constructor(
    start?: number | string | Date | null,
    options?: FakeTimeOptions,
  ) {
    if (active) {
      throw new TimeError("Cannot construct FakeTime: time is already faked");
    }
    this.#start = parseStart(start);
    this.#clock = new Clock(this.#start);
    active = this;
    install(this.#clock);

    const rate = Math.max(0, options?.advanceRate ?? 0);
    const frequency = Math.max(0, options?.advanceFrequency ?? 10);
    if (rate > 0) {
      const { setInterval } = realTimers;
      this.#advancing = setInterval(
        () => this.tick(rate * frequency),
        frequency,
      );
    }
  }

  /** Same as `restore()`. */
  [Symbol.dispose](): void {
    this.restore();
  }

  /** Ends the faking of time. */
  static restore(): void {
    if (!active) throw notFaked();
    active.restore();
  }

  /** Runs a function in real time, until its promise settles if it has one. */
  static restoreFor<T, Args extends unknown[] = []>(
    callback: (...args: Args) => Promise<T> | T,
    ...args: Args
  ): Promise<T> {
    if (!active) {
      return Promise.reject(
        new TimeError("Cannot restore time: time is not faked"),
      );
    }
    restoreGlobals();
    try {
      const result = callback.apply(null, args);
      if (result instanceof Promise) return result.finally(fakeGlobals);
      fakeGlobals();
      return Promise.resolve(result);
    } catch (error) {
      fakeGlobals();
      return Promise.reject(error);
    }
  }

  /** Current fake time, in milliseconds since the epoch. */
  get now(): number {
    return this.#clock.now;
  }
  set now(value: number) {
    const { now } = this.#clock;
    if (value < now) {
      throw new RangeError(
        `Cannot set current time in the past, time must be >= ${now}: received ${value}`,
      );
    }
    this.#clock.advanceTo(value);
  }

  /** Fake time at the beginning, in milliseconds since the epoch. */
  get start(): number {
    return this.#start;
  }

  /**
   * Resolves once the given real time has passed.
   *
   * @param ms Time to wait, in milliseconds.
   */
  async delay(ms: number, options: DelayOptions = {}): Promise<void> {
    const { signal } = options;
    const { setTimeout, clearTimeout } = realTimers;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const abort = () => reject(new DOMException("Delay was aborted.", "AbortError"));
    if (signal?.aborted) abort();
    signal?.addEventListener("abort", abort);
    const timer = setTimeout(resolve, ms);
    try {
      await promise;
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", abort);
    }
  }

  /** Lets all pending promise reactions run. */
  async runMicrotasks(): Promise<void> {
    await this.delay(0);
  }

  /**
   * Moves time on, firing the timers on the way.
   *
   * @param ms By how much, in milliseconds.
   */
  tick(ms = 0): void {
    this.now += ms;
  }

  /** Lets pending promise reactions run, then does as `tick()`. */
  async tickAsync(ms = 0): Promise<void> {
    await this.runMicrotasks();
    this.now += ms;
  }

  /** Moves time on to the next timer; returns whether there was one. */
  next(): boolean {
    const due = this.#clock.nextDue();
    if (due === undefined) return false;
    this.now = due;
    return true;
  }

  /** Lets pending promise reactions run, then does as `next()`. */
  async nextAsync(): Promise<boolean> {
    await this.runMicrotasks();
    return this.next();
  }

  /** Moves time on from timer to timer until none is left. */
  runAll(): void {
    while (!this.#clock.idle) this.next();
  }

  /** Does as `runAll()`, but lets promise reactions run before each timer. */
  async runAllAsync(): Promise<void> {
    while (!this.#clock.idle) await this.nextAsync();
  }

  /** Ends the faking of time. */
  restore(): void {
    if (!active) throw notFaked();
    active = undefined;
    uninstall();
    clearInterval(this.#advancing);
  }
}

function notFaked(): TimeError {
  return new TimeError("Cannot restore time: time is already restored");
}

function parseStart(start: number | string | Date | null | undefined): number {
  let time = RealDate.now();
  if (typeof start === "number") time = Math.floor(start);
  else if (typeof start === "string") time = new Date(start).valueOf();
  else if (start instanceof Date) time = start.valueOf();
  if (Number.isNaN(time)) {
    throw new TypeError(
      `Cannot construct FakeTime: invalid start time ${time}`,
    );
  }
  return time;
}
