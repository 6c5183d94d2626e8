import type { Clock } from "../protocol/clock.ts";
import { MCPCapacityError } from "../protocol/errors.ts";

/** How often dials may fail before no more are made for a while. */
export interface DialLimitOptions {
  /**
   * Dials that may fail within `window`.
   *
   * @default {10}
   */
  readonly maxFailures: number;
  /**
   * How long a failed dial counts, in milliseconds.
   *
   * @default {60_000}
   */
  readonly window: number;
  /**
   * What happens to a dial that the application asks for when there have been
   * too many: `"reject"` refuses it with {@linkcode DialLimitError}, `"wait"`
   * makes it wait. Dials that repair a lost connection always wait.
   *
   * @default {"reject"}
   */
  readonly excess: "reject" | "wait";
}

/**
 * Too many dials have failed; it tells when the next one may be made.
 *
 * @example Tell a user when to come back
 * ```ts
 * import { DialLimitError, MCPWebSocketClient } from "@bowline/mcp-websocket/client";
 *
 * async function connect(client: MCPWebSocketClient): Promise<string> {
 *   try {
 *     await client.connect();
 *     return "Connected";
 *   } catch (error) {
 *     if (!(error instanceof DialLimitError)) throw error;
 *     return `Try again in ${Math.ceil(error.retryAfter / 1_000)} s`;
 *   }
 * }
 * ```
 */
export class DialLimitError extends MCPCapacityError {
  /** The name of the class. */
  override name = "DialLimitError";
  /** How long to wait before the next dial, in milliseconds. */
  readonly retryAfter: number;

  /**
   * Makes an error.
   *
   * @param retryAfter How long to wait before the next dial, in milliseconds.
   * @param options The limit that was reached.
   */
  constructor(retryAfter: number, { maxFailures, window }: Omit<DialLimitOptions, "excess">) {
    const text = `Cannot connect: ${maxFailures} dials have failed within ${window} ms, ` +
      `the next one may be made in ${retryAfter} ms`;
    super(text, maxFailures);
    this.retryAfter = retryAfter;
  }
}

/** Failures that can be remembered. */
const MAX_FAILURES = 10_000;
/** The longest time a timer can hold, in milliseconds. */
const MAX_TIME = 2 ** 31 - 1;

const EXCESSES: readonly string[] = ["reject", "wait"];

/**
 * The options with defaults, checked.
 *
 * @param options What the caller asked for.
 * @throws {RangeError} If a number is outside its range.
 * @throws {TypeError} If `excess` is neither.
 */
export function resolveDialLimit(options: Partial<DialLimitOptions> = {}): DialLimitOptions {
  const { maxFailures = 10, window = 60_000, excess = "reject" } = options;
  if (!Number.isInteger(maxFailures)) {
    throw new RangeError(
      `Option "dialLimit.maxFailures" must be an integer: current value is ${maxFailures}`,
    );
  }
  checkRange("maxFailures", maxFailures, MAX_FAILURES);
  checkRange("window", window, MAX_TIME);
  if (!EXCESSES.includes(excess)) {
    const text = `must be "reject" or "wait": current value is ${JSON.stringify(excess)}`;
    throw new TypeError(`Option "dialLimit.excess" ${text}`);
  }
  return { maxFailures, window, excess };
}

/**
 * Counts failed dials in a sliding window, and holds further ones back.
 *
 * A dial has failed if it did not open, or if its connection was lost before the
 * server's `welcome` and before `minUptime`; one that was given up has not. What
 * is counted is for the caller to {@linkcode DialLimit.record}. Dials
 * under way do not count: several at once can exceed the limit by their number.
 *
 * It remembers at most `maxFailures` moments: the oldest of them decides.
 */
export class DialLimit {
  readonly #options: DialLimitOptions;
  readonly #clock: Clock;
  /** When the last dials failed, the oldest first. */
  #failures: readonly number[] = [];

  /**
   * Makes a limit that nothing counts against yet.
   *
   * @param options The limit.
   * @param clock Where time comes from.
   * @throws {RangeError} If a number is outside its range.
   * @throws {TypeError} If `excess` is neither.
   */
  constructor(options: Partial<DialLimitOptions>, clock: Clock) {
    this.#options = resolveDialLimit(options);
    this.#clock = clock;
  }

  /** How many dials count at the moment. */
  get failures(): number {
    return this.#recall(this.#clock.now()).length;
  }

  /** How long to wait before the next dial, in milliseconds; 0 if it may be made. */
  waitTime(): number {
    const { maxFailures, window } = this.#options;
    const now = this.#clock.now();
    const failures = this.#recall(now);
    const [oldest] = failures;
    return oldest === undefined || failures.length < maxFailures ? 0 : oldest + window - now;
  }

  /** Counts a dial that has failed. */
  record(): void {
    const now = this.#clock.now();
    this.#failures = [...this.#recall(now), now].slice(-this.#options.maxFailures);
  }

  /**
   * Lets a dial pass, at once or when it may be made.
   *
   * @param signal Gives up waiting.
   * @throws {DialLimitError} If too many have failed, and `excess` is `"reject"`.
   * @throws The signal's reason, if it aborts.
   */
  async admit(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const wait = this.waitTime();
    if (wait > 0 && this.#options.excess === "reject") {
      throw new DialLimitError(wait, this.#options);
    }
    await this.wait(signal);
  }

  /**
   * Waits until a dial may be made, whatever happens to those that are too many.
   *
   * @param signal Gives up waiting.
   * @throws The signal's reason, if it aborts.
   */
  async wait(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    for (let wait = this.waitTime(); wait > 0; wait = this.waitTime()) {
      await pause(wait, signal, this.#clock);
    }
  }

  /** The failures that still count. Those of the future are of now: the clock was set back. */
  #recall(now: number): readonly number[] {
    const { window } = this.#options;
    return this.#failures = this.#failures
      .filter((time) => now - time < window)
      .map((time) => Math.min(time, now));
  }
}

function pause(ms: number, signal: AbortSignal, clock: Clock): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const timer = clock.after(ms, resolve);
  const onAbort = () => reject(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  return promise.finally(() => {
    timer.clear();
    signal.removeEventListener("abort", onAbort);
  });
}

function checkRange(name: string, value: number, max: number): void {
  if (value >= 1 && value <= max) return;
  throw new RangeError(
    `Option "dialLimit.${name}" must be between 1 and ${max}: current value is ${value}`,
  );
}
