/** Options for {@linkcode deadline}. */
export interface DeadlineOptions {
  /** Ends the wait early: the promise rejects with the signal's reason. */
  signal?: AbortSignal;
}

/**
 * Follows the given promise, but rejects with a `TimeoutError` DOMException
 * once the given time has passed.
 *
 * @param ms Longest time to wait, in milliseconds; from
 * `Number.MAX_SAFE_INTEGER` on there is no deadline.
 * @throws {TypeError} If `ms` is `NaN`, synchronously.
 */
export function deadline<T>(
  p: Promise<T>,
  ms: number,
  options: DeadlineOptions = {},
): Promise<T> {
  if (Number.isNaN(ms)) {
    throw new TypeError("Ms must be a number, received NaN");
  }

  const signals: AbortSignal[] = [];
  if (ms < Number.MAX_SAFE_INTEGER) signals.push(AbortSignal.timeout(ms));
  if (options.signal) signals.push(options.signal);

  const [signal] = signals;
  if (signal === undefined) return p;
  return abortable(p, signals.length > 1 ? AbortSignal.any(signals) : signal);
}

async function abortable<T>(p: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  const { promise, reject } = Promise.withResolvers<never>();
  const abort = () => reject(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  try {
    return await Promise.race([promise, p]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
