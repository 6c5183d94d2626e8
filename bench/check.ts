import type { Bound } from "./goals.ts";
import type { Row } from "./ratios.ts";
import type { RatioSummary } from "./statistics.ts";

/**
 * What is behind its goal by more than its noise. The noise of a ratio is how
 * its pairs scatter: a ratio that should be at least 1 is behind if 9 pairs in
 * 10 are below 1, and one that should be at most 1 if 9 in 10 are above.
 *
 * @param rows What was measured.
 * @returns A sentence for each goal that is missed so.
 */
export function findBehind(rows: readonly Row[]): string[] {
  return rows.flatMap(({ name, against, ratio, goals }) =>
    goals.flatMap(({ bound }) => {
      if (bound === undefined || ratio === undefined || !isBehind(ratio, bound)) return [];
      return [`${name}, against ${against}: ${describe(ratio, bound)}`];
    })
  );
}

/** Whether the noise lies on the wrong side of a bound, all of it. */
export function isBehind({ p10, p90 }: RatioSummary, { is, ratio }: Bound): boolean {
  switch (is) {
    case "at least":
      return p90 < ratio;
    case "at most":
      return p10 > ratio;
  }
}

function describe({ median, p10, p90 }: RatioSummary, { is, ratio }: Bound): string {
  const noise = `p10 ${p10.toFixed(2)}, p90 ${p90.toFixed(2)}`;
  return `the ratio must be ${is} ${ratio}: it is ${median.toFixed(2)} (${noise})`;
}
