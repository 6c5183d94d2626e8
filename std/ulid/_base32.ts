/** Crockford's alphabet: ten digits and 22 letters, without I, L, O and U. */
export const ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/** Latest time that the 48 bits of a ULID can hold. */
export const TIME_MAX: number = 2 ** 48 - 1;
/** Characters that hold the time. */
export const TIME_LENGTH = 10;
/** Characters that hold the randomness. */
export const RANDOM_LENGTH = 16;

/** Writes a time as the first ten characters of a ULID. */
export function encodeTime(timestamp: number): string {
  if (!Number.isInteger(timestamp) || timestamp < 0 || timestamp > TIME_MAX) {
    throw new RangeError(
      `Time must be a positive integer less than ${TIME_MAX}`,
    );
  }
  let text = "";
  for (let rest = timestamp; text.length < TIME_LENGTH;) {
    text = ALPHABET.charAt(rest % ALPHABET.length) + text;
    rest = Math.floor(rest / ALPHABET.length);
  }
  return text;
}

/** Draws the last 16 characters of a ULID. */
export function encodeRandom(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(RANDOM_LENGTH));
  let text = "";
  for (const byte of bytes) text += ALPHABET.charAt(byte % ALPHABET.length);
  return text;
}

/** Adds one to a number written in base 32. */
export function increment(text: string): string {
  const last = ALPHABET.length - 1;
  for (let index = text.length - 1; index >= 0; index--) {
    const digit = ALPHABET.indexOf(text.charAt(index));
    if (digit === last) continue;
    return text.slice(0, index) + ALPHABET.charAt(digit + 1) +
      ALPHABET.charAt(0).repeat(text.length - 1 - index);
  }
  throw new Error("Cannot increment this string");
}
