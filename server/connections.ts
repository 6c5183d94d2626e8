import type { OpenChannel } from "../protocol/channel.ts";
import { CLOSE_CODES } from "../protocol/close_codes.ts";
import { MCPRpcError } from "../protocol/errors.ts";
import { guard } from "../protocol/guard.ts";
import { type CloseInfo, Link, type LinkEvents } from "../protocol/link.ts";
import { PlainChannel } from "../protocol/plain_channel.ts";
import { quote } from "../protocol/quote.ts";
import { SESSION_SUBPROTOCOL } from "../protocol/subprotocol.ts";
import { PlainLogin } from "./auth/plain_login.ts";
import type { Entrance, Occupancy } from "./entrance.ts";
import { refuseLate } from "./late_refusal.ts";
import { MemoryBound } from "./memory_bound.ts";
import type { ServerMetrics } from "./metrics.ts";
import type { HandlerSettings } from "./options.ts";
import { type Seat, SessionRegistry } from "./registry.ts";
import type { Reporter } from "./reporter.ts";
import type { SessionService } from "./live_session.ts";
import { SessionHost } from "./session_host.ts";
import { WebSocketServerTransport, type WebSocketServerTransportOptions } from "./transport.ts";
import { TrafficLimit } from "./traffic_limit.ts";
import type { Visitor } from "./visitor.ts";

/** What {@linkcode Connections} need. */
export interface ConnectionsOptions {
  /** Bounds. */
  readonly settings: HandlerSettings;
  /** Judges who comes later with a token. */
  readonly entrance: () => Entrance;
  /** Serves a connection. */
  readonly serve: (session: WebSocketServerTransport) => unknown;
  /** Counts. */
  readonly metrics: ServerMetrics;
  /** Told what happens. */
  readonly reporter: Reporter;
}

/** Nobody listens to a link before it is known what it is for. */
const NOBODY: LinkEvents = { frame: () => {}, closed: () => {} };
const LEAVING: CloseInfo = {
  code: CLOSE_CODES.GOING_AWAY,
  reason: "Server is shutting down",
};
/** What all connections may hold for their clients where no sessions are kept, in bytes. */
const MAX_TOTAL_BYTES = 256 * 1024 * 1024;
const FULL: CloseInfo = { code: CLOSE_CODES.AT_CAPACITY, reason: "The server is at capacity" };

/** The open connections of a handler: each becomes a transport, and is served. */
export class Connections {
  /** All that are served. */
  readonly registry: SessionRegistry = new SessionRegistry();
  /** The sessions that outlive their connections; `undefined` if none are kept. */
  readonly host: SessionHost | undefined;
  readonly #options: ConnectionsOptions;
  /** Those in plain MCP that have yet to say who they are. */
  readonly #logins = new Set<Link>();
  readonly #memory: MemoryBound<WebSocketServerTransport>;
  readonly #transportOptions: WebSocketServerTransportOptions;
  #isClosing = false;

  /** @param options Bounds, and who serves. */
  constructor(options: ConnectionsOptions) {
    this.#options = options;
    const { session, clock } = options.settings;
    this.#memory = new MemoryBound(session?.maxTotalBytes ?? MAX_TOTAL_BYTES, clock, (session) => {
      options.reporter.warn(`Connection ${session.id} is closed as it holds most`);
      session.close(CLOSE_CODES.SLOW_CONSUMER, "Too much waits for clients");
    });
    this.#transportOptions = this.#createTransportOptions();
    this.host = this.#createHost();
  }

  /** How full it is. */
  get occupancy(): Omit<Occupancy, "bound"> {
    return {
      activeConnections: this.registry.active + this.#logins.size,
      isClosing: this.#isClosing,
      takesSessions: this.takesSessions,
    };
  }

  /** Connections of which it is not known yet what they are for, or whose. */
  get undecided(): number {
    return this.#logins.size + (this.host?.undecided ?? 0);
  }

  /** Whether one more connection in plain MCP, or one more session, is taken. */
  get hasRoom(): boolean {
    return this.registry.active < this.#options.settings.maxConnections && !this.#isClosing;
  }

  /** Whether connections for sessions are taken; while it closes, those that live may come back. */
  get takesSessions(): boolean {
    const { host } = this;
    return host !== undefined && host.hasRoom && (!this.#isClosing || host.size > 0);
  }

  /** Takes nobody new from now on; sessions that live can still be resumed. */
  retire(): void {
    this.#isClosing = true;
    this.host?.retire();
    for (const link of this.#logins) link.close(LEAVING.code, LEAVING.reason);
  }

  /**
   * Keeps a place for a client in plain MCP whose upgrade was accepted. Sessions
   * are counted when they say hello, and not when they come back.
   */
  reserve(protocol: string | undefined, visitor: Visitor): Seat | undefined {
    if (protocol === SESSION_SUBPROTOCOL || this.#isUnknown(visitor)) return undefined;
    return this.registry.reserve(visitor.principal?.id);
  }

  /** Serves a socket of whose client nothing is known. */
  adopt(socket: WebSocket, end: "server" | "client"): WebSocketServerTransport {
    const session = this.#createTransport(socket, { end });
    this.#serve(session, this.registry.reserve(undefined));
    return session;
  }

  /**
   * Takes a socket that has just opened. It runs in its `open` handler, where
   * nothing may be thrown.
   */
  open(
    socket: WebSocket,
    protocol: string | undefined,
    visitor: Visitor,
    seat: Seat | undefined,
  ): void {
    socket.addEventListener("close", visitor.place);
    try {
      const link = this.#link(socket);
      if (protocol === SESSION_SUBPROTOCOL) return this.#receive(link, visitor);
      if (seat === undefined) return this.#login(link, visitor);
      this.#servePlain(link, visitor, [], seat);
    } catch (thrown) {
      seat?.free();
      socket.close();
      this.#options.reporter.error("Opening a connection failed", thrown);
    }
  }

  /** Tells a client behind the upgrade why it may not stay. */
  refuse(
    socket: WebSocket,
    protocol: string | undefined,
    info: CloseInfo,
    place: Visitor["place"],
  ): void {
    socket.addEventListener("close", place);
    refuseLate(this.#link(socket), info, protocol, this.#options.settings.clock);
  }

  #link(socket: WebSocket): Link {
    const { settings: { clock }, metrics: { traffic } } = this.#options;
    return new Link(socket, NOBODY, clock, traffic);
  }

  #receive(link: Link, visitor: Visitor): void {
    if (this.takesSessions) return this.host?.receive(link, visitor);
    // It was taken before the server began to close, or to be crowded.
    this.#turnAway(link);
  }

  #turnAway(link: Link): void {
    const { code, reason } = this.#isClosing ? LEAVING : FULL;
    this.#options.metrics.connectionRefused(this.#isClosing ? "closing" : "full");
    link.close(code, reason);
  }

  /** Something between the two ends dropped the header that asked for sessions. */
  #fallBack(link: Link, visitor: Visitor, frames: readonly string[]): void {
    if (!this.#isUnknown(visitor)) return this.#servePlain(link, visitor, frames);
    this.#login(link, visitor, frames);
  }

  /** Whether the client has yet to say whose it is. */
  #isUnknown({ principal }: Visitor): boolean {
    return this.#options.settings.auth !== undefined && principal === undefined;
  }

  /** The client has shown nothing yet; it has to, before it is served. */
  #login(link: Link, visitor: Visitor, frames: readonly string[] = []): void {
    const { settings: { clock }, entrance, reporter, metrics } = this.#options;
    if (this.#isClosing) return this.#turnAway(link);
    this.#logins.add(link);
    const login = new PlainLogin(link, {
      clock,
      judge: (token) => entrance().identify(visitor, token ?? "", "request"),
      done: (known, frames) => {
        this.#logins.delete(link);
        this.#servePlain(link, known, frames);
      },
      gone: () => this.#logins.delete(link),
      refused: ({ code, reason }) => {
        metrics.connectionRefused("unauthenticated");
        reporter.debug(`Connection sent away with ${code}: ${quote(reason)}`);
      },
    });
    for (const frame of frames) login.frame(frame);
  }

  #servePlain(link: Link, visitor: Visitor, frames: readonly string[], seat?: Seat): void {
    const { principal } = visitor;
    const isFull = seat === undefined && this.#findCrowd(principal?.id) !== undefined;
    if (this.#isClosing || isFull) {
      seat?.free();
      return this.#turnAway(link);
    }
    const { maxMessageBytes: maxReceiveBytes, maxSendBytes, maxDepth, maxBatchItems, rate, clock } =
      this.#options.settings;
    const throttle = rate && new TrafficLimit(rate, clock);
    const bounds = { maxSendBytes, maxReceiveBytes, maxDepth, maxBatchItems, throttle };
    const options = { end: "server", ...bounds, clock } as const;
    const open: OpenChannel = (sink) => new PlainChannel(link, sink, options, frames);
    this.#serve(
      this.#createTransport(open, this.#originOf(visitor)),
      seat ?? this.registry.reserve(principal?.id),
    );
  }

  #findCrowd(owner: string | undefined): "full" | "crowded" | undefined {
    if (!this.hasRoom) return "full";
    const { maxConnectionsPerPrincipal } = this.#options.settings;
    const count = owner === undefined ? 0 : this.registry.countOf(owner);
    return count < maxConnectionsPerPrincipal ? undefined : "crowded";
  }

  #createHost(): SessionHost | undefined {
    const { settings, metrics, reporter, entrance } = this.#options;
    const { session, server, maxConnections, maxConnectionsPerPrincipal, clock } = settings;
    if (session === undefined) return undefined;
    return new SessionHost({
      settings: session,
      maxSessions: maxConnections,
      maxSessionsPerPrincipal: maxConnectionsPerPrincipal,
      server,
      clock,
      meter: metrics,
      compressed: metrics.compressed,
      events: {
        identify: (visitor, token) => entrance().identify(visitor, token, "hello"),
        findCrowd: (owner) => this.#findCrowd(owner),
        open: (channel, visitor) => this.#openSession(channel, visitor),
        plain: (link, visitor, frames) => this.#fallBack(link, visitor, frames),
        failed: (error) => reporter.error("Keeping sessions failed", error),
        log: (text) => reporter.debug(text),
      },
    });
  }

  #openSession(channel: OpenChannel, visitor: Visitor): SessionService {
    const session = this.#createTransport(channel, this.#originOf(visitor));
    return new ServedSession(session, this.#serveSession);
  }

  readonly #serveSession = (session: WebSocketServerTransport): void => {
    // What came behind the first frame may have ended it already.
    if (session.isOpen) this.#serve(session, this.registry.reserve(session.principal?.id));
  };

  #originOf(visitor: Visitor): WebSocketServerTransportOptions {
    const { request, principal, authInfo } = visitor;
    const judge = this.#options.entrance().judgeToken;
    const judgeToken = judge && ((token: unknown) => judge(request, token));
    return { request, principal, authInfo, judgeToken };
  }

  #createTransport(
    source: WebSocket | OpenChannel,
    origin: WebSocketServerTransportOptions,
  ): WebSocketServerTransport {
    return new WebSocketServerTransport(source, { ...origin, ...this.#transportOptions });
  }

  /** What all transports have in common: none has a function of its own. */
  #createTransportOptions(): WebSocketServerTransportOptions {
    const { settings, metrics, reporter } = this.#options;
    const { maxMessageBytes, maxSendBytes, maxInFlight, maxDepth, maxBatchItems, rate, clock } =
      settings;
    return {
      maxMessageBytes,
      maxSendBytes,
      maxInFlight,
      maxDepth,
      maxBatchItems,
      rate,
      clock,
      meter: metrics,
      onWritten: (session) => this.#memory.written(session),
      onError: (error, session) => {
        // What could not be read was answered before it got here.
        if (error instanceof MCPRpcError) metrics.failed(error.code);
        reporter.fault(`Connection ${session.id}`, error);
      },
      onEnd: (info, session) => this.#retire(session, info),
    };
  }

  #retire(session: WebSocketServerTransport, { code, reason }: CloseInfo): void {
    const { metrics, reporter } = this.#options;
    if (!this.registry.retire(session)) return;
    this.#memory.written(session);
    if (session.protocol === "mcp") metrics.connectionClosed(code);
    reporter.info(`Connection ${session.id} closed with ${code}: ${quote(reason)}`);
  }

  #serve(session: WebSocketServerTransport, seat: Seat): void {
    const { metrics, reporter, serve } = this.#options;
    const { id, request } = session;
    seat.take(session);
    if (session.protocol === "mcp") metrics.connectionOpened("plain");
    reporter.info(`Connection ${id} opened from ${request?.remoteAddress}`);
    guard(() => serve(session), (thrown) => {
      reporter.error(`Serving connection ${id} failed`, thrown);
      session.close(CLOSE_CODES.INTERNAL_ERROR, "Internal error");
    });
  }
}

/** A session, served by the connections of its handler. */
class ServedSession implements SessionService {
  readonly #session: WebSocketServerTransport;
  readonly #serve: (session: WebSocketServerTransport) => void;

  constructor(
    session: WebSocketServerTransport,
    serve: (session: WebSocketServerTransport) => void,
  ) {
    this.#session = session;
    this.#serve = serve;
  }

  serve(): void {
    this.#serve(this.#session);
  }

  resumed(visitor: Visitor): void {
    this.#session.identify(visitor);
  }
}
