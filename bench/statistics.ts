/** What one pair of neighbouring blocks gave. */
export interface Pair {
  /** Ours. */
  readonly ours: number;
  /** What it is held against. */
  readonly floor: number;
}

/** The ratios of many pairs, ours to floor. */
export interface RatioSummary {
  /** The median of the pair ratios. */
  readonly median: number;
  /** A tenth of the pairs lies below. */
  readonly p10: number;
  /** A tenth of the pairs lies above. */
  readonly p90: number;
}

/**
 * The value below which a share of the values lies, between neighbours by proportion.
 *
 * @param values In any order; they are left as they are.
 * @param share From 0 to 1.
 * @returns The percentile.
 * @throws {RangeError} If there is no value, or the share is outside its range.
 */
export function percentile(values: readonly number[], share: number): number {
  if (!(share >= 0 && share <= 1)) {
    throw new RangeError(`Cannot take percentile as share must be from 0 to 1: it is ${share}`);
  }
  const sorted = Float64Array.from(values).sort();
  const position = (sorted.length - 1) * share;
  const below = sorted[Math.floor(position)];
  const above = sorted[Math.ceil(position)];
  if (below === undefined || above === undefined) {
    throw new RangeError("Cannot take percentile: there are no values");
  }
  return below + (above - below) * (position - Math.floor(position));
}

/**
 * The value in the middle.
 *
 * @param values In any order; they are left as they are.
 * @returns The median.
 * @throws {RangeError} If there is no value.
 */
export function median(values: readonly number[]): number {
  return percentile(values, 0.5);
}

/**
 * How ours compares to the floor. Only neighbours are divided by each other,
 * so that what slows the whole machine for a while leaves the ratio alone.
 *
 * @param pairs Blocks that ran next to each other.
 * @returns The median of the ratios, and how they scatter.
 * @throws {RangeError} If there is no pair.
 */
export function summariseRatios(pairs: readonly Pair[]): RatioSummary {
  const ratios = pairs.map(({ ours, floor }) => ours / floor);
  return {
    median: median(ratios),
    p10: percentile(ratios, 0.1),
    p90: percentile(ratios, 0.9),
  };
}
