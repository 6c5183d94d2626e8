import { CLOSE_CODES } from "../protocol/close_codes.ts";
import { MCPCapacityError, MCPConnectionError, MCPRpcError } from "../protocol/errors.ts";
import { guard } from "../protocol/guard.ts";
import { type JsonRpcMessage, serializeMessage } from "../protocol/jsonrpc.ts";
import type { HandlerHealth } from "./health.ts";
import { decideHandshake, refusalResponse } from "./handshake.ts";
import {
  type HandlerSettings,
  resolveHandlerOptions,
  type WebSocketHandlerOptions,
} from "./options.ts";
import { Link } from "../protocol/link.ts";
import { PlainChannel } from "../protocol/plain_channel.ts";
import { ServerMetrics } from "./metrics.ts";
import { Operations } from "./operations.ts";
import type { OpenChannel } from "../protocol/channel.ts";
import { SESSION_SUBPROTOCOL } from "../protocol/subprotocol.ts";
import { type Seat, SessionRegistry } from "./registry.ts";
import { quote, Reporter } from "./reporter.ts";
import { type ConnectionInfo, type RequestSnapshot, snapshotRequest } from "./request.ts";
import { SessionHost } from "./session_host.ts";
import { drain, planShutdown, type ShutdownOptions, type ShutdownPlan } from "./shutdown.ts";
import { WebSocketServerTransport, type WebSocketServerTransportOptions } from "./transport.ts";
import { upgrade } from "./upgrade.ts";

/** Serves one connection; if it throws or rejects, that connection is closed with 1011. */
export type SessionListener = (session: WebSocketServerTransport) => unknown;

/** Options of a broadcast. */
export interface BroadcastOptions {
  /** The connections that are left out, by id. */
  readonly except?: readonly string[] | undefined;
}

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
 * function serve(request: Request, info: Deno.ServeHandlerInfo): Response {
 *   const { pathname } = new URL(request.url);
 *   return pathname === "/mcp" ? handler.fetch(request, info) : new Response("Hello");
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
  readonly #onSession: SessionListener;
  readonly #settings: HandlerSettings;
  readonly #reporter: Reporter;
  readonly #registry = new SessionRegistry();
  readonly #host: SessionHost | undefined;
  readonly #metrics: ServerMetrics;
  readonly #operations: Operations | undefined;
  readonly #startedAt: number;
  #closing: Promise<void> | undefined;
  #isClosed = false;

  /**
   * Use {@linkcode createWebSocketHandler}.
   *
   * @param onSession Serves each connection.
   * @param settings Options that were checked.
   * @param reporter Told what happens.
   */
  constructor(
    onSession: SessionListener,
    settings: HandlerSettings,
    reporter: Reporter,
  ) {
    this.#onSession = onSession;
    this.#settings = settings;
    this.#reporter = reporter;
    this.#startedAt = settings.clock.now();
    this.#metrics = new ServerMetrics(settings.metrics);
    this.#operations = this.#createOperations();
    this.#host = this.#createHost();
  }

  /**
   * Answers a request: upgrades it, or says why not; and those who run the
   * server, if it was asked to. It never throws and needs no `this`.
   *
   * @param request The request; it must not have been upgraded.
   * @param info Where it comes from, as `Deno.serve` tells it.
   * @returns The response. Return it at once: Deno stops listening if an
   * upgrade's response is dropped.
   */
  readonly fetch = (request: Request, info?: ConnectionInfo): Response => {
    try {
      const snapshot = snapshotRequest(request, info);
      return this.#operations?.answer(snapshot) ?? this.#answer(request, snapshot);
    } catch (thrown) {
      this.#reporter.error("Upgrade failed", thrown);
      return new Response("The upgrade failed\n", { status: 500 });
    }
  };

  /** The connections that are open, by id. */
  get sessions(): ReadonlyMap<string, WebSocketServerTransport> {
    return this.#registry.sessions;
  }

  /** Whether {@linkcode close} was called. */
  get isClosing(): boolean {
    return this.#closing !== undefined;
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
    if (this.#registry.active >= maxConnections) {
      throw new MCPCapacityError(
        `Cannot adopt socket as there are ${maxConnections} connections already`,
        maxConnections,
      );
    }
    const session = this.#createSession(socket, { end });
    this.#serve(session, this.#registry.reserve());
    return session;
  }

  /**
   * Sends a message to all connections; it is serialised once.
   *
   * @param message The message.
   * @param options Who is left out.
   * @returns How many it was sent to.
   * @throws {TypeError} If it is no JSON-RPC message.
   * @throws {RangeError} If it is too large.
   */
  broadcast(message: JsonRpcMessage, options: BroadcastOptions = {}): number {
    const text = serializeMessage(message, this.#settings.maxSendBytes);
    const except = new Set(options.except);
    let sent = 0;
    for (const session of this.sessions.values()) {
      if (!except.has(session.id) && session.relay(text)) sent++;
    }
    return sent;
  }

  /** How the handler is doing, as it is now. */
  health(): HandlerHealth {
    const registry = this.#registry;
    return {
      status: this.#status(),
      activeConnections: registry.active,
      totalConnections: registry.total,
      messagesIn: registry.messagesIn,
      messagesOut: registry.messagesOut,
      detachedSessions: this.#host?.detached ?? 0,
      bufferedBytes: this.#host?.bufferedBytes ?? 0,
      errors: this.#reporter.errors,
      uptime: this.#settings.clock.now() - this.#startedAt,
    };
  }

  /**
   * What the handler has done and is doing, in the text format of Prometheus
   * (version 0.0.4). `operations` serves it.
   */
  metrics(): string {
    const host = this.#host;
    const { plain, running, bufferedAmount } = this.#registry.levels();
    const { messagesIn, messagesOut, uptime, detachedSessions, bufferedBytes } = this.health();
    return this.#metrics.text({
      isReady: this.#status() === "ok",
      uptime,
      plainConnections: plain,
      attachedSessions: (host?.size ?? 0) - detachedSessions,
      detachedSessions,
      undecidedConnections: host?.undecided ?? 0,
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

  #status(): HandlerHealth["status"] {
    if (this.#isClosed) return "closed";
    if (this.isClosing) return "draining";
    return this.#registry.active < this.#settings.maxConnections ? "ok" : "full";
  }

  #answer(request: Request, snapshot: RequestSnapshot): Response {
    const { path, allowedOrigins, maxConnections } = this.#settings;
    const decision = decideHandshake(snapshot, {
      path,
      allowedOrigins,
      maxConnections,
      activeConnections: this.#registry.active,
      isClosing: this.isClosing,
      hasSessions: this.#host !== undefined,
      takesSessions: this.#takesSessions(),
    });
    if (decision.type === "accept") {
      return this.#accept(request, snapshot, decision.protocol);
    }
    const { status, reason } = decision;
    this.#metrics.upgradeRefused(decision.cause);
    this.#reporter.debug(
      `Request from ${snapshot.remoteAddress} refused with ${status}: ${reason}`,
    );
    return refusalResponse(decision);
  }

  #accept(
    request: Request,
    snapshot: RequestSnapshot,
    protocol: string | undefined,
  ): Response {
    const { clock } = this.#settings;
    const isSession = protocol === SESSION_SUBPROTOCOL;
    // Sessions ping by themselves, and pay for no timer of the runtime's with every message.
    const heartbeatTimeout = isSession ? false : this.#settings.heartbeatTimeout;
    // They are counted when they say hello, and not when they come back.
    const seat = isSession ? undefined : this.#registry.reserve();
    try {
      return upgrade(request, { protocol, heartbeatTimeout, clock }, {
        opened: (socket) => this.#open(socket, snapshot, seat),
        failed: (error) => {
          seat?.free();
          this.#reporter.debug(error.message);
        },
      });
    } catch (error) {
      seat?.free();
      throw error;
    }
  }

  /** Runs in the socket's `open` handler, where nothing may be thrown. */
  #open(socket: WebSocket, snapshot: RequestSnapshot, seat: Seat | undefined): void {
    try {
      if (seat === undefined) return this.#receive(socket, snapshot);
      const session = this.#createSession(socket, { request: snapshot });
      if (this.isClosing) {
        seat.free();
        this.#metrics.connectionRefused("closing");
        session.close(CLOSE_CODES.GOING_AWAY, "Server is shutting down");
      } else this.#serve(session, seat);
    } catch (thrown) {
      seat?.free();
      this.#reporter.error("Opening a connection failed", thrown);
    }
  }

  #receive(socket: WebSocket, snapshot: RequestSnapshot): void {
    const unheard = { frame: () => {}, closed: () => {} };
    const link = new Link(socket, unheard, this.#settings.clock);
    if (this.#takesSessions()) return this.#host?.receive(link, snapshot);
    // It was taken before the server began to close, or to be crowded.
    this.#metrics.connectionRefused(this.isClosing ? "closing" : "full");
    if (this.isClosing) link.close(CLOSE_CODES.GOING_AWAY, "Server is shutting down");
    else link.close(CLOSE_CODES.AT_CAPACITY, "The server is at capacity");
  }

  /** Whether connections for sessions are taken; while it closes, those that live may come back. */
  #takesSessions(): boolean {
    const host = this.#host;
    return host !== undefined && host.hasRoom && (!this.isClosing || host.size > 0);
  }

  #createOperations(): Operations | undefined {
    const { operations, allowedOrigins } = this.#settings;
    return operations && new Operations(operations, allowedOrigins, {
      status: () => this.#status(),
      health: () => this.health(),
      metrics: () => this.metrics(),
    });
  }

  #createHost(): SessionHost | undefined {
    const { session: settings, server, maxConnections, principalOf, clock } = this.#settings;
    if (settings === undefined) return undefined;
    return new SessionHost({
      settings,
      maxSessions: maxConnections,
      server,
      principalOf: (request) => request && principalOf?.(request),
      clock,
      meter: this.#metrics,
      events: {
        hasRoom: () => this.#hasRoom(),
        open: (channel, request) => {
          const session = this.#createSession(channel, { request });
          return () => {
            // What came behind the first frame may have ended it already.
            if (session.isOpen) this.#serve(session, this.#registry.reserve());
          };
        },
        plain: (link, request, frames) => this.#servePlain(link, request, frames),
        failed: (error) => this.#reporter.error("Keeping sessions failed", error),
        log: (text) => this.#reporter.debug(text),
      },
    });
  }

  /** Something between the two ends dropped the header that asked for sessions. */
  #servePlain(
    link: Link,
    request: RequestSnapshot | undefined,
    frames: readonly string[],
  ): void {
    if (!this.#hasRoom()) {
      this.#metrics.connectionRefused("full");
      return link.close(CLOSE_CODES.AT_CAPACITY, "The server is at capacity");
    }
    const { maxMessageBytes: maxReceiveBytes, maxSendBytes, clock } = this.#settings;
    const options = { end: "server", maxSendBytes, maxReceiveBytes, clock } as const;
    const open: OpenChannel = (sink) => new PlainChannel(link, sink, options, frames);
    this.#serve(this.#createSession(open, { request }), this.#registry.reserve());
  }

  #hasRoom(): boolean {
    return this.#registry.active < this.#settings.maxConnections && !this.isClosing;
  }

  #createSession(
    source: WebSocket | OpenChannel,
    origin: WebSocketServerTransportOptions,
  ): WebSocketServerTransport {
    const { maxMessageBytes, maxSendBytes, maxInFlight, clock } = this.#settings;
    const session = new WebSocketServerTransport(source, {
      ...origin,
      maxMessageBytes,
      maxSendBytes,
      maxInFlight,
      clock,
      meter: this.#metrics,
      onError: (error) => {
        // What could not be read was answered before it got here.
        if (error instanceof MCPRpcError) this.#metrics.failed(error.code);
        this.#reporter.fault(`Connection ${session.id}`, error);
      },
    });
    return session;
  }

  #serve(session: WebSocketServerTransport, seat: Seat): void {
    const { id, request } = session;
    const isPlain = session.protocol === "mcp";
    seat.take(session);
    if (isPlain) this.#metrics.connectionOpened("plain");
    this.#reporter.info(
      `Connection ${id} opened from ${request?.remoteAddress}`,
    );
    session.closed.then(({ code, reason }) => {
      seat.free();
      if (isPlain) this.#metrics.connectionClosed(code);
      this.#reporter.info(
        `Connection ${id} closed with ${code}: ${quote(reason)}`,
      );
    });
    guard(() => this.#onSession(session), (thrown) => {
      this.#reporter.error(`Serving connection ${id} failed`, thrown);
      session.close(CLOSE_CODES.INTERNAL_ERROR, "Internal error");
    });
  }

  async #shutDown(plan: ShutdownPlan): Promise<void> {
    this.#host?.retire();
    await drain(this.sessions.values(), plan, this.#settings.clock);
    await this.#host?.close();
    this.#isClosed = true;
  }
}
