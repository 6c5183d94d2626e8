import { type MetricFamily, numberText, type Sample } from "./exposition.ts";

/** How a {@linkcode Histogram} is told. */
export interface HistogramOptions {
  /** Its name; it ends in the unit. */
  readonly name: string;
  /** What it says, in one sentence. */
  readonly help: string;
  /** The largest value of each bucket but the last, in rising order, in the unit of what is recorded. */
  readonly bounds: readonly number[];
  /** How much of the unit that is recorded makes one of the unit that is told. */
  readonly scale: number;
}

/** A distribution of values in fixed buckets; recording allocates nothing. */
export class Histogram {
  readonly #options: HistogramOptions;
  readonly #bounds: readonly number[];
  /** Values of each bucket alone; the last one has no bound. */
  readonly #counts: Float64Array;
  #sum = 0;

  /** @param options Its buckets, and how it is told. */
  constructor(options: HistogramOptions) {
    this.#options = options;
    this.#bounds = options.bounds;
    this.#counts = new Float64Array(options.bounds.length + 1);
  }

  /** Notes a value. */
  record(value: number): void {
    const bounds = this.#bounds;
    let index = 0;
    // Nearly all are small: searching from below is faster than halving.
    while (index < bounds.length && value > (bounds[index] ?? 0)) index++;
    this.#counts[index] = (this.#counts[index] ?? 0) + 1;
    this.#sum += value;
  }

  /** What was recorded so far; each bucket counts those below it, too. */
  family(): MetricFamily {
    const { name, help, bounds, scale } = this.#options;
    const samples: Sample[] = [];
    let count = 0;
    for (const [index, own] of this.#counts.entries()) {
      count += own;
      const bound = bounds[index];
      const le = numberText(bound === undefined ? Infinity : bound / scale);
      samples.push({ suffix: "_bucket", labels: { le }, value: count });
    }
    samples.push({ suffix: "_sum", value: this.#sum / scale }, { suffix: "_count", value: count });
    return { name, type: "histogram", help, samples };
  }
}
