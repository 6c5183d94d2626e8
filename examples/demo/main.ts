/**
 * The same calls over the same bad link, in sessions and in plain MCP, side by
 * side: two servers, two clients, and a link between them that keeps breaking.
 *
 * Run: deno task demo, or: deno run --allow-net=127.0.0.1 examples/demo/main.ts --seconds 10
 *
 * It ends after `--seconds`, or when it is interrupted, and exits with 1 if the
 * sessions have lost anything.
 *
 * @module
 */

import { parseArgs } from "node:util";
import { delay } from "@std/async/delay";
import { openScreen, type Screen } from "./screen.ts";
import { Side } from "./side.ts";
import { isWhole } from "./tally.ts";
import { type Scene, seconds, summarise } from "./view.ts";

/** How long the link holds and how long it is down, at least and at most, in milliseconds. */
const HOLDS = [500, 1_500] as const;
const IS_DOWN = [20, 400] as const;
/** How many lines about what happened are kept. */
const JOURNAL_SIZE = 10;

const startedAt = performance.now();
const journal: string[] = [];
const ending = new AbortController();

/** Returns whether to go on. */
function sleep(ms: number): Promise<boolean> {
  return delay(ms, { signal: ending.signal }).then(() => true, () => false);
}

function between([min, max]: readonly [number, number]): number {
  return min + Math.random() * (max - min);
}

function elapsed(): number {
  return performance.now() - startedAt;
}

/** Breaks both links at the same moments. */
async function breakLinks(sides: readonly Side[], tell: (text: string) => void): Promise<void> {
  while (await sleep(between(HOLDS))) {
    tell("the link breaks");
    for (const side of sides) side.break();
    isUp = false;
    await sleep(between(IS_DOWN));
    for (const side of sides) side.mend();
    isUp = true;
  }
}

async function showOn(screen: Screen, scene: () => Scene): Promise<void> {
  do screen.show(scene()); while (await sleep(screen.interval));
}

const { values } = parseArgs({ options: { seconds: { type: "string" } } });
const duration = Number(values.seconds ?? Infinity);
if (!(duration > 0)) {
  throw new RangeError(`"--seconds" must be a positive number: it is "${values.seconds}"`);
}
let isUp = true;
const interrupt = () => ending.abort();
Deno.addSignalListener("SIGINT", interrupt);
let screen: Screen | undefined = undefined;
const tell = (text: string) => {
  const line = `${seconds(elapsed())}  ${text}`;
  journal.push(line);
  if (journal.length > JOURNAL_SIZE) journal.shift();
  screen?.tell(line);
};
const sides = [await Side.open("bowline.v1", tell), await Side.open("mcp", tell)];
const tallies = () => sides.map((side) => side.tally);
const scene = () => ({ elapsed: elapsed(), isUp, sides: tallies(), journal });
screen = openScreen();
const running = [breakLinks(sides, tell), showOn(screen, scene)];
if (Number.isFinite(duration)) running.push(sleep(duration * 1_000).then(interrupt));

await Promise.all(running);
await Promise.all(sides.map((side) => side.finish()));
screen.close(summarise(tallies(), elapsed()));
const isLossless = sides[0] !== undefined && isWhole(sides[0].tally);
for (const side of sides) await side[Symbol.asyncDispose]();
// Deno keeps the timer of a WebSocket that was cut, and the process with it, for 15 s.
Deno.exit(isLossless ? 0 : 1);
