/** A blank, a quoted part, an escaped character, or a plain run of characters. */
const PART_REGEXP = /(\s+)|"((?:[^"\\]|\\[^])*)"|'([^']*)'|\\([^])|([^\s"'\\]+)/y;
/** What a backslash escapes between double quotes; before anything else it stays. */
const ESCAPE_REGEXP = /\\(["\\])/g;

/**
 * Splits a command into its words, as a shell does with simple quotes: blanks
 * separate, `'…'` keeps everything, `"…"` everything but `\"` and `\\`, a
 * backslash outside quotes keeps the next character. Nothing is expanded, and
 * no shell is run.
 *
 * @param command The command, in one string.
 * @returns The program and its arguments.
 * @throws {SyntaxError} If a quote is not closed, or there is no program.
 */
export function splitCommand(command: string): string[] {
  const words: string[] = [];
  let word: string | undefined;
  PART_REGEXP.lastIndex = 0;
  while (PART_REGEXP.lastIndex < command.length) {
    const match = PART_REGEXP.exec(command);
    if (match === null) throw new SyntaxError("Cannot split command: a quote is not closed");
    const [, blank, double, single, escaped, plain] = match;
    if (blank === undefined) {
      word = (word ?? "") +
        (double?.replace(ESCAPE_REGEXP, "$1") ?? single ?? escaped ?? plain ?? "");
    } else if (word !== undefined) {
      words.push(word);
      word = undefined;
    }
  }
  if (word !== undefined) words.push(word);
  if (words[0]) return words;
  throw new SyntaxError("Cannot split command: it names no program");
}
