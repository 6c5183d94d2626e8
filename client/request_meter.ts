/** How long requests take, in milliseconds. */
export interface LatencyStats {
  /** Half of them take no longer. */
  readonly p50: number;
  /** Nine of ten take no longer. */
  readonly p90: number;
  /** Ninety-nine of a hundred take no longer. */
  readonly p99: number;
  /** How many of the newest were measured, at most 512. */
  readonly samples: number;
}

/** Numbers about the requests of a transport. */
export interface RequestStats {
  /** Requests that were answered, or lost with their connection. */
  readonly requestsSettled: number;
  /** Those of them that were answered with an error, or lost. */
  readonly requestsFailed: number;
  /** `requestsFailed` as a share of `requestsSettled`, 0 to 1; `undefined` before the first. */
  readonly errorRate: number | undefined;
  /**
   * How long requests take from the socket to their answer, repetitions on new
   * connections included; `undefined` before the first answer. The first 512
   * are measured all, of later ones every eighth.
   */
  readonly requestLatency: LatencyStats | undefined;
}

/** Samples that are kept; a power of two. */
const SAMPLES = 512;
/** When there are many, one of so many requests is measured: it costs a look at the clock. */
const STRIDE = 8;
/** Says that a request is not measured. */
export const UNMEASURED: number = -1;

/**
 * Measures requests. A request costs a count and, if it is measured, two looks
 * at the clock; nothing is allocated.
 */
export class RequestMeter {
  readonly #now: () => number;
  readonly #samples = new Float64Array(SAMPLES);
  #started = 0;
  #measured = 0;
  #settled = 0;
  #failed = 0;

  /** @param now A time in milliseconds, never negative. */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** Numbers about it, as they are now. */
  get stats(): RequestStats {
    const settled = this.#settled;
    return {
      requestsSettled: settled,
      requestsFailed: this.#failed,
      errorRate: settled === 0 ? undefined : this.#failed / settled,
      requestLatency: this.#latency(),
    };
  }

  /** Notes a request. Returns what {@linkcode RequestMeter.answered} is to be given. */
  started(): number {
    const count = this.#started++;
    return count < SAMPLES || count % STRIDE === 0 ? this.#now() : UNMEASURED;
  }

  /**
   * Notes an answer.
   *
   * @param startedAt What {@linkcode RequestMeter.started} gave.
   * @param isError Whether it says that something went wrong.
   */
  answered(startedAt: number, isError: boolean): void {
    this.#settled++;
    if (isError) this.#failed++;
    if (startedAt === UNMEASURED) return;
    this.#samples[this.#measured++ % SAMPLES] = this.#now() - startedAt;
  }

  /** Notes a request that was lost with its connection. */
  lost(): void {
    this.#settled++;
    this.#failed++;
  }

  #latency(): LatencyStats | undefined {
    const count = Math.min(this.#measured, SAMPLES);
    if (count === 0) return undefined;
    const sorted = this.#samples.slice(0, count).sort();
    const percentile = (share: number) => sorted[Math.ceil(share * count) - 1] ?? 0;
    return Object.freeze({
      p50: percentile(0.5),
      p90: percentile(0.9),
      p99: percentile(0.99),
      samples: count,
    });
  }
}
