import { ALPHABET, RANDOM_LENGTH, TIME_LENGTH, TIME_MAX } from "./_base32.ts";

const ULID_LENGTH = TIME_LENGTH + RANDOM_LENGTH;

/**
 * Reads the time at which a ULID was created, in milliseconds since the epoch.
 *
 * @throws {Error} If the ULID is malformed.
 * @throws {RangeError} If its time takes more than 48 bits.
 */
export function decodeTime(ulid: string): number {
  if (ulid.length !== ULID_LENGTH) {
    throw new Error(`ULID must be exactly ${ULID_LENGTH} characters long`);
  }
  let time = 0;
  // From the right, as the error names the last invalid character.
  for (let index = TIME_LENGTH - 1; index >= 0; index--) {
    const char = ulid.charAt(index);
    const digit = ALPHABET.indexOf(char);
    if (digit === -1) throw new Error(`Invalid ULID character found: ${char}`);
    time += digit * ALPHABET.length ** (TIME_LENGTH - 1 - index);
  }
  if (time > TIME_MAX) {
    throw new RangeError(
      `ULID timestamp component exceeds maximum value of ${TIME_MAX}`,
    );
  }
  return time;
}
