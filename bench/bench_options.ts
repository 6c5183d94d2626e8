import { parseArgs } from "node:util";

/** What `deno task bench` was told. */
export interface BenchOptions {
  /** Pairs of blocks for each figure; some take a share of them. */
  readonly pairs: number | undefined;
  /** Only figures with one of these in their names. */
  readonly only: readonly string[];
  /** How often the ratios are taken. */
  readonly runs: number;
  /** Where the results are written. */
  readonly out: string | undefined;
  /** Whether to measure the ratios that have a goal, and fail if one is behind it. */
  readonly isCheck: boolean;
}

/**
 * Reads the command line.
 *
 * @param args What follows the name of the script.
 * @returns The options.
 * @throws {TypeError} If an option is unknown.
 * @throws {RangeError} If a number is out of range.
 */
export function parseBenchOptions(args: readonly string[]): BenchOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      pairs: { type: "string" },
      only: { type: "string", multiple: true, default: [] },
      runs: { type: "string" },
      out: { type: "string" },
      check: { type: "boolean", default: false },
    },
  });
  return {
    pairs: readCount("pairs", values.pairs),
    only: values.only,
    runs: readCount("runs", values.runs) ?? 1,
    out: values.out,
    isCheck: values.check,
  };
}

function readCount(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const count = Number(text);
  if (Number.isSafeInteger(count) && count >= 1) return count;
  throw new RangeError(
    `Cannot run bench as --${name} must be a whole number from 1: it is ${text}`,
  );
}
