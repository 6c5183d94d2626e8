/** How much a {@linkcode TokenBucket} lets through. */
export interface TokenBucketOptions {
  /** What is let through in the long run, each second. */
  readonly perSecond: number;
  /**
   * What is let through at once, after a pause; by default as much as in a second.
   */
  readonly burst?: number | undefined;
}

/**
 * Bounds a rate: of upgrades, messages or bytes. It fills at a steady pace and
 * is emptied by what passes; it sets no timer and allocates nothing.
 *
 * An amount larger than the burst passes a full bucket, which then owes the
 * rest: else a single large message would never pass.
 *
 * @example Two at once, then one each second
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const bucket = new TokenBucket({ perSecond: 1, burst: 2 }, 0);
 * const passed = [0, 0, 0, 1_000].map((now) => bucket.take(now));
 * assertEquals(passed, [true, true, false, true]);
 * ```
 */
export class TokenBucket {
  readonly #perMs: number;
  readonly #burst: number;
  #level: number;
  #filledAt: number;

  /**
   * Makes a full bucket.
   *
   * @param options How much it lets through.
   * @param now The current time, in milliseconds.
   * @throws {RangeError} If the rate or the burst is not positive and finite.
   */
  constructor(options: TokenBucketOptions, now: number) {
    const { perSecond, burst = perSecond } = options;
    for (const [name, value] of [["perSecond", perSecond], ["burst", burst]] as const) {
      if (value > 0 && Number.isFinite(value)) continue;
      throw new RangeError(
        `Cannot create bucket as "${name}" must be positive and finite: current value is ${value}`,
      );
    }
    this.#perMs = perSecond / 1_000;
    this.#burst = burst;
    this.#level = burst;
    this.#filledAt = now;
  }

  /**
   * Lets an amount through, or not.
   *
   * @param now The current time, in milliseconds. Time that runs backwards fills nothing.
   * @param amount How much.
   * @default {1} amount
   * @returns Whether it passes; if not, nothing was taken.
   */
  take(now: number, amount = 1): boolean {
    this.#fill(now);
    if (this.#level < Math.min(amount, this.#burst)) return false;
    this.#level -= amount;
    return true;
  }

  /**
   * The time until an amount passes.
   *
   * @param now The current time, in milliseconds.
   * @param amount How much.
   * @default {1} amount
   * @returns Whole milliseconds; 0 if it would pass at once.
   */
  wait(now: number, amount = 1): number {
    this.#fill(now);
    const missing = Math.min(amount, this.#burst) - this.#level;
    return missing <= 0 ? 0 : Math.ceil(missing / this.#perMs);
  }

  /**
   * Whether nothing is remembered of what has passed.
   *
   * @param now The current time, in milliseconds.
   */
  isFull(now: number): boolean {
    this.#fill(now);
    return this.#level === this.#burst;
  }

  #fill(now: number): void {
    const elapsed = now - this.#filledAt;
    this.#filledAt = now;
    if (elapsed > 0) this.#level = Math.min(this.#burst, this.#level + elapsed * this.#perMs);
  }
}
