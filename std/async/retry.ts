import { delay } from "./delay.ts";

/** The last of the allowed attempts failed; its error is the `cause`. */
export class RetryError extends Error {
  /**
   * @param cause What the last attempt threw.
   * @param attempts How many attempts were made.
   */
  constructor(cause: unknown, attempts: number) {
    super(`Retrying exceeded the maxAttempts (${attempts}).`);
    this.name = "RetryError";
    this.cause = cause;
  }
}

/** Options for {@linkcode retry}. */
export interface RetryOptions {
  /**
   * Growth of the wait from one attempt to the next.
   *
   * @default {2}
   */
  multiplier?: number;
  /**
   * Longest wait between two attempts, in milliseconds.
   *
   * @default {60000}
   */
  maxTimeout?: number;
  /**
   * Number of attempts, the first included.
   *
   * @default {5}
   */
  maxAttempts?: number;
  /**
   * Wait after the first attempt, in milliseconds.
   *
   * @default {1000}
   */
  minTimeout?: number;
  /**
   * Share of the wait left to chance: 0 waits in full, 1 anything up to that.
   *
   * @default {1}
   */
  jitter?: number;
  /**
   * Tells whether another attempt makes sense after the given failure.
   *
   * @default {() => true}
   */
  isRetriable?: (err: unknown) => boolean;
  /** Ends retrying: the promise rejects with the signal's reason. */
  signal?: AbortSignal;
}

/**
 * Calls a function until it succeeds, waiting longer after each failure.
 *
 * @param fn Function to call; may be asynchronous.
 * @throws {RetryError} If the last attempt fails too.
 * @throws {RangeError} If an option is out of range.
 */
export async function retry<T>(
  fn: (() => Promise<T>) | (() => T),
  options?: RetryOptions,
): Promise<T> {
  const {
    multiplier = 2,
    maxTimeout = 60_000,
    maxAttempts = 5,
    minTimeout = 1000,
    jitter = 1,
    isRetriable = () => true,
    signal,
  } = options ?? {};

  if (!Number.isInteger(maxAttempts) || maxAttempts < 1) {
    refuse("'maxAttempts' must be a positive integer", maxAttempts);
  }
  if (!Number.isFinite(multiplier) || multiplier < 1) {
    refuse("'multiplier' must be a finite number >= 1", multiplier);
  }
  if (!(maxTimeout > 0)) {
    refuse("'maxTimeout' must be a positive number", maxTimeout);
  }
  if (!(minTimeout >= 0)) refuse("'minTimeout' must be >= 0", minTimeout);
  if (minTimeout > maxTimeout) {
    throw new RangeError(
      `Cannot retry as 'minTimeout' must be <= 'maxTimeout': current values 'minTimeout=${minTimeout}', 'maxTimeout=${maxTimeout}'`,
    );
  }
  if (!(jitter >= 0 && jitter <= 1)) {
    refuse("'jitter' must be between 0 and 1", jitter);
  }

  for (let attempt = 1;; attempt++) {
    signal?.throwIfAborted();
    try {
      return await fn();
    } catch (error) {
      if (!isRetriable(error)) throw error;
      if (attempt >= maxAttempts) throw new RetryError(error, maxAttempts);
    }
    const backoff = Math.min(
      maxTimeout,
      minTimeout * multiplier ** (attempt - 1),
    );
    const wait = (1 - jitter * Math.random()) * backoff;
    await delay(wait, signal ? { signal } : {});
  }
}

function refuse(rule: string, value: number): never {
  throw new RangeError(`Cannot retry as ${rule}: current value is ${value}`);
}
