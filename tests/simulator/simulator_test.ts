// deno-lint-ignore-file no-console -- totals are part of what this test tells
import { assert, assertEquals } from "@std/assert";
import { runSeed } from "./report.ts";
import { simulate } from "./simulate.ts";
import { Totals } from "./totals.ts";

/** One seed to be seen in full, instead of all. */
const SEED = Deno.env.get("BOWLINE_SEED");
/** How many seeds there are. */
const SEEDS = Number(Deno.env.get("BOWLINE_SEEDS") ?? 10_000);
/** Seeds in each test. */
const BATCH = 1_000;

const totals = new Totals();

if (SEED !== undefined) {
  Deno.test(`simulate(${SEED}) keeps the rules`, async () => {
    await simulate(Number(SEED), totals, (line) => console.log(line));
    console.log(`${totals}`);
  });
} else {
  for (let first = 1; first <= SEEDS; first += BATCH) {
    const last = Math.min(first + BATCH - 1, SEEDS);
    Deno.test(`every message of seeds ${first} to ${last} arrives once, in order`, async () => {
      for (let seed = first; seed <= last; seed++) await runSeed(seed, totals);
    });
  }

  Deno.test("the simulation has been through what it is there for", () => {
    console.log(`${totals}`);
    assertEquals(totals.seeds, SEEDS);
    assert(totals.up >= 50 * SEEDS && totals.down >= 50 * SEEDS);
    assert(totals.breaks >= 5 * SEEDS);
    const { resumes, moves, restarts, sessionsLost, pieces, replayed } = totals;
    const { withdrawn, poisoned, staleHellos } = totals;
    const sights = { resumes, moves, restarts, sessionsLost, pieces, replayed };
    for (const [name, count] of Object.entries({ ...sights, withdrawn, poisoned, staleHellos })) {
      assert(count >= SEEDS / 100, `Only ${count} of "${name}"`);
    }
  });
}

Deno.test("simulate() does the same for the same seed", async () => {
  for (const seed of [7, 77, 777]) {
    const runs: string[][] = [[], []];
    for (const lines of runs) {
      await simulate(seed, new Totals(), (line) => lines.push(withoutNames(line)));
    }
    assertEquals(runs[0], runs[1]);
  }
});

/** What a session is called is no part of what happens to it. */
function withoutNames(line: string): string {
  return line
    .replace(/"session":"[^"]*","token":"[^"]*"/, "")
    .replace(/Session [0-9A-Z]{26}/, "");
}
