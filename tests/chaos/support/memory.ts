import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** Memory that is in use, in bytes. */
export interface Memory {
  /** What lives on the heap. */
  readonly heapUsed: number;
  /** What the system says the process has. */
  readonly rss: number;
  /** What buffers hold outside the heap. */
  readonly external: number;
}

let collect: (() => void) | undefined;

/** Memory in use when all garbage has been collected. */
export async function measureMemory(): Promise<Memory> {
  const collectAll = collector();
  // What a turn still holds on to goes with the next one.
  for (let round = 0; round < 5; round++) {
    collectAll();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const { heapUsed, rss, external } = Deno.memoryUsage();
  return { heapUsed, rss, external };
}

/** Made once: each context takes memory of its own. */
function collector(): () => void {
  if (collect !== undefined) return collect;
  setFlagsFromString("--expose-gc");
  return collect = runInNewContext("gc") as () => void;
}
