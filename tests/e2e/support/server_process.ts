import { Journal } from "./scene.ts";
import type { ServerKind } from "./serving.ts";

/** Options of {@linkcode ServerProcess.start}. */
export interface ServerProcessOptions {
  /** What the server is made with. */
  readonly kind: ServerKind;
  /** Whether tools and resources that may take long never answer. */
  readonly holds?: boolean;
  /** Where it listens; by default anywhere. */
  readonly port?: number;
}

/** A server in a process of its own, which can be killed. */
export class ServerProcess implements AsyncDisposable {
  /** What its handlers saw. */
  readonly journal: Journal = new Journal();
  readonly #child: Deno.ChildProcess;
  readonly #listening = Promise.withResolvers<number>();
  readonly #read: Promise<void>;
  /** Where it listens. */
  port = 0;

  private constructor({ kind, holds = false, port = 0 }: ServerProcessOptions) {
    const script = new URL("./killable_server.ts", import.meta.url).pathname;
    const args = ["run", "-A", "--no-check", "--no-lock", script, kind, `${holds}`, `${port}`];
    this.#child = new Deno.Command(Deno.execPath(), { args, stdout: "piped" }).spawn();
    this.#read = this.#readLines();
  }

  /** Starts a server, and waits until it listens. */
  static async start(options: ServerProcessOptions): Promise<ServerProcess> {
    const process = new ServerProcess(options);
    process.port = await process.#listening.promise;
    return process;
  }

  /** Where it listens. */
  get url(): string {
    return `ws://127.0.0.1:${this.port}/mcp`;
  }

  /** Kills the process; it has no time to say goodbye. */
  async kill(): Promise<void> {
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // It is dead already.
    }
    await this.#child.status;
    await this.#read;
  }

  /** Kills the process. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }

  async #readLines(): Promise<void> {
    let rest = "";
    for await (const text of this.#child.stdout.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) this.#hear(line);
    }
    this.#listening.reject(new Error("The server did not start"));
  }

  #hear(line: string): void {
    const [, port] = /^listening (\d+)$/.exec(line) ?? [];
    if (port === undefined) this.journal.write(line);
    else this.#listening.resolve(Number(port));
  }
}
