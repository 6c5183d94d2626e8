import { LineSplitter, readLines } from "../protocol/line_splitter.ts";

/** The longest line that is taken, in bytes. */
const MAX_LINE = 1024 * 1024;

/**
 * A process of the bench: it says one line of JSON when it is ready, then
 * answers questions, a line each, and ends with its input, so that it never
 * outlives whoever started it.
 *
 * @typeParam Hello What it says when it is ready.
 */
export class Child<Hello> implements AsyncDisposable {
  /** What it said first. */
  readonly hello: Hello;
  readonly #process: Deno.ChildProcess;
  readonly #lines: AsyncGenerator<string>;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;

  private constructor(process: Deno.ChildProcess, lines: AsyncGenerator<string>, hello: Hello) {
    this.hello = hello;
    this.#process = process;
    this.#lines = lines;
    this.#writer = process.stdin.getWriter();
  }

  /**
   * Starts one.
   *
   * @typeParam Hello What it says when it is ready.
   * @param command The program.
   * @param args Its arguments.
   * @returns The process, as soon as it is ready.
   * @throws {Error} If it ends without a word.
   */
  static async start<Hello>(command: string, args: readonly string[]): Promise<Child<Hello>> {
    const process = new Deno.Command(command, {
      args: [...args],
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    const lines = readLines(process.stdout.getReader(), new LineSplitter(MAX_LINE, () => {}));
    return new Child<Hello>(process, lines, JSON.parse(await nextLine(lines)));
  }

  /**
   * Starts a script of this folder in Deno.
   *
   * @typeParam Hello What it says when it is ready.
   * @param script The name of the file.
   * @param flags Flags of `deno run`.
   * @returns The process, as soon as it is ready.
   * @throws {Error} If it ends without a word.
   */
  static startScript<Hello>(script: string, flags: readonly string[] = []): Promise<Child<Hello>> {
    const { href } = new URL(script, import.meta.url);
    return Child.start(Deno.execPath(), ["run", "-A", ...flags, href]);
  }

  /**
   * Asks it something. One question at a time.
   *
   * @typeParam Answer What it answers.
   * @param question Anything that is JSON.
   * @returns Its answer.
   * @throws {Error} If it ends instead.
   */
  async ask<Answer>(question: unknown): Promise<Answer> {
    await this.#writer.write(new TextEncoder().encode(`${JSON.stringify(question)}\n`));
    return JSON.parse(await nextLine(this.#lines));
  }

  /** Lets this process end although the other still runs; it ends then, too. */
  unref(): void {
    this.#process.unref();
  }

  /** Ends it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writer.close();
    while (!(await this.#lines.next()).done);
    await this.#process.status;
  }
}

async function nextLine(lines: AsyncGenerator<string>): Promise<string> {
  const { done, value } = await lines.next();
  if (done) throw new Error("Cannot ask process: it has ended");
  return value;
}
