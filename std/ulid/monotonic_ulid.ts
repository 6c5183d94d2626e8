import { encodeRandom, encodeTime, increment } from "./_base32.ts";

let lastTime = 0;
let lastRandom = "";

/**
 * Creates a ULID that sorts after every one created before, also within one
 * millisecond and when the clock goes back.
 *
 * @param seedTime Time of creation, in milliseconds since the epoch.
 * @throws {RangeError} If the time is no integer of at most 48 bits.
 */
export function monotonicUlid(seedTime: number = Date.now()): string {
  if (seedTime <= lastTime) {
    lastRandom = increment(lastRandom);
  } else {
    lastTime = seedTime;
    lastRandom = encodeRandom();
  }
  return encodeTime(lastTime) + lastRandom;
}
