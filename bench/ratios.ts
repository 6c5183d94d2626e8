import type { Subprotocol } from "./contenders.ts";
import type { Goal, Measured, Unit } from "./goals.ts";
import { median, type Pair, summariseRatios } from "./statistics.ts";

/** What one number of a block is. */
export interface Label {
  /** What is measured, in words of the table. */
  readonly name: string;
  /** Of what the numbers are. */
  readonly unit: Unit;
  /** What our side speaks. */
  readonly over: Subprotocol;
  /** What it is held against. */
  readonly against: string;
  /** What is wanted. */
  readonly goals: readonly Goal[];
  /** Why a goal may be missed, where that is known. */
  readonly note?: string | undefined;
}

/** How often blocks are run. */
interface Repeats {
  /** How many pairs of blocks are run. */
  readonly pairs: number;
  /**
   * How many blocks of each side are run before and thrown away: what is new
   * to V8 is slow, and more code is new for longer.
   */
  readonly warmUps: number;
}

/** One thing that is measured for both sides; a block gives one number. */
export interface Figure extends Label, Repeats {
  /** Runs one block of ours. */
  readonly ours: () => Promise<number>;
  /** Runs one block of what it is held against. */
  readonly floor: () => Promise<number>;
}

/** Several things that are measured in the same blocks. */
export interface Survey extends Repeats {
  /** What the numbers are, in the order in which a block gives them. */
  readonly labels: readonly Label[];
  /** Runs one block of ours. */
  readonly ours: () => Promise<readonly number[]>;
  /** Runs one block of what it is held against. */
  readonly floor: () => Promise<readonly number[]>;
}

/** A figure with what came out. */
export interface Row extends Measured, Label {
  /** Whether every goal is met; `undefined` if there is none. */
  readonly isMet: boolean | undefined;
  /** How far the medians of several runs lie apart; absent after one run. */
  readonly spread?: Spread;
}

/** The least and the greatest median of several runs. */
export interface Spread {
  /** How many runs. */
  readonly runs: number;
  /** Of ours. */
  readonly ours: readonly [least: number, greatest: number];
  /** Of the ratios. */
  readonly ratio: readonly [least: number, greatest: number];
}

/**
 * Measures a figure as {@linkcode survey} does.
 *
 * @param figure What to measure.
 * @returns What came out.
 * @throws {RangeError} If it asks for no pair.
 */
export async function compare(figure: Figure): Promise<Row[]> {
  return await survey({
    ...figure,
    labels: [figure],
    ours: async () => [await figure.ours()],
    floor: async () => [await figure.floor()],
  });
}

/**
 * Runs blocks of both sides in turns, the order swapped each time, so that
 * neither always comes first and a slow spell of the machine hits both.
 *
 * @param survey What to measure.
 * @returns What came out, a row for each label.
 * @throws {RangeError} If it asks for no pair, or a block gives too few numbers.
 */
export async function survey({ labels, pairs, warmUps, ours, floor }: Survey): Promise<Row[]> {
  for (let i = 0; i < warmUps; i++) {
    await floor();
    await ours();
  }
  const blocks: (readonly [ours: readonly number[], floor: readonly number[]])[] = [];
  for (let i = 0; i < pairs; i++) {
    if (i % 2 === 0) {
      const first = await floor();
      blocks.push([await ours(), first]);
    } else blocks.push([await ours(), await floor()]);
  }
  return labels.map((label, i) =>
    summarise(label, blocks.map(([ours, floor]) => ({ ours: at(ours, i), floor: at(floor, i) })))
  );
}

/**
 * Holds what came out against what is wanted.
 *
 * @param label What was measured.
 * @param measured What came out.
 * @returns A row of the table.
 */
export function judge(
  { name, unit, over, against, goals, note }: Label,
  { ours, floor, ratio }: Measured,
): Row {
  const isMet = goals.every((goal) => goal.isMet({ ours, floor, ratio }));
  return {
    name,
    unit,
    over,
    against,
    ours,
    floor,
    ratio,
    goals,
    isMet: goals.length === 0 ? undefined : isMet,
    note: isMet ? undefined : note,
  };
}

function summarise(label: Label, pairs: readonly Pair[]): Row {
  return judge(label, {
    ours: median(pairs.map(({ ours }) => ours)),
    floor: median(pairs.map(({ floor }) => floor)),
    ratio: summariseRatios(pairs),
  });
}

function at(numbers: readonly number[], index: number): number {
  const number = numbers[index];
  if (number === undefined) {
    throw new RangeError(`Cannot read block as it must give more numbers: it gave ${index}`);
  }
  return number;
}
