/** What follows the assertion's own words: the caller's, or a full stop. */
export function suffix(msg: string | undefined): string {
  return msg ? `: ${msg}` : ".";
}

/** Writes a value out in full, one entry per line. */
export function format(value: unknown): string {
  return Deno.inspect(value, {
    compact: false,
    depth: Infinity,
    getters: true,
    iterableLimit: Infinity,
    sorted: true,
    strAbbreviateSize: Infinity,
    trailingComma: true,
  });
}

/** Shows where two texts differ: the lines between their common ends. */
export function diff(actual: string, expected: string): string {
  const before = actual.split("\n");
  const after = expected.split("\n");
  const shorter = Math.min(before.length, after.length);
  let head = 0;
  while (head < shorter && before[head] === after[head]) head++;
  let tail = 0;
  while (
    tail < shorter - head && before.at(-1 - tail) === after.at(-1 - tail)
  ) tail++;

  return [
    "",
    "",
    "",
    "    [Diff] Actual / Expected",
    "",
    "",
    ...before.slice(0, head).map((line) => `    ${line}`),
    ...before.slice(head, before.length - tail).map((line) => `-   ${line}`),
    ...after.slice(head, after.length - tail).map((line) => `+   ${line}`),
    ...before.slice(before.length - tail).map((line) => `    ${line}`),
    "",
  ].join("\n");
}
