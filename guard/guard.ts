import { delay } from "@std/async";
import type { Timer } from "../protocol/clock.ts";
import { MCPError, toError } from "../protocol/errors.ts";
import { addressKey, isLoopback } from "../server/client_address.ts";
import { TokenBucket } from "../server/token_bucket.ts";
import { AwakeClock } from "./awake_clock.ts";
import { hangUp, PlainClient, TlsClient } from "./client_conn.ts";
import { GuardedConnection } from "./connection.ts";
import type { EndCause } from "./end_cause.ts";
import { Gatekeeper, type Pass } from "./gatekeeper.ts";
import { InnerServer } from "./inner_server.ts";
import { type GuardOptions, type GuardSettings, resolveGuardOptions } from "./options.ts";
import { type GuardedFetch, Tickets } from "./tickets.ts";
import { TlsTerminator } from "./tls_terminator.ts";

/** How a guard is doing. */
export interface GuardStats {
  /** Connections that are open, with those that are no WebSocket yet. */
  readonly connections: number;
  /** Those that are no WebSocket yet. */
  readonly handshakes: number;
  /** Connections that were accepted since the start. */
  readonly accepted: number;
  /** Bytes that have come of messages that have not ended. */
  readonly unfinishedBytes: number;
  /** Connections that have ended since the start, by cause. */
  readonly ended: Readonly<Partial<Record<EndCause, number>>>;
}

/** Wait after `accept` has failed for the first time, in milliseconds. */
const MIN_BACKOFF = 20;
/** The longest wait before accepting again, in milliseconds. */
const MAX_BACKOFF = 1_000;
/** The shortest time between two looks at the clients, in milliseconds. */
const MIN_LOOK = 10;
/** The longest. */
const MAX_LOOK = 500;

/**
 * Serves a handler behind a guard, which bounds what Deno's server does not:
 * the time of a handshake, the bytes of a fragmented message, the number of
 * connections, and the patience with clients that are silent or do not read.
 *
 * Close the handler first and the guard afterwards, so that clients are told.
 *
 * @example A guarded server
 * ```ts
 * import { startGuard } from "@bowline/mcp-websocket/guard";
 * import { createWebSocketHandler } from "@bowline/mcp-websocket/server";
 * import { assertEquals } from "@std/assert";
 *
 * await using handler = createWebSocketHandler((session) => session.start());
 * await using guard = startGuard({ port: 0 }, handler.fetch);
 *
 * const response = await fetch(`http://127.0.0.1:${guard.port}/elsewhere`);
 * assertEquals(response.status, 404);
 * await response.body?.cancel();
 * await handler.close();
 * ```
 *
 * @param options Where to listen, and the bounds.
 * @param fetch Answers the requests that are let through. It learns the
 * client's own address. `request.url` has the scheme `http+unix:`, and the
 * header `Bowline-Guard` holds a number that is of no more use.
 * @returns The guard.
 * @throws {TypeError} If options do not fit together.
 * @throws {RangeError} If a number is out of range.
 * @throws {MCPError} If it is not possible to listen there.
 */
export function startGuard(options: GuardOptions, fetch: GuardedFetch): Guard {
  return new Guard(resolveGuardOptions(options), fetch);
}

/** A guard that listens, see {@linkcode startGuard}. */
export class Guard implements AsyncDisposable {
  readonly #settings: GuardSettings;
  /** How often the clients are looked at, in milliseconds. */
  readonly #interval: number;
  readonly #clock: AwakeClock;
  readonly #tickets = new Tickets();
  readonly #gate: Gatekeeper;
  readonly #listener: Deno.TcpListener;
  readonly #terminator: TlsTerminator | undefined;
  readonly #inner: InnerServer;
  readonly #life = new AbortController();
  readonly #connections = new Map<GuardedConnection, Promise<void>>();
  /** Those that are no WebSocket yet, the oldest first. */
  readonly #handshakes = new Set<GuardedConnection>();
  readonly #ended = new Map<EndCause, number>();
  readonly #accepting: Promise<void>;
  #look: Timer | undefined;
  #accepted = 0;
  #unfinishedBytes = 0;
  #closing: Promise<void> | undefined;

  /**
   * Use {@linkcode startGuard}.
   *
   * @param settings Options that were checked.
   * @param fetch Answers what is let through.
   */
  constructor(settings: GuardSettings, fetch: GuardedFetch) {
    this.#interval = lookInterval(settings);
    this.#clock = new AwakeClock(settings.clock, 2 * this.#interval);
    this.#settings = { ...settings, clock: this.#clock };
    this.#gate = new Gatekeeper(settings);
    this.#listener = listen(settings);
    try {
      const { tls, hop, logger } = settings;
      this.#terminator = tls && new TlsTerminator(tls.cert, tls.key);
      this.#inner = new InnerServer(this.#tickets.admit(fetch), hop, logger);
    } catch (thrown) {
      this.#listener.close();
      this.#terminator?.close();
      throw thrown;
    }
    this.#accepting = this.#accept();
    this.#lookLater();
  }

  /** The name or address of the interface. */
  get hostname(): string {
    return this.#settings.hostname;
  }

  /** The port in use. */
  get port(): number {
    return this.#listener.addr.port;
  }

  /** How the guard is doing, as it is now. */
  stats(): GuardStats {
    return {
      connections: this.#connections.size,
      handshakes: this.#handshakes.size,
      accepted: this.#accepted,
      unfinishedBytes: this.#unfinishedBytes,
      ended: Object.fromEntries(this.#ended),
    };
  }

  /**
   * Stops listening, and ends every connection without a word. Closing twice
   * is fine.
   *
   * @returns Resolves when nothing is left.
   */
  close(): Promise<void> {
    this.#closing ??= this.#shutDown();
    return this.#closing;
  }

  /** Closes the guard. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #shutDown(): Promise<void> {
    this.#life.abort();
    this.#look?.clear();
    this.#listener.close();
    await this.#accepting;
    for (const connection of this.#connections.keys()) connection.kill("closed");
    await Promise.all(this.#connections.values());
    await this.#terminator?.close();
    await this.#inner.close();
  }

  /** Out of file descriptors, it waits until some are free. */
  async #accept(): Promise<void> {
    const { acceptsPerSecond, logger } = this.#settings;
    const clock = this.#clock;
    const bucket = new TokenBucket({ perSecond: acceptsPerSecond }, clock.now());
    let backoff = MIN_BACKOFF;
    while (!this.#life.signal.aborted) {
      try {
        if (!bucket.take(clock.now())) await this.#pause(bucket.wait(clock.now()));
        else this.#welcome(await this.#listener.accept());
        backoff = MIN_BACKOFF;
      } catch (thrown) {
        if (this.#life.signal.aborted) return;
        logger?.warn(`Cannot accept connections for ${backoff} ms: ${toError(thrown).message}`);
        await this.#pause(backoff);
        backoff = Math.min(backoff * 2, MAX_BACKOFF);
      }
    }
  }

  async #pause(ms: number): Promise<void> {
    await delay(ms, { signal: this.#life.signal }).catch(() => {});
  }

  #welcome(accepted: Deno.TcpConn): void {
    const peer = accepted.remoteAddr;
    this.#accepted++;
    const pass = this.#gate.admit(keyOf(peer));
    if (typeof pass === "string") {
      hangUp(accepted);
      return this.#count(pass);
    }
    const connection = this.#createConnection(accepted, peer);
    this.#connections.set(connection, this.#keep(connection, pass));
    this.#handshakes.add(connection);
    if (this.#handshakes.size > this.#settings.maxHandshakes) this.#endOldestHandshake();
  }

  /** It has had the most time. */
  #endOldestHandshake(): void {
    const [oldest] = this.#handshakes;
    if (oldest === undefined) return;
    this.#handshakes.delete(oldest);
    oldest.kill("crowded");
  }

  #createConnection(accepted: Deno.Conn, peer: Deno.NetAddr): GuardedConnection {
    const terminator = this.#terminator;
    const client = terminator === undefined
      ? new PlainClient(accepted)
      : new TlsClient(accepted, terminator);
    const connection: GuardedConnection = new GuardedConnection(client, {
      settings: this.#settings,
      dial: () => this.#inner.dial(),
      issueTicket: () => this.#tickets.issue(peer),
      revokeTicket: (ticket) => this.#tickets.revoke(ticket),
      opened: () => this.#handshakes.delete(connection),
      held: (change) => this.#hold(change),
    });
    return connection;
  }

  async #keep(connection: GuardedConnection, pass: Pass): Promise<void> {
    const cause = await connection.run();
    this.#connections.delete(connection);
    this.#handshakes.delete(connection);
    pass.release();
    this.#count(cause);
  }

  #count(cause: EndCause): void {
    this.#ended.set(cause, (this.#ended.get(cause) ?? 0) + 1);
    if (cause !== "done") this.#settings.logger?.debug(`Connection ended by the guard: ${cause}`);
  }

  /** Whoever holds most is cut off: it is not the one whose message is short. */
  #hold(change: number): void {
    this.#unfinishedBytes += change;
    if (change <= 0 || this.#unfinishedBytes <= this.#settings.maxUnfinishedBytes) return;
    let largest: GuardedConnection | undefined;
    for (const connection of this.#connections.keys()) {
      if (connection.heldBytes > (largest?.heldBytes ?? 0)) largest = connection;
    }
    largest?.kill("unfinished");
  }

  #lookLater(): void {
    this.#look = this.#clock.after(this.#interval, () => {
      this.#clock.tick();
      const now = this.#clock.now();
      for (const connection of this.#connections.keys()) connection.check(now);
      this.#lookLater();
    });
  }
}

/** One timer looks at all connections: a timer for each would be set with every chunk. */
function lookInterval(settings: GuardSettings): number {
  const { headerTimeout, answerTimeout, idleTimeout, messageTimeout, writeTimeout } = settings;
  const timeouts = [headerTimeout, answerTimeout, messageTimeout, writeTimeout];
  const shortest = Math.min(...timeouts, idleTimeout === false ? Infinity : idleTimeout);
  return Math.min(Math.max(shortest / 4, MIN_LOOK), MAX_LOOK);
}

function listen({ hostname, port }: GuardSettings): Deno.TcpListener {
  try {
    return Deno.listen({ hostname, port });
  } catch (cause) {
    throw new MCPError(
      "network",
      `Cannot listen on ${hostname}:${port}: ${toError(cause).message}`,
      { cause },
    );
  }
}

/** This machine's own addresses are its owner, or a proxy that stands for everybody. */
function keyOf({ hostname }: Deno.NetAddr): string | undefined {
  return isLoopback(hostname) ? undefined : addressKey(hostname);
}
