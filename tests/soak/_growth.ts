import type { Memory } from "../chaos/support/memory.ts";

/** How much may stay behind of all that passed, in bytes. */
export interface Bounds {
  /** By how much what is used may be more at the end than after the warm-up. */
  readonly rise: number;
  /** By how much it may rise over a whole run, by the line that fits best. */
  readonly drift: number;
  /** By how much the whole process may be larger at the end than after the warm-up. */
  readonly rss: number;
}

/** The last point of the warm-up is the last of the first third. */
const WARM_UP = 1 / 3;

/**
 * Says what grows after the warm-up.
 *
 * @param name Whose memory it is.
 * @param samples All points, at equal distances.
 * @param bounds How much it may.
 * @returns What grows too much; nothing if memory is flat.
 */
export function growthOf(name: string, samples: readonly Memory[], bounds: Bounds): string[] {
  const rest = samples.slice(Math.floor(samples.length * WARM_UP));
  const growths: string[] = [];
  const compare = (what: string, grown: number, bound: number) => {
    if (!(grown <= bound)) growths.push(`${name}: ${what} ${mebi(grown)}, at most ${mebi(bound)}`);
  };
  for (const key of ["heapUsed", "external"] as const) {
    const values = rest.map((sample) => sample[key]);
    compare(`${key} rises by`, rise(values), bounds.rise);
    compare(`${key} drifts by`, slope(values) * samples.length, bounds.drift);
  }
  compare("rss rises by", rise(rest.map(({ rss }) => rss)), bounds.rss);
  return growths;
}

/** Bytes in MiB, for people. */
export function mebi(bytes: number): string {
  return `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
}

/** From the lower of the first two to the lower of the last two: a large message may be in use. */
function rise(values: readonly number[]): number {
  return Math.min(...values.slice(-2)) - Math.min(...values.slice(0, 2));
}

/** The slope of the line that fits best (least squares), for each step. */
function slope(values: readonly number[]): number {
  const middle = (values.length - 1) / 2;
  let [above, below] = [0, 0];
  for (const [index, value] of values.entries()) {
    above += (index - middle) * value;
    below += (index - middle) ** 2;
  }
  return above / below;
}
