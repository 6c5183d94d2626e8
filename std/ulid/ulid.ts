import { encodeRandom, encodeTime } from "./_base32.ts";

/**
 * Creates a ULID: 26 characters that sort by the time of their creation.
 *
 * @param seedTime Time of creation, in milliseconds since the epoch.
 * @throws {RangeError} If the time is no integer of at most 48 bits.
 */
export function ulid(seedTime: number = Date.now()): string {
  return encodeTime(seedTime) + encodeRandom();
}
