/** How deep a message may nest, unless somebody says otherwise. */
export const MAX_DEPTH = 64;
/** The deepest that may be allowed: more may exceed the stack of whoever walks through it. */
export const DEEPEST = 1_000;

/**
 * Texts above this are looked at before they are parsed, in UTF-16 units: a
 * parser takes some hundred bytes for each level. Shorter ones are parsed
 * first, as their values are quicker to look at than their characters.
 */
export const SCAN_FROM: number = 16 * 1024;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

/**
 * Whether arrays and objects are nested deeper than allowed in a text of JSON.
 * Of what is no JSON, the part counts that a parser would read.
 *
 * @param text The text; it is not parsed, and read up to the level that is too deep.
 * @param maxDepth The levels allowed.
 */
export function isTextTooDeep(text: string, maxDepth: number): boolean {
  let depth = 0;
  for (let i = 0; i < text.length; i++) {
    switch (text.charCodeAt(i)) {
      case QUOTE:
        i = endOfString(text, i);
        if (i < 0) return false;
        break;
      case OPEN_BRACKET:
      case OPEN_BRACE:
        if (++depth > maxDepth) return true;
        break;
      case CLOSE_BRACKET:
      case CLOSE_BRACE:
        depth--;
        break;
    }
  }
  return false;
}

/** Where the string that starts here ends; -1 if it does not. */
function endOfString(text: string, start: number): number {
  let end = text.indexOf('"', start + 1);
  while (end >= 0 && isEscaped(text, end)) end = text.indexOf('"', end + 1);
  return end;
}

function isEscaped(text: string, index: number): boolean {
  let first = index;
  while (text.charCodeAt(first - 1) === BACKSLASH) first--;
  return (index - first) % 2 === 1;
}

/**
 * Whether arrays and objects are nested deeper than allowed in a value.
 *
 * @param value A value that was parsed.
 * @param maxDepth The levels allowed.
 */
export function isTooDeep(value: unknown, maxDepth: number): boolean {
  return isNested(value) && walk(value, maxDepth);
}

/** Every message is walked through: what has no levels costs no call, and no closure. */
function walk(value: object, maxDepth: number): boolean {
  if (maxDepth === 0) return true;
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) {
      const entry: unknown = value[i];
      if (isNested(entry) && walk(entry, maxDepth - 1)) return true;
    }
    return false;
  }
  const members = value as { readonly [name: string]: unknown };
  for (const name in members) {
    const member = members[name];
    if (isNested(member) && walk(member, maxDepth - 1)) return true;
  }
  return false;
}

function isNested(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

/** What is known of a message that is not parsed. */
export interface Envelope {
  /** Whether it answers a request. */
  readonly isAnswer: boolean;
  /** Its id, as JSON. */
  readonly id: string;
}

const ID = String.raw`(-?\d{1,16}|"[^"\\]{0,128}")`;
/** As most write it, this package too. */
const FIRST_REGEXP = new RegExp(
  String.raw`^\{"jsonrpc":"2\.0","id":${ID},"(method|result|error)":`,
);
/** As the official SDKs write it: `jsonrpc` and `id` come last. */
const KIND_REGEXP = /^\{"(method|result|error)":/;
const LAST_REGEXP = new RegExp(String.raw`,"jsonrpc":"2\.0","id":${ID}\}$`);
/** Room for all that stands around an id. */
const ENVELOPE_UNITS = 256;

/**
 * What the first or the last members of a message say, if they are written as
 * is usual. A quotation mark without a backslash is never inside a string: no
 * content can pass for a member.
 *
 * @param text A message that is too deep to be parsed.
 */
export function readEnvelope(text: string): Envelope | undefined {
  const head = text.slice(0, ENVELOPE_UNITS);
  const [, first, kind] = FIRST_REGEXP.exec(head) ?? [];
  if (first !== undefined) return { id: first, isAnswer: kind !== "method" };
  const [, member] = KIND_REGEXP.exec(head) ?? [];
  const [, last] = LAST_REGEXP.exec(text.slice(-ENVELOPE_UNITS)) ?? [];
  if (member === undefined || last === undefined) return undefined;
  return { id: last, isAnswer: member !== "method" };
}
