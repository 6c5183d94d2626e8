import fc from "fast-check";

/** Multiplies the cases of each property; set for longer runs. */
const TIMES = Number(Deno.env.get("BOWLINE_FUZZ_RUNS") ?? 1);
/** What ordinary runs start with, so that they are all the same. */
const ORDINARY_SEED = 20_260_728;

/** What decides about the cases; a longer run tries others each time, unless one is given. */
export const SEED: number = readSeed();

/**
 * Checks a property with many cases. A failure tells the smallest case that
 * was found, its seed and its path; `BOWLINE_SEED` tries the same cases again.
 *
 * @param name What holds.
 * @param cases How many are tried in an ordinary run.
 * @param property The property.
 */
export function fuzz<T>(name: string, cases: number, property: fc.IRawProperty<T>): void {
  const numRuns = cases * TIMES;
  Deno.test(`${name} (${numRuns} cases)`, async () => {
    await fc.assert(property, { numRuns, seed: SEED });
  });
}

function readSeed(): number {
  const given = Deno.env.get("BOWLINE_SEED");
  if (given !== undefined) return Number(given);
  return TIMES === 1 ? ORDINARY_SEED : crypto.getRandomValues(new Int32Array(1))[0] ?? 0;
}
