/** What may not stand in a line of a report: it could paint over the rest of it. */
const UNPRINTABLE_REGEXP = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu;
/** The longest line, in UTF-16 units: peers may be talkative. */
const MAX_UNITS = 400;
/** What is shorter occurs by chance. */
const MIN_SECRET = 4;

/** A URL without credentials, query and fragment. */
export function endpointName({ protocol, host, pathname }: URL): string {
  return `${protocol}//${host}${pathname}`;
}

/** A peer's words, made fit for a line. */
export function quote(text: string): string {
  return JSON.stringify(text);
}

/** A text that paints over nothing, wherever it is shown. */
export function oneLine(text: string): string {
  return text.replaceAll(UNPRINTABLE_REGEXP, " ");
}

/**
 * A text of one line without secrets, whoever has put them there.
 *
 * @param text Any text.
 * @param secrets What must not be seen.
 */
export function clean(text: string, secrets: Iterable<string>): string {
  let cleaned = oneLine(text);
  for (const secret of secrets) {
    if (secret.length >= MIN_SECRET) cleaned = cleaned.replaceAll(secret, "***");
  }
  // Not before: half a secret would not be found.
  return cleaned.length > MAX_UNITS ? `${cleaned.slice(0, MAX_UNITS)}…` : cleaned;
}
