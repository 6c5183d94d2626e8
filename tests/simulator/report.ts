import { simulate } from "./simulate.ts";
import { Totals } from "./totals.ts";

/** What is shown of a run that has failed, in lines. */
const SHOWN = 60;

/**
 * Runs a seed, and tells what led to a failure.
 *
 * @param seed The seed.
 * @param totals Where is counted what happens.
 * @throws {Error} If a rule was broken; its text says how to see it again.
 */
export async function runSeed(seed: number, totals: Totals): Promise<void> {
  try {
    await simulate(seed, totals);
  } catch (cause) {
    const lines: string[] = [];
    // It happens again just so.
    await simulate(seed, new Totals(), (line) => lines.push(line)).catch(() => {});
    const text = `Seed ${seed} broke a rule: ${(cause as Error).message}\n` +
      `${lines.slice(-SHOWN).join("\n")}\n` +
      `All of it: BOWLINE_SEED=${seed} deno test -A tests/simulator/simulator_test.ts`;
    throw new Error(text, { cause });
  }
}
