import { CLOSE_CODES } from "../protocol/close_codes.ts";
import { MCPCapacityError, MCPConnectionError } from "../protocol/errors.ts";
import { isPromiseLike } from "../protocol/guard.ts";
import { type JsonRpcMessage, serializeMessage } from "../protocol/jsonrpc.ts";
import { SESSION_SUBPROTOCOL } from "../protocol/subprotocol.ts";
import { type BroadcastOptions, findReceivers } from "./audience.ts";
import { Connections } from "./connections.ts";
import { Entrance, type Entry } from "./entrance.ts";
import { type Refusal, refusalResponse } from "./handshake.ts";
import type { HandlerHealth } from "./health.ts";
import type { BoundAddress } from "./host_check.ts";
import { ServerMetrics } from "./metrics.ts";
import { Operations } from "./operations.ts";
import {
  type HandlerSettings,
  resolveHandlerOptions,
  type WebSocketHandlerOptions,
} from "./options.ts";
import { Reporter } from "./reporter.ts";
import { type ConnectionInfo, RequestCopy, type RequestSnapshot } from "./request.ts";
import {
  type Conclude,
  drain,
  planShutdown,
  type ShutdownOptions,
  type ShutdownPlan,
} from "./shutdown.ts";
import { Topics } from "./topics.ts";
import type { WebSocketServerTransport } from "./transport.ts";
import { upgrade } from "./upgrade.ts";

/** Serves one connection; if it throws or rejects, that connection is closed with 1011. */
export type SessionListener = (session: WebSocketServerTransport) => unknown;

/**
 * Makes a `fetch` handler that accepts MCP connections.
 *
 * @example Beside other routes
 * ```ts
 * import { createWebSocketHandler } from "@bowline/mcp-websocket/server";
 * import { assertEquals } from "@std/assert";
 *
 * await using handler = createWebSocketHandler((session) => session.start());
 *
 * async function serve(request: Request, info: Deno.ServeHandlerInfo): Promise<Response> {
 *   const { pathname } = new URL(request.url);
 *   return pathname === "/mcp" ? await handler.fetch(request, info) : new Response("Hello");
 * }
 * await using server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, serve);
 *
 * const response = await fetch(`http://127.0.0.1:${server.addr.port}/`);
 * assertEquals(await response.text(), "Hello");
 * ```
 *
 * @param onSession Called with every connection once it is open. Messages are
 * held until it calls `start()`, directly or through an SDK's `connect`.
 * @param options Bounds, who may connect, and who is told.
 * @returns The handler.
 * @throws {TypeError} If an option is of the wrong type or shape.
 * @throws {RangeError} If a number is out of range.
 */
export function createWebSocketHandler(
  onSession: SessionListener,
  options: WebSocketHandlerOptions = {},
): WebSocketHandler {
  const settings = resolveHandlerOptions(options);
  const reporter = new Reporter(settings.logger, settings.onError, settings.metrics);
  return new WebSocketHandler(onSession, settings, reporter);
}

/** Serves MCP over WebSocket in any `Deno.serve`, see {@linkcode createWebSocketHandler}. */
export class WebSocketHandler implements AsyncDisposable {
  readonly #settings: HandlerSettings;
  readonly #reporter: Reporter;
  readonly #connections: Connections;
  readonly #entrance: Entrance;
  readonly #topics: Topics<WebSocketServerTransport>;
  /** Connections whose end is waited for, to forget their topics. */
  readonly #watched = new WeakSet<WebSocketServerTransport>();
  readonly #conclude: Conclude | undefined;
  readonly #metrics: ServerMetrics;
  readonly #operations: Operations | undefined;
  readonly #startedAt: number;
  #bound: BoundAddress | undefined;
  #closing: Promise<void> | undefined;
  #isClosed = false;

  /**
   * Use {@linkcode createWebSocketHandler}.
   *
   * @param onSession Serves each connection.
   * @param settings Options that were checked.
   * @param reporter Told what happens.
   * @param conclude Says the last words to a connection before it is closed by {@linkcode close}.
   * @throws {TypeError} If an option of `auth`, `admission` or `trustedProxies` is of the wrong shape.
   * @throws {RangeError} If a number among them is out of range.
   */
  constructor(
    onSession: SessionListener,
    settings: HandlerSettings,
    reporter: Reporter,
    conclude?: Conclude,
  ) {
    this.#settings = settings;
    this.#topics = new Topics(settings.subscriptions);
    this.#conclude = conclude;
    this.#reporter = reporter;
    this.#startedAt = settings.clock.now();
    const metrics = this.#metrics = new ServerMetrics(settings.metrics);
    this.#operations = this.#createOperations();
    const connections = this.#connections = new Connections({
      settings,
      metrics,
      reporter,
      entrance: () => this.#entrance,
      serve: onSession,
    });
    this.#entrance = new Entrance(settings, reporter, {
      occupancy: () => ({ ...connections.occupancy, bound: this.#bound }),
      countOf: (owner) => connections.registry.countOf(owner),
    });
  }

  /**
   * Answers a request: upgrades it, or says why not; and those who run the
   * server, if it was asked to. It never throws or rejects, and needs no `this`.
   *
   * @param request The request; it must not have been upgraded.
   * @param info Where it comes from, as `Deno.serve` tells it.
   * @returns The response; a promise for it only while `auth` takes time. Return it
   * at once: Deno stops listening if an upgrade's response is dropped.
   */
  readonly fetch = (
    request: Request,
    info?: ConnectionInfo,
  ): Response | Promise<Response> => {
    try {
      const snapshot = new RequestCopy(request, info);
      const answer = this.#operations?.answer(snapshot) ??
        this.#settings.auth?.resource?.respond(snapshot);
      if (answer !== undefined) return answer;
      const entry = this.#entrance.judge(snapshot);
      if (!isPromiseLike(entry)) return this.#enter(request, snapshot, entry);
      return entry.then((entry) => this.#enter(request, snapshot, entry))
        .catch((thrown) => this.#fail(thrown));
    } catch (thrown) {
      return this.#fail(thrown);
    }
  };

  /** The connections that are open, by id. */
  get sessions(): ReadonlyMap<string, WebSocketServerTransport> {
    return this.#connections.registry.sessions;
  }

  /** Whether {@linkcode close} was called. */
  get isClosing(): boolean {
    return this.#closing !== undefined;
  }

  /**
   * Notes where the server listens: requests for that address are for this server.
   *
   * @param bound The address.
   */
  listens(bound: BoundAddress): void {
    this.#bound = bound;
  }

  /**
   * Serves a socket that this side dialled, or that was accepted elsewhere.
   *
   * @param socket A socket that is open; its handlers are taken over.
   * @param end Which end of the socket this is.
   * @default {"client"} end
   * @returns The connection.
   * @throws {TypeError} If the socket is not open.
   * @throws {MCPCapacityError} If there are too many connections.
   * @throws {MCPConnectionError} If the handler was closed.
   */
  adopt(
    socket: WebSocket,
    end: "server" | "client" = "client",
  ): WebSocketServerTransport {
    const { maxConnections } = this.#settings;
    if (this.isClosing) {
      throw new MCPConnectionError("Cannot adopt socket: the server was closed");
    }
    if (!this.#connections.hasRoom) {
      throw new MCPCapacityError(
        `Cannot adopt socket as there are ${maxConnections} connections already`,
        maxConnections,
      );
    }
    return this.#connections.adopt(socket, end);
  }

  /**
   * Sends a message to all connections, or to some; it is serialised once. Nobody
   * is waited for: what a slow client does not read is bounded, see `docs/limits.md`.
   *
   * @param message The message.
   * @param options Whom it is for, and who is left out.
   * @returns How many it was sent to.
   * @throws {TypeError} If it is no JSON-RPC message, or `to` is no audience.
   * @throws {RangeError} If it is too large.
   */
  broadcast(message: JsonRpcMessage, options: BroadcastOptions = {}): number {
    const text = serializeMessage(message, this.#settings.maxSendBytes);
    const except = new Set(options.except);
    let sent = 0;
    for (const session of findReceivers(options.to, this.sessions, this.#topics)) {
      if (!except.has(session.id) && session.relay(text, undefined, false)) sent++;
    }
    return sent;
  }

  /**
   * Puts a connection into a topic, until it leaves or ends. A session stays in
   * it while its client comes and goes.
   *
   * @param session The connection, or its id.
   * @param topic The name of the topic.
   * @returns Whether the connection is open here.
   * @throws {RangeError} If the name is empty or too long.
   * @throws {MCPCapacityError} If there are too many topics, see `subscriptions`.
   */
  subscribe(session: WebSocketServerTransport | string, topic: string): boolean {
    const member = this.#find(session);
    if (member === undefined || !member.isOpen) return false;
    this.#topics.join(member, topic);
    if (this.#watched.has(member)) return true;
    this.#watched.add(member);
    member.closed.then(() => this.#topics.forget(member));
    return true;
  }

  /**
   * Takes a connection out of a topic.
   *
   * @param session The connection, or its id.
   * @param topic The name of the topic.
   * @returns Whether it was in it.
   */
  unsubscribe(session: WebSocketServerTransport | string, topic: string): boolean {
    const member = this.#find(session);
    return member !== undefined && this.#topics.leave(member, topic);
  }

  /**
   * Sends a principal away: all its connections end, and its sessions, which
   * cannot be resumed. Whether it may come in again is for `auth` to say.
   *
   * @param principal The id of the principal.
   * @param reason Why, in words fit for the client.
   * @default {"Access was revoked"} reason
   * @returns How many connections and sessions it had. Resolves within a second.
   */
  async revoke(principal: string, reason = "Access was revoked"): Promise<number> {
    const sessions = [...this.sessions.values()]
      .filter((session) => session.principal?.id === principal);
    await Promise.all(
      sessions.map((session) => session.disconnect(reason, CLOSE_CODES.FORBIDDEN)),
    );
    return sessions.length;
  }

  /** How the handler is doing, as it is now. */
  health(): HandlerHealth {
    const { registry, host } = this.#connections;
    return {
      status: this.#status(),
      activeConnections: registry.active,
      totalConnections: registry.total,
      messagesIn: registry.messagesIn,
      messagesOut: registry.messagesOut,
      detachedSessions: host?.detached ?? 0,
      bufferedBytes: host?.bufferedBytes ?? 0,
      errors: this.#reporter.errors,
      uptime: this.#settings.clock.now() - this.#startedAt,
    };
  }

  /**
   * What the handler has done and is doing, in the text format of Prometheus
   * (version 0.0.4). `operations` serves it.
   */
  metrics(): string {
    const { registry, host } = this.#connections;
    const { plain, running, bufferedAmount } = registry.levels();
    const { messagesIn, messagesOut, uptime, detachedSessions, bufferedBytes } = this.health();
    return this.#metrics.text({
      isReady: this.#status() === "ok",
      uptime,
      plainConnections: plain,
      attachedSessions: (host?.size ?? 0) - detachedSessions,
      detachedSessions,
      undecidedConnections: this.#connections.undecided,
      messagesIn,
      messagesOut,
      running,
      sessionBytes: bufferedBytes,
      socketBytes: bufferedAmount,
      failures: this.#reporter.failures,
      faults: this.#reporter.faults,
    });
  }

  /**
   * Takes no new connections, waits until running requests are answered, and
   * closes every connection. Closing twice is fine: the first call's options hold.
   *
   * @param options The close code, the reason, and how long to wait.
   * @returns Resolves when all connections have ended.
   * @throws {RangeError} If no endpoint may send the code, or the timeout is negative.
   */
  async close(options: ShutdownOptions = {}): Promise<void> {
    const plan = planShutdown(options);
    this.#closing ??= this.#shutDown(plan);
    await this.#closing;
  }

  /** Closes the handler. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #find(session: WebSocketServerTransport | string): WebSocketServerTransport | undefined {
    return this.sessions.get(typeof session === "string" ? session : session.id);
  }

  #status(): HandlerHealth["status"] {
    if (this.#isClosed) return "closed";
    if (this.isClosing) return "draining";
    return this.#connections.hasRoom ? "ok" : "full";
  }

  #enter(request: Request, snapshot: RequestCopy, entry: Entry): Response {
    switch (entry.type) {
      case "accept":
        snapshot.seal();
        return this.#accept(request, entry);
      case "reject":
        return this.#reject(request, snapshot, entry);
      case "refuse":
        return this.#refuse(snapshot, entry);
    }
  }

  #fail(thrown: unknown): Response {
    this.#reporter.error("Upgrade failed", thrown);
    return new Response("The upgrade failed\n", { status: 500 });
  }

  #refuse(snapshot: RequestSnapshot, refusal: Refusal): Response {
    this.#note(snapshot, refusal);
    return refusalResponse(refusal);
  }

  #note({ remoteAddress }: RequestSnapshot, { cause, status, reason }: Refusal): void {
    this.#metrics.upgradeRefused(cause);
    this.#reporter.debug(`Request from ${remoteAddress} refused with ${status}: ${reason}`);
  }

  #accept(request: Request, entry: Entry & { readonly type: "accept" }): Response {
    const { protocol, visitor } = entry;
    const seat = this.#connections.reserve(protocol, visitor);
    return this.#upgrade(
      request,
      protocol,
      (socket) => this.#connections.open(socket, protocol, visitor, seat),
      () => {
        seat?.free();
        visitor.place.release();
      },
    );
  }

  #reject(
    request: Request,
    snapshot: RequestSnapshot,
    entry: Entry & { readonly type: "reject" },
  ): Response {
    const { protocol, info, place, refusal } = entry;
    this.#note(snapshot, refusal);
    return this.#upgrade(
      request,
      protocol,
      (socket) => this.#connections.refuse(socket, protocol, info, place),
      () => place.release(),
    );
  }

  #upgrade(
    request: Request,
    protocol: string | undefined,
    opened: (socket: WebSocket) => void,
    failed: () => void,
  ): Response {
    const { clock } = this.#settings;
    // Sessions ping by themselves, and pay for no timer of the runtime's with every message.
    const heartbeatTimeout = protocol === SESSION_SUBPROTOCOL
      ? false
      : this.#settings.heartbeatTimeout;
    try {
      return upgrade(request, { protocol, heartbeatTimeout, clock }, {
        opened,
        failed: (error) => {
          failed();
          this.#reporter.debug(error.message);
        },
      });
    } catch (error) {
      failed();
      throw error;
    }
  }

  #createOperations(): Operations | undefined {
    const { operations, allowedOrigins } = this.#settings;
    return operations && new Operations(operations, allowedOrigins, {
      status: () => this.#status(),
      health: () => this.health(),
      metrics: () => this.metrics(),
    });
  }

  async #shutDown(plan: ShutdownPlan): Promise<void> {
    this.#connections.retire();
    await drain(this.sessions.values(), plan, this.#settings.clock, this.#conclude);
    await this.#connections.host?.close();
    this.#isClosed = true;
  }
}
