import type { Clock, TimerCallback } from "./_clock.ts";
import { TimeError } from "./_time_error.ts";

/** The real timer functions. */
export const realTimers: Pick<
  typeof globalThis,
  "setTimeout" | "clearTimeout" | "setInterval" | "clearInterval"
> = {
  setTimeout,
  clearTimeout,
  setInterval,
  clearInterval,
};
/** The real `Date`. */
export const RealDate: DateConstructor = Date;
const realAbortSignalTimeout = AbortSignal.timeout;

/** The clock in charge, also while the globals are the real ones. */
let clock: Clock | undefined;

/** Puts a clock in charge. */
export function install(newClock: Clock): void {
  clock = newClock;
  fakeGlobals();
}

/** Takes the clock out of charge. */
export function uninstall(): void {
  clock = undefined;
  restoreGlobals();
}

/** Puts the fake functions in place. */
export function fakeGlobals(): void {
  globalThis.Date = FakeDate;
  Object.assign(globalThis, {
    setTimeout: fakeSetTimeout,
    clearTimeout: fakeClearTimeout,
    setInterval: fakeSetInterval,
    clearInterval: fakeClearInterval,
  });
  AbortSignal.timeout = fakeAbortSignalTimeout;
}

/** Puts the real functions in place. */
export function restoreGlobals(): void {
  globalThis.Date = RealDate;
  Object.assign(globalThis, realTimers);
  AbortSignal.timeout = realAbortSignalTimeout;
}

function fakeNow(): number {
  return clock?.now ?? RealDate.now();
}

/** A proxy, so that everything but the current time is the real thing. */
const FakeDate: DateConstructor = new Proxy(Date, {
  construct(_target, args: unknown[]) {
    return Reflect.construct(RealDate, args.length > 0 ? args : [fakeNow()]);
  },
  apply() {
    return new RealDate(fakeNow()).toString();
  },
  get(target, property, receiver) {
    if (property === "now") return fakeNow;
    return Reflect.get(target, property, receiver);
  },
});

function fakeSetTimeout(
  callback: TimerCallback,
  delay = 0,
  ...args: unknown[]
): number {
  assertFunction(callback, "setTimeout");
  return clockTo("set timeout").setTimeout(callback, delay, args);
}

function fakeSetInterval(
  callback: TimerCallback,
  delay = 0,
  ...args: unknown[]
): number {
  assertFunction(callback, "setInterval");
  return clockTo("set interval").setInterval(callback, delay, args);
}

function fakeClearTimeout(id?: unknown): void {
  clockTo("clear timeout").clear(id);
}

function fakeClearInterval(id?: unknown): void {
  clockTo("clear interval").clear(id);
}

function fakeAbortSignalTimeout(delay: number): AbortSignal {
  const controller = new AbortController();
  fakeSetTimeout(() => {
    controller.abort(new DOMException("Signal timed out.", "TimeoutError"));
  }, delay);
  return controller.signal;
}

function assertFunction(callback: unknown, name: string): void {
  if (typeof callback === "function") return;
  throw new TimeError(
    `FakeTime does not support non-function callbacks to ${name}`,
  );
}

/** The clock, for functions that may be held on to after `restore()`. */
function clockTo(action: string): Clock {
  if (clock) return clock;
  throw new TimeError(`Cannot ${action}: time is not faked`);
}
