/** Options for {@linkcode delay}. */
export interface DelayOptions {
  /** Ends the wait early: the promise rejects with the signal's reason. */
  signal?: AbortSignal;
  /**
   * Whether the timer keeps the process alive.
   *
   * @default {true}
   */
  persistent?: boolean;
}

/** Longest time a platform timer can be set to, in milliseconds. */
const MAX_TIMEOUT = 2 ** 31 - 1;

/**
 * Resolves once the given time has passed.
 *
 * @param ms Time to wait, in milliseconds; may exceed what a platform timer
 * holds, and `Infinity` waits for ever.
 */
export function delay(ms: number, options: DelayOptions = {}): Promise<void> {
  const { signal, persistent = true } = options;
  if (signal?.aborted) return Promise.reject(signal.reason);

  return new Promise((resolve, reject) => {
    const timer = new LongTimer(ms, () => {
      signal?.removeEventListener("abort", abort);
      resolve();
    });
    function abort(): void {
      timer.clear();
      reject(signal?.reason);
    }
    signal?.addEventListener("abort", abort, { once: true });
    if (!persistent) timer.unref();
  });
}

/** A timeout of any length, set in parts that the platform can hold. */
class LongTimer {
  #id = 0;
  readonly #end: number;
  readonly #callback: () => void;

  constructor(ms: number, callback: () => void) {
    const duration = Math.trunc(Math.max(ms, 0) || 0);
    this.#callback = callback;
    this.#end = Date.now() + duration;
    this.#set(duration);
  }

  #set(remaining: number): void {
    // `Number()`: a runtime may hand out timer objects instead of ids.
    this.#id = Number(
      remaining > MAX_TIMEOUT
        ? setTimeout(() => this.#set(this.#end - Date.now()), MAX_TIMEOUT)
        : setTimeout(this.#callback, remaining),
    );
  }

  clear(): void {
    clearTimeout(this.#id);
  }

  unref(): void {
    try {
      Deno.unrefTimer(this.#id);
    } catch (error) {
      if (!(error instanceof ReferenceError)) {
        this.clear();
        throw error;
      }
      // deno-lint-ignore no-console -- what the real package does elsewhere
      console.error("`persistent` option is only available in Deno");
    }
  }
}
