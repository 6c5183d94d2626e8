/**
 * Whether the JSON text of a value is longer than a limit. Counted roughly: the
 * lengths of strings and names, and a few units for everything else. It stops
 * as soon as it is sure, so that neither size nor cycles matter.
 *
 * @param value Any value.
 * @param limit A length, in UTF-16 units.
 */
export function isLongerThan(value: unknown, limit: number): boolean {
  if (limit === Infinity) return false;
  const rest: unknown[] = [value];
  let length = 0;
  while (rest.length > 0 && length <= limit) {
    length += take(rest.pop(), rest, limit - length);
  }
  return length > limit;
}

/** The length of a value without what it holds, which is put aside as far as it matters. */
function take(value: unknown, rest: unknown[], limit: number): number {
  if (typeof value === "string") return value.length + 3;
  if (typeof value !== "object" || value === null) return 2;
  if (Array.isArray(value)) {
    if (value.length <= limit) { for (const item of value) rest.push(item); }
    return value.length + 2;
  }
  let length = 2;
  for (const name in value) {
    length += name.length + 3;
    if (length > limit) return length;
    rest.push(value[name as keyof typeof value]);
  }
  return length;
}
