import { delay } from "@std/async";
import { MCPError, toError } from "../protocol/errors.ts";
import type { Reporter } from "./reporter.ts";
import type { ConnectionInfo } from "./request.ts";

/** Where to listen. */
export interface ListenOptions {
  /** The name or address of the interface. */
  readonly hostname: string;
  /** The port; 0 takes any that is free. */
  readonly port: number;
  /** The certificate chain, in PEM, if connections are encrypted. */
  readonly cert: string | undefined;
  /** The private key, in PEM. */
  readonly key: string | undefined;
}

/** Answers requests. */
export type FetchHandler = (
  request: Request,
  info: ConnectionInfo,
) => Response | Promise<Response>;

/** Wait before listening again for the first time, in milliseconds. */
const MIN_BACKOFF = 100;
/** The longest wait before listening again, in milliseconds. */
const MAX_BACKOFF = 5_000;

/**
 * Listens until it is closed. Deno's server ends by itself when the process
 * runs out of file descriptors; this one listens again.
 */
export class Listener {
  readonly #fetch: FetchHandler;
  readonly #options: ListenOptions;
  readonly #reporter: Reporter;
  readonly #life = new AbortController();
  readonly #port: number;
  readonly #kept: Promise<void>;
  /** Ends the server that listens now; one that has ended already must not be told. */
  #ending: AbortController | undefined;

  /**
   * @param fetch Answers requests.
   * @param options Where to listen.
   * @param reporter Told what happens.
   * @throws {MCPError} If it is not possible to listen there.
   */
  constructor(
    fetch: FetchHandler,
    options: ListenOptions,
    reporter: Reporter,
  ) {
    this.#fetch = fetch;
    this.#options = options;
    this.#reporter = reporter;
    const server = this.#listen(options.port);
    this.#port = server.addr.port;
    this.#kept = this.#keep(server);
  }

  /** The port in use. */
  get port(): number {
    return this.#port;
  }

  /** Resolves when this listener was closed. */
  get closed(): Promise<void> {
    return this.#kept;
  }

  /**
   * Stops listening, and drops requests that were never completed: Deno's
   * graceful shutdown would wait for them for ever. Closing twice is fine.
   */
  async close(): Promise<void> {
    this.#life.abort();
    this.#ending?.abort();
    this.#ending = undefined;
    await this.#kept;
  }

  #listen(port: number): Deno.HttpServer<Deno.NetAddr> {
    const { hostname, cert, key } = this.#options;
    const ending = new AbortController();
    const base = {
      hostname,
      port,
      signal: ending.signal,
      // Deno prints the address otherwise.
      onListen() {},
    };
    try {
      const server = cert === undefined || key === undefined
        ? Deno.serve(base, this.#fetch)
        : Deno.serve({ ...base, cert, key }, this.#fetch);
      this.#ending = ending;
      return server;
    } catch (cause) {
      throw new MCPError(
        "network",
        `Cannot listen on ${hostname}:${port}: ${toError(cause).message}`,
        { cause },
      );
    }
  }

  /** Never rejects; ends when this listener is closed. */
  async #keep(first: Deno.HttpServer<Deno.NetAddr>): Promise<void> {
    let server: Deno.HttpServer<Deno.NetAddr> | undefined = first;
    let backoff = MIN_BACKOFF;
    while (!this.#life.signal.aborted) {
      const since = Date.now();
      if (server !== undefined) {
        await this.#awaitEnd(server);
        if (Date.now() - since > MAX_BACKOFF) backoff = MIN_BACKOFF;
      }
      server = await this.#listenAfter(backoff);
      backoff = Math.min(backoff * 2, MAX_BACKOFF);
    }
  }

  async #awaitEnd(server: Deno.HttpServer<Deno.NetAddr>): Promise<void> {
    try {
      await server.finished;
      if (this.#life.signal.aborted) return;
      this.#reporter.warn("Listening ended by itself");
    } catch (thrown) {
      this.#reporter.error("Listening failed", thrown);
    } finally {
      this.#ending = undefined;
    }
  }

  async #listenAfter(
    backoff: number,
  ): Promise<Deno.HttpServer<Deno.NetAddr> | undefined> {
    try {
      await delay(backoff, { signal: this.#life.signal });
      const server = this.#listen(this.#port);
      this.#reporter.warn(`Listening again on port ${this.#port}`);
      return server;
    } catch (thrown) {
      if (!this.#life.signal.aborted) {
        this.#reporter.error("Listening again failed", thrown);
      }
      return undefined;
    }
  }
}
