/** The longest text of a peer that is logged, in UTF-16 units. */
const MAX_QUOTED = 200;

/**
 * What JSON leaves as it is, and a log had better not hold: further control
 * characters, line separators, and what reorders or hides text.
 */
const UNPRINTABLE_REGEXP = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/**
 * Text of unknown origin, fit for one line of a log.
 *
 * @param text Any text.
 * @returns The text as a JSON string, shortened.
 */
export function quote(text: string): string {
  return JSON.stringify(text.slice(0, MAX_QUOTED)).replace(UNPRINTABLE_REGEXP, escape);
}

function escape(character: string): string {
  const hex = character.codePointAt(0)?.toString(16) ?? "";
  return hex.length > 4 ? `\\u{${hex}}` : `\\u${hex.padStart(4, "0")}`;
}
