import { delay } from "@std/async/delay";
import { LineSplitter, readLines } from "../protocol/line_splitter.ts";
import { LineWriter } from "../protocol/line_writer.ts";

/** Options of {@linkcode ChildProcess}. */
export interface ChildProcessOptions {
  /** How long it may take to exit, before it is asked less kindly, in milliseconds. */
  readonly grace: number;
  /** The longest line that is taken from it, in bytes. */
  readonly maxLineBytes: number;
  /** What may wait until it reads its input, in bytes. */
  readonly maxQueuedBytes: number;
  /** Told what goes wrong without ending it. */
  readonly onFault: (error: unknown) => void;
}

/** Asked in this order, when closing the input was not enough. */
const SIGNALS: readonly Deno.Signal[] = ["SIGTERM", "SIGKILL"];
/** The longest line of its log, in bytes. */
const MAX_LOG_LINE = 8 * 1024;

/**
 * A process that reads and writes lines. Whoever starts it reads `output()` and
 * `log()` to their ends, and calls `end()`.
 */
export class ChildProcess {
  /** Resolves when it has exited. */
  readonly exited: Promise<Deno.CommandStatus>;

  readonly #child: Deno.ChildProcess;
  readonly #options: ChildProcessOptions;
  readonly #input: LineWriter;
  readonly #stdout: ReadableStreamDefaultReader<Uint8Array>;
  readonly #stderr: ReadableStreamDefaultReader<Uint8Array>;
  readonly #gone = new AbortController();
  readonly #released: Promise<void>;
  #ending: Promise<void> | undefined;

  /**
   * Starts a process, without a shell. It inherits the environment.
   *
   * @param command The program and its arguments.
   * @param options Bounds, and who is told.
   * @throws {Deno.errors.NotFound} If there is no such program.
   * @throws {Deno.errors.NotCapable} If it may not be run.
   */
  constructor(command: readonly string[], options: ChildProcessOptions) {
    const [program = "", ...args] = command;
    this.#options = options;
    this.#child = new Deno.Command(program, {
      args,
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
      // Ctrl-C in a terminal goes to a whole group of processes: only the
      // server decides when its children end.
      detached: Deno.build.os !== "windows",
    }).spawn();
    this.#input = new LineWriter(this.#child.stdin, options.maxQueuedBytes, options.onFault);
    this.#stdout = this.#child.stdout.getReader();
    this.#stderr = this.#child.stderr.getReader();
    this.exited = this.#awaitExit();
    this.#released = this.#release();
  }

  /** Its number, as the system counts. */
  get pid(): number {
    return this.#child.pid;
  }

  /** The lines it writes; the next ones are read when these were taken. */
  output(): AsyncGenerator<string> {
    const { maxLineBytes, onFault } = this.#options;
    return readLines(this.#stdout, new LineSplitter(maxLineBytes, onFault));
  }

  /** The lines of its log. */
  log(): AsyncGenerator<string> {
    return readLines(this.#stderr, new LineSplitter(MAX_LOG_LINE, this.#options.onFault));
  }

  /**
   * Gives it a line to read.
   *
   * @param line Text without a newline.
   * @returns Whether there was room: it may be slow to read, or stuck.
   */
  write(line: string): boolean {
    return this.#input.write(line);
  }

  /**
   * Ends it: closes its input, terminates it when that was not enough, and
   * kills it when that was not either. Ending twice is fine.
   *
   * @returns Resolves when it has exited; never rejects.
   */
  end(): Promise<void> {
    this.#ending ??= this.#end();
    return this.#ending;
  }

  /** Sends it a signal; one that has exited does not mind. */
  kill(signal: Deno.Signal): void {
    try {
      this.#child.kill(signal);
    } catch {
      // It has exited in between.
    }
  }

  async #end(): Promise<void> {
    this.#input.close();
    for (const signal of SIGNALS) {
      if (await this.#exitsInTime()) break;
      this.#options.onFault(new Error(`It has not exited in time: sending ${signal}`));
      this.kill(signal);
    }
    await this.#released;
  }

  async #exitsInTime(): Promise<boolean> {
    const { signal } = this.#gone;
    return await delay(this.#options.grace, { signal }).then(() => false, () => true);
  }

  async #awaitExit(): Promise<Deno.CommandStatus> {
    const status = await this.#child.status;
    this.#gone.abort();
    this.#input.close();
    return status;
  }

  /** What it has started itself may keep its pipes open for ever. */
  async #release(): Promise<void> {
    await this.exited;
    const readers = [this.#stdout, this.#stderr];
    const timer = setTimeout(() => {
      for (const reader of readers) reader.cancel().catch(() => {});
    }, this.#options.grace);
    await Promise.allSettled(readers.map((reader) => reader.closed));
    clearTimeout(timer);
  }
}
