/**
 * What the client has to do on every runtime. It is bundled and run there:
 * besides the client it uses only what all of them have.
 *
 * @module
 */

import { calls, MORE_CALLS } from "./_calls.ts";
import { losses, MORE_LOSSES } from "./_losses.ts";
import { REFUSALS } from "./_refusals.ts";
import { SESSIONS } from "./_sessions.ts";
import type { Places, Step, Steps } from "./_world.ts";

export type { Places } from "./_world.ts";

/** What was seen. */
export interface Report {
  /** What the runtime calls itself. */
  readonly agent: string;
  /** What was seen, by step. */
  readonly steps: Readonly<Record<string, unknown>>;
}

/** Time that a step may take, in milliseconds. */
const STEP_TIMEOUT = 10_000;
/** What is seen of a step that takes longer. */
const HANGS = "It hangs";

const STEPS: Steps = {
  ...calls("legacy"),
  ...calls("modern"),
  ...MORE_CALLS,
  ...REFUSALS,
  ...losses("legacy", "mcp"),
  ...losses("modern", "mcp"),
  ...losses("legacy", "bowline.v1"),
  ...losses("modern", "bowline.v1"),
  ...SESSIONS,
  ...MORE_LOSSES,
};

/** Tries everything, one after the other, until something hangs. Never rejects. */
export async function runScenario(places: Places): Promise<Report> {
  const steps: Record<string, unknown> = {};
  for (const [name, step] of Object.entries(STEPS)) {
    steps[name] = await tryStep(step, places);
    if (steps[name] === HANGS) break;
  }
  return { agent: navigator.userAgent, steps };
}

async function tryStep(step: Step, places: Places): Promise<unknown> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const timeout = new Promise<string>((resolve) => {
    timer = setTimeout(() => resolve(HANGS), STEP_TIMEOUT);
  });
  try {
    return await Promise.race([step(places), timeout]);
  } catch (error) {
    return { failed: error instanceof Error ? `${error.name}: ${error.message}` : String(error) };
  } finally {
    clearTimeout(timer);
  }
}
