import { judge, type Row } from "./ratios.ts";
import { median } from "./statistics.ts";

/**
 * Puts several runs of the same figures together: every number is the median
 * of the runs, and beside it is how far their medians lie apart.
 *
 * @param runs The rows of each run, in the same order.
 * @returns One row for each figure; a single run is given back as it is.
 * @throws {RangeError} If there is no run.
 */
export function mergeRuns(runs: readonly (readonly Row[])[]): Row[] {
  const [first] = runs;
  if (first === undefined) throw new RangeError("Cannot merge runs: there are none");
  return first.map((row, i) => mergeRow(row, runs.flatMap((rows) => rows[i] ?? [])));
}

function mergeRow(row: Row, all: readonly Row[]): Row {
  const ratios = all.flatMap(({ ratio }) => ratio ?? []);
  const floors = all.flatMap(({ floor }) => floor ?? []);
  if (all.length === 1 || ratios.length === 0) return row;
  const ours = all.map(({ ours }) => ours);
  const medians = ratios.map((ratio) => ratio.median);
  const merged = judge(row, {
    ours: median(ours),
    floor: median(floors),
    ratio: {
      median: median(medians),
      p10: median(ratios.map(({ p10 }) => p10)),
      p90: median(ratios.map(({ p90 }) => p90)),
    },
  });
  const spread = { runs: all.length, ours: extremes(ours), ratio: extremes(medians) };
  return { ...merged, spread };
}

function extremes(values: readonly number[]): [least: number, greatest: number] {
  return [Math.min(...values), Math.max(...values)];
}
