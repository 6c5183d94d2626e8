import { delay } from "@std/async";
import { MCPError, toError } from "../protocol/errors.ts";
import type { Logger } from "../protocol/transport.ts";

/** Where the guarded server listens. */
export type InnerHop =
  | { readonly type: "unix"; readonly socketDir: string | undefined }
  | { readonly type: "loopback" };

/** Answers a request that came through the guard. */
export type InnerFetch = (
  request: Request,
  info: Pick<Deno.ServeHandlerInfo, "completed">,
) => Response | Promise<Response>;

/** Wait before listening again, in milliseconds. */
const BACKOFF = 100;

/**
 * The server behind the guard, which only the guard reaches. Deno's server
 * ends by itself when the process runs out of file descriptors; this one
 * listens again.
 */
export class InnerServer {
  readonly #fetch: InnerFetch;
  readonly #hop: InnerHop;
  readonly #logger: Logger | undefined;
  readonly #life = new AbortController();
  readonly #dir: string | undefined;
  readonly #kept: Promise<void>;
  #target: Deno.ConnectOptions | Deno.UnixConnectOptions;
  #server: Deno.HttpServer | undefined;
  #ending = new AbortController();
  #cleaned: Promise<void> | undefined;

  /**
   * @param fetch Answers requests.
   * @param hop Where to listen.
   * @param logger Told what happens.
   * @throws {MCPError} If it is not possible to listen there.
   */
  constructor(fetch: InnerFetch, hop: InnerHop, logger: Logger | undefined) {
    this.#fetch = fetch;
    this.#hop = hop;
    this.#logger = logger;
    try {
      // Deno makes it with mode 700.
      this.#dir = hop.type === "unix" && hop.socketDir === undefined
        ? Deno.makeTempDirSync({ prefix: "bowline-" })
        : undefined;
      [this.#server, this.#target] = this.#listen();
    } catch (cause) {
      if (this.#dir !== undefined) Deno.removeSync(this.#dir, { recursive: true });
      throw new MCPError(
        "network",
        `Cannot listen behind the guard (${hop.type}): ${toError(cause).message}`,
        { cause },
      );
    }
    this.#kept = this.#keep();
  }

  /** Connects to it. */
  async dial(): Promise<Deno.Conn> {
    const target = this.#target;
    if ("path" in target) return await Deno.connect(target);
    const connection = await Deno.connect(target);
    connection.setNoDelay();
    return connection;
  }

  /** Stops it, and drops what it serves. Closing twice is fine. */
  async close(): Promise<void> {
    if (!this.#life.signal.aborted) {
      this.#life.abort();
      if (this.#server !== undefined) this.#ending.abort();
      this.#cleaned = this.#clean();
    }
    await this.#cleaned;
  }

  async #clean(): Promise<void> {
    await this.#kept;
    if (this.#dir !== undefined) await Deno.remove(this.#dir, { recursive: true });
    else this.#removeSocket();
  }

  #listen(): [Deno.HttpServer, Deno.ConnectOptions | Deno.UnixConnectOptions] {
    this.#ending = new AbortController();
    const base = { signal: this.#ending.signal, onListen() {} };
    if (this.#hop.type === "loopback") {
      const options = { ...base, hostname: "127.0.0.1", port: 0 };
      const server = Deno.serve(options, this.#fetch);
      return [server, { hostname: "127.0.0.1", port: server.addr.port }];
    }
    this.#removeSocket();
    const path = this.#socketPath();
    return [Deno.serve({ ...base, path }, this.#fetch), { transport: "unix", path }];
  }

  #socketPath(): string {
    const dir = this.#hop.type === "unix" ? this.#hop.socketDir : undefined;
    return `${this.#dir ?? dir ?? "."}/guard.sock`;
  }

  /** A socket of an earlier life may have been left behind. */
  #removeSocket(): void {
    if (this.#hop.type !== "unix") return;
    try {
      Deno.removeSync(this.#socketPath());
    } catch (thrown) {
      if (!(thrown instanceof Deno.errors.NotFound)) throw thrown;
    }
  }

  /** Never rejects; ends when the server was closed. */
  async #keep(): Promise<void> {
    while (!this.#life.signal.aborted) {
      if (this.#server === undefined) await this.#listenAgain();
      else await this.#awaitEnd(this.#server);
    }
  }

  async #awaitEnd(server: Deno.HttpServer): Promise<void> {
    try {
      await server.finished;
    } catch (thrown) {
      this.#logger?.error(`Listening behind the guard failed: ${toError(thrown).message}`);
    }
    this.#server = undefined;
  }

  async #listenAgain(): Promise<void> {
    try {
      await delay(BACKOFF, { signal: this.#life.signal });
      [this.#server, this.#target] = this.#listen();
      this.#logger?.warn("Listening behind the guard again");
    } catch (thrown) {
      if (this.#life.signal.aborted) return;
      this.#logger?.error(`Cannot listen behind the guard: ${toError(thrown).message}`);
    }
  }
}
