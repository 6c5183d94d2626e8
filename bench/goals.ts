import type { RatioSummary } from "./statistics.ts";

/** Of what the numbers of a figure are. */
export type Unit = "ms" | "µs" | "/s" | "B" | "KiB";

/** What was measured. */
export interface Measured {
  /** The median of our blocks. */
  readonly ours: number;
  /** The median of the other's. */
  readonly floor: number | undefined;
  /** The ratios of the pairs, ours to floor. */
  readonly ratio: RatioSummary | undefined;
}

/** What a ratio has to be. */
export interface Bound {
  /** On which side of it the ratio has to lie. */
  readonly is: "at least" | "at most";
  /** The ratio itself, ours to floor. */
  readonly ratio: number;
}

/** What is wanted of a figure. */
export interface Goal {
  /** As the table prints it. */
  readonly text: string;
  /** The same for a machine, if it is about the ratio. */
  readonly bound?: Bound;
  /** Whether it is met. */
  readonly isMet: (measured: Measured) => boolean;
}

/** The figure itself stays below a bound, in its unit. */
export function below(bound: number, unit: Unit = "ms"): Goal {
  return { text: `< ${bound} ${unit}`, isMet: ({ ours }) => ours < bound };
}

/** What is above the floor's stays below a bound, in the figure's unit. */
export function belowFloorPlus(bound: number, unit: Unit = "ms"): Goal {
  return {
    text: `< + ${bound} ${unit}`,
    isMet: ({ ours, floor = 0 }) => ours - floor < bound,
  };
}

/** The ratio is not above a bound. */
export function atMost(ratio: number): Goal {
  return {
    text: `≤ ${ratio.toFixed(2)} ×`,
    bound: { is: "at most", ratio },
    isMet: ({ ratio: measured }) => measured !== undefined && measured.median <= ratio,
  };
}

/** The ratio is not below a bound. */
export function atLeast(ratio: number): Goal {
  return {
    text: `≥ ${ratio.toFixed(2)} ×`,
    bound: { is: "at least", ratio },
    isMet: ({ ratio: measured }) => measured !== undefined && measured.median >= ratio,
  };
}
