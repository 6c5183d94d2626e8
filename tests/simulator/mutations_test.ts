// deno-lint-ignore-file no-console -- how soon a mutation is noticed is part of what this test tells
import { assert } from "@std/assert";
import { type Edit, loadMutant } from "./mutant.ts";
import { MUTATIONS } from "./mutations.ts";
import { Totals } from "./totals.ts";

/** Seeds within which a broken rule has to be noticed. */
const SEEDS = 200;

for (const { name, edits, seeds = SEEDS } of MUTATIONS) {
  Deno.test(`the simulator notices if ${name}`, async () => {
    const found = await findViolation(edits, seeds);
    assert(found !== undefined, `Nothing noticed in ${seeds} seeds`);
    console.log(`seed ${found.seed}: ${found.message.slice(0, 160)}`);
  });
}

/** Runs changed code until it breaks a rule. */
async function findViolation(
  edits: readonly Edit[],
  seeds: number,
): Promise<{ seed: number; message: string } | undefined> {
  const { simulate, release } = await loadMutant(edits);
  try {
    for (let seed = 1; seed <= seeds; seed++) {
      try {
        await simulate(seed, new Totals());
      } catch (thrown) {
        return { seed, message: thrown instanceof Error ? thrown.message : String(thrown) };
      }
    }
    return undefined;
  } finally {
    release();
  }
}
