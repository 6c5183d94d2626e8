import { until } from "./until.ts";

const ROOT = new URL("../../", import.meta.url);

/** Options of {@linkcode RunningCommand}. */
export interface RunningCommandOptions {
  /** What it may do, as flags of Deno; `-A` by default. */
  readonly permissions?: readonly string[];
  /** Added to the environment. */
  readonly env?: Record<string, string>;
}

/** The arguments that make Deno run one of our files. */
export function denoArgs(file: string, permissions: readonly string[] = ["-A"]): string[] {
  const path = new URL(file, ROOT).pathname;
  return ["run", "--no-prompt", "--no-check", "--no-lock", ...permissions, path];
}

/** One of our commands in a process of its own, with the lines it has written so far. */
export class RunningCommand implements AsyncDisposable {
  readonly stdout: string[] = [];
  readonly stderr: string[] = [];
  readonly #child: Deno.ChildProcess;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #read: Promise<unknown>;

  constructor(file: string, args: readonly string[], options: RunningCommandOptions = {}) {
    this.#child = new Deno.Command(Deno.execPath(), {
      args: [...denoArgs(file, options.permissions), ...args],
      cwd: ROOT,
      env: { NO_COLOR: "1", ...options.env },
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#writer = this.#child.stdin.getWriter();
    this.#read = Promise.all([
      collect(this.#child.stdout, this.stdout),
      collect(this.#child.stderr, this.stderr),
    ]);
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** Where a server says that it listens. */
  async url(): Promise<string> {
    await this.wrote(this.stdout, /^Listening on /);
    return /^Listening on (\S+)$/.exec(this.stdout[0] ?? "")?.[1] ?? "";
  }

  /** The first line that matches, as soon as it is written. */
  async wrote(lines: readonly string[], pattern: RegExp): Promise<string> {
    const find = () => lines.find((line) => pattern.test(line));
    try {
      await until(() => find() !== undefined);
    } catch (cause) {
      const text = `No line ${pattern}: ${JSON.stringify([this.stdout, this.stderr])}`;
      throw new Error(text, { cause });
    }
    return find() ?? "";
  }

  /** Gives it a line to read. */
  async write(line: string): Promise<void> {
    await this.#writer.write(new TextEncoder().encode(`${line}\n`));
  }

  /** Closes its input. */
  async endInput(): Promise<void> {
    await this.#writer.close();
  }

  kill(signal: Deno.Signal): void {
    this.#child.kill(signal);
  }

  /** Its exit status, once it has exited and everything it wrote was read. */
  async exit(): Promise<number> {
    const { code } = await this.#child.status;
    await this.#read;
    return code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.kill("SIGKILL");
    } catch {
      // It has exited already.
    }
    await this.exit();
    await this.#writer.abort().catch(() => {});
  }
}

/** Whether a process exists. */
export function isRunning(pid: number): boolean {
  try {
    Deno.kill(pid, "SIGCONT");
    return true;
  } catch {
    return false;
  }
}

async function collect(stream: ReadableStream<Uint8Array>, lines: string[]): Promise<void> {
  let rest = "";
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    const complete = (rest + text).split("\n");
    rest = complete.pop() ?? "";
    lines.push(...complete);
  }
  if (rest !== "") lines.push(rest);
}
