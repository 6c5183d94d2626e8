import { until } from "../support/until.ts";

const SCRIPT = new URL("./_guarded_server.ts", import.meta.url).pathname;

/** A guarded server in a process of its own. */
export class GuardedChild implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #read: Promise<void>;
  #output = "";

  /** @param descriptors How many files it may have open. */
  constructor(descriptors: number) {
    this.#child = new Deno.Command("sh", {
      args: [
        "-c",
        `ulimit -n ${descriptors} && exec "$0" run -A --no-check "$1"`,
        Deno.execPath(),
        SCRIPT,
      ],
      stdout: "piped",
    }).spawn();
    this.#read = this.#collect();
  }

  /** Where it listens. */
  async port(): Promise<number> {
    return Number(await this.wrote(/port (\d+)/));
  }

  /** The first group of a pattern, as soon as it was written. */
  async wrote(pattern: RegExp): Promise<string> {
    await until(() => pattern.test(this.#output));
    return pattern.exec(this.#output)?.[1] ?? "";
  }

  /** The memory it has now, in bytes. */
  residentBytes(): number {
    const status = Deno.readTextFileSync(`/proc/${this.#child.pid}/status`);
    return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) * 1024;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#child.status;
    await this.#read;
  }

  async #collect(): Promise<void> {
    for await (const text of this.#child.stdout.pipeThrough(new TextDecoderStream())) {
      this.#output += text;
    }
  }
}
