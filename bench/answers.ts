/**
 * What a process of the bench that was started as a `Child` does: it
 * says hello, answers questions, and ends with its input.
 *
 * @module
 */

import process from "node:process";
import { LineSplitter, readLines } from "../protocol/line_splitter.ts";

/** The longest line that is taken, in bytes. */
const MAX_LINE = 1024 * 1024;

/**
 * Answers until there is nobody to ask, then ends the process.
 *
 * @typeParam Question What it may be asked.
 * @param hello Said first.
 * @param answer Answers a question with anything that is JSON.
 */
export async function answerQuestions<Question>(
  hello: unknown,
  answer: (question: Question) => unknown,
): Promise<never> {
  say(hello);
  const lines = readLines(Deno.stdin.readable.getReader(), new LineSplitter(MAX_LINE, () => {}));
  for await (const line of lines) say(await answer(JSON.parse(line)));
  Deno.exit();
}

/** The processor time that this process has used, in microseconds. */
export function cpuTime(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

function say(value: unknown): void {
  // deno-lint-ignore no-console
  console.log(JSON.stringify(value ?? null));
}
