import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** Memory that is in use, in bytes. */
export interface Memory {
  /** What lives on the heap. */
  readonly heapUsed: number;
  /** What the system says the process has. */
  readonly rss: number;
}

/** Memory in use when all garbage has been collected. */
export async function measureMemory(): Promise<Memory> {
  setFlagsFromString("--expose-gc");
  const collect: () => void = runInNewContext("gc");
  // What a turn still holds on to goes with the next one.
  for (let round = 0; round < 5; round++) {
    collect();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const { heapUsed, rss } = Deno.memoryUsage();
  return { heapUsed, rss };
}
