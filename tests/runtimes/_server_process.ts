import { toLines } from "./_lines.ts";

/** Attempts to listen on a port that another process has only just left. */
const ATTEMPTS = 5;

/** The MCP server of `_server.ts`, running. */
export class ServerProcess implements AsyncDisposable {
  /** The port it listens on. */
  readonly port: number;
  readonly #child: Deno.ChildProcess;
  readonly #output: AsyncIterator<string>;

  private constructor(child: Deno.ChildProcess, output: AsyncIterator<string>, port: number) {
    this.#child = child;
    this.#output = output;
    this.port = port;
  }

  /**
   * Starts one.
   *
   * @param port Where it shall listen; 0 takes any port that is free.
   * @throws {Deno.errors.AddrInUse} If it does not listen after some attempts.
   */
  static async start(port = 0): Promise<ServerProcess> {
    for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
      const child = spawn(port);
      const output = toLines(child.stdout)[Symbol.asyncIterator]();
      const { value, done } = await output.next();
      if (!done) return new ServerProcess(child, output, Number(value));
      await Promise.all([child.stdin.close().catch(() => {}), child.status]);
    }
    throw new Deno.errors.AddrInUse(`Cannot start server on port ${port}`);
  }

  /** Sends a signal that does not end it. */
  signal(signal: Deno.Signal): void {
    this.#child.kill(signal);
  }

  /** Ends it; resolves when the process is gone. */
  async end(signal: Deno.Signal): Promise<void> {
    this.#child.kill(signal);
    await this.#child.status;
    await this.#child.stdin.close().catch(() => {});
    await this.#output.return?.();
  }

  /** Kills it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.end("SIGKILL");
  }
}

function spawn(port: number): Deno.ChildProcess {
  const main = new URL("_server.ts", import.meta.url).href;
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--allow-net=127.0.0.1", main, String(port)],
    // Its end ends the process, should the test be killed.
    stdin: "piped",
    stdout: "piped",
  }).spawn();
}
