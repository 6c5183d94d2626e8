import type { Arena } from "./arena.ts";
import type { Intruder } from "./intruder.ts";

/** How many connect at the same time. */
const AT_ONCE = 64;

/** Connects many intruders, and has each do something. */
export async function connectMany(
  arena: Arena,
  number: number,
  prepare: (intruder: Intruder, i: number) => Promise<unknown> = () => Promise.resolve(),
): Promise<Intruder[]> {
  const crowd: Intruder[] = [];
  let next = 0;
  const work = async () => {
    while (next < number) {
      const i = next++;
      const intruder = await arena.connectRaw();
      await prepare(intruder, i);
      crowd.push(intruder);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return crowd;
}
