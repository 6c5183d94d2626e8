/** Characters of one, two, three and four bytes. */
const PATTERN = "plain text, Grüße, 水は低きに流れる, 🪢";

/** The sizes of texts, in UTF-16 units, and how many of a thousand are of that size at most. */
const SIZES: readonly (readonly [share: number, from: number, to: number])[] = [
  [960, 20, 400],
  [993, 1_000, 20_000],
  [1_000, 20_000, 200_000],
];

/**
 * A text that depends on its number alone: mostly short, now and then up to
 * 300 KB, a third of them not only ASCII.
 */
export function payload(n: number): string {
  const mixed = mix(n);
  const place = mixed % 1_000;
  const [, from, to] = SIZES.find(([share]) => place < share) ?? [0, 20, 400];
  const length = from + (mixed >>> 10) % (to - from);
  const unit = n % 3 === 0 ? `${n} ${PATTERN} ` : `${n} plain text that needs no escape `;
  return unit.repeat(Math.ceil(length / unit.length)).slice(0, length - 1).toWellFormed() + "!";
}

/** Scatters neighbours (the finaliser of MurmurHash3). */
function mix(n: number): number {
  let mixed = n + 0x9e3779b9;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}
