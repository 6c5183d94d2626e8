import { OPEN_SIZES } from "../../protocol/session/frames.ts";
import { type Conditions, drawConditions } from "./conditions.ts";
import { Dice } from "./dice.ts";
import type { Totals } from "./totals.ts";
import { Violation } from "./violation.ts";
import { World } from "./world.ts";

/** How a run ends, once all is settled. */
type Ending = "bye" | "dismissal" | "silence";

/** How long everything may take after the last break, in milliseconds. */
const PATIENCE = 300_000;
/** How long the ends may take to forget each other, in milliseconds. */
const FAREWELL = 15_000;
/** How long an end may take to notice that nobody is there, besides the session's window. */
const NOTICE = 45_000;
/** Events in a run; where time stands still, there would be no end of them. */
const MAX_STEPS = 200_000;
/** Promises that follow from one event settle within so many turns. */
const TURNS = 6;
/** As many more, as long as messages are still handed over. */
const MAX_TURNS = 300;

/**
 * Runs one seed to its end.
 *
 * @param seed All that the run depends on.
 * @param totals Where is counted what happens.
 * @param trace Told everything.
 * @throws {Violation} If a rule was broken.
 */
export async function simulate(
  seed: number,
  totals: Totals,
  trace?: (text: string) => void,
): Promise<void> {
  const dice = new Dice(seed);
  const conditions = drawConditions(dice);
  trace?.(JSON.stringify(conditions));
  Violation.first = undefined;
  const world = new World(dice, conditions, totals, trace);
  const restore = patch(world, conditions);
  const start = world.clock.now();
  try {
    world.start();
    const isLate = dice.happens(0.3);
    await settle(world, isLate ? NOTICE : 0);
    await finish(world, conditions, dice.pick(["bye", "dismissal", "silence"]), isLate);
    totals.seeds++;
    totals.hours += (world.clock.now() - start) / 3_600_000;
  } finally {
    restore();
  }
}

/** What the code takes from its surroundings, given by the world for as long as a run takes. */
function patch(world: World, { serverSizes }: Conditions): () => void {
  const surroundings = globalThis as { setImmediate: unknown };
  const { setImmediate } = surroundings;
  surroundings.setImmediate = (task: () => void) => world.clock.after(0, task);
  // The server has no option for it: small frames make pieces cheap.
  const sizes = OPEN_SIZES as { max: number };
  const { max } = sizes;
  sizes.max = serverSizes.max;
  return () => {
    surroundings.setImmediate = setImmediate;
    sizes.max = max;
  };
}

/** Runs until all is said, and has arrived, and for a while at least. */
async function settle(world: World, rest: number): Promise<void> {
  const { clock } = world;
  let calmSince = Infinity;
  for (let steps = 0; steps < MAX_STEPS; steps++) {
    await step(world);
    if (!world.isCalm) continue;
    calmSince = Math.min(calmSince, clock.now());
    if (world.isSettled && clock.now() >= calmSince + rest) return;
    if (clock.now() > calmSince + PATIENCE) break;
  }
  throw new Violation(`Stuck: ${world.rest}`);
}

/** Ends the session, and runs until nothing is left of it. */
async function finish(
  world: World,
  { settings }: Conditions,
  ending: Ending,
  isLate: boolean,
): Promise<void> {
  const { client, clock, present } = world;
  // Somebody may still wait for a client that has gone long ago.
  const waits = !isLate || ending === "silence" || !world.isAlone;
  const deadline = clock.now() + FAREWELL + (waits ? settings.windowMs + NOTICE : 0);
  switch (ending) {
    case "bye":
      client.close();
      break;
    case "dismissal":
      client.expectEnd();
      present?.channel?.close(1000, "The server has had enough");
      break;
    case "silence":
      client.vanish();
  }
  for (let steps = 0; steps < MAX_STEPS && clock.now() < deadline; steps++) {
    if (!(await step(world))) break;
  }
  client.forget();
  await turn();
  check(world);
}

function check({ clientClock, servers, truth, openSockets }: World): void {
  const faults: string[] = [];
  if (clientClock.timers > 0) faults.push(`timers of the client: ${clientClock}`);
  for (const { clock, host } of servers) {
    if (clock.timers > 0) faults.push(`timers of the server: ${clock}`);
    const { size, detached, bufferedBytes } = host;
    if (size + detached + bufferedBytes > 0) {
      faults.push(`sessions of the server: ${size}, ${detached} detached, ${bufferedBytes} bytes`);
    }
  }
  if (truth.open > 0) faults.push(`${truth.open} trackers`);
  if (openSockets.length > 0) faults.push(`open sockets: ${openSockets}`);
  if (faults.length > 0) throw new Violation(`Left over: ${faults.join("; ")}`);
}

/** Runs one event, and all that follows from it at once. Returns whether there was one. */
async function step(world: World): Promise<boolean> {
  const wasOne = world.clock.step();
  await turn();
  for (let i = 0; i < MAX_TURNS && !world.watch.isTrue; i++) await null;
  if (Violation.first !== undefined) throw Violation.first;
  if (world.failure !== undefined) throw world.failure;
  if (!world.watch.isTrue) throw new Violation(world.watch.lie);
  return wasOne;
}

async function turn(): Promise<void> {
  for (let i = 0; i < TURNS; i++) await null;
}
