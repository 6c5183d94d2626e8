import type { Subprotocol } from "./contenders.ts";
import { median, type Pair, type RatioSummary, summariseRatios } from "./statistics.ts";

/** One thing that is measured for both sides; a block gives one number. */
export interface Figure {
  /** What is measured, in words of the table. */
  readonly name: string;
  /** Of what the numbers are. */
  readonly unit: "ms" | "/s" | "B";
  /** What our side speaks. */
  readonly over: Subprotocol;
  /** What it is held against. */
  readonly against: string;
  /** What is wanted. */
  readonly goals: readonly Goal[];
  /** How many pairs of blocks are run. */
  readonly pairs: number;
  /**
   * How many blocks of each side are run before and thrown away: what is new
   * to V8 is slow, and more code is new for longer.
   */
  readonly warmUps: number;
  /** Why a goal may be missed, where that is known. */
  readonly note?: string | undefined;
  /** Runs one block of ours. */
  readonly ours: () => Promise<number>;
  /** Runs one block of what it is held against. */
  readonly floor: () => Promise<number>;
}

/** What was measured. */
export interface Measured {
  /** The median of our blocks. */
  readonly ours: number;
  /** The median of the other's. */
  readonly floor: number | undefined;
  /** The ratios of the pairs, ours to floor. */
  readonly ratio: RatioSummary | undefined;
}

/** What is wanted of a figure. */
export interface Goal {
  /** As the table prints it. */
  readonly text: string;
  /** Whether it is met. */
  readonly isMet: (measured: Measured) => boolean;
}

/** A figure with what came out. */
export interface Row extends Measured, Pick<Figure, "name" | "unit" | "over" | "against" | "note"> {
  /** What is wanted; empty if the figure only informs. */
  readonly goal: string;
  /** Whether every goal is met; `undefined` if there is none. */
  readonly isMet: boolean | undefined;
}

/**
 * Runs blocks of both sides in turns, the order swapped each time, so that
 * neither always comes first and a slow spell of the machine hits both.
 *
 * @param figure What to measure.
 * @returns What came out.
 * @throws {RangeError} If it asks for no pair.
 */
export async function compare(figure: Figure): Promise<Row> {
  for (let i = 0; i < figure.warmUps; i++) {
    await figure.floor();
    await figure.ours();
  }
  const pairs: Pair[] = [];
  for (let i = 0; i < figure.pairs; i++) {
    if (i % 2 === 0) {
      const floor = await figure.floor();
      pairs.push({ floor, ours: await figure.ours() });
    } else {
      const ours = await figure.ours();
      pairs.push({ ours, floor: await figure.floor() });
    }
  }
  return judge(figure, {
    ours: median(pairs.map(({ ours }) => ours)),
    floor: median(pairs.map(({ floor }) => floor)),
    ratio: summariseRatios(pairs),
  });
}

/**
 * Holds what came out against what is wanted.
 *
 * @param figure What was measured.
 * @param measured What came out.
 * @returns A row of the table.
 */
export function judge(
  { name, unit, over, against, goals, note }: Pick<
    Figure,
    "name" | "unit" | "over" | "against" | "goals" | "note"
  >,
  measured: Measured,
): Row {
  const isMet = goals.every((goal) => goal.isMet(measured));
  return {
    name,
    unit,
    over,
    against,
    ...measured,
    goal: goals.map(({ text }) => text).join(", "),
    isMet: goals.length === 0 ? undefined : isMet,
    note: isMet ? undefined : note,
  };
}

/** The time itself stays below a bound, in milliseconds. */
export function below(bound: number): Goal {
  return { text: `< ${bound} ms`, isMet: ({ ours }) => ours < bound };
}

/** The time above the floor's stays below a bound, in milliseconds. */
export function belowFloorPlus(bound: number): Goal {
  return {
    text: `< + ${bound} ms`,
    isMet: ({ ours, floor = 0 }) => ours - floor < bound,
  };
}

/** The ratio is not above a bound. */
export function atMost(bound: number): Goal {
  return {
    text: `≤ ${bound.toFixed(2)} ×`,
    isMet: ({ ratio }) => ratio !== undefined && ratio.median <= bound,
  };
}

/** The ratio is not below a bound. */
export function atLeast(bound: number): Goal {
  return {
    text: `≥ ${bound.toFixed(2)} ×`,
    isMet: ({ ratio }) => ratio !== undefined && ratio.median >= bound,
  };
}
