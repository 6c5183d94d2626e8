import { MCPConnectionError } from "../protocol/errors.ts";
import { Link } from "../protocol/link.ts";
import type { CompressionTotals } from "../protocol/session/compression_totals.ts";
import { DENO_CLIENT_SIZES, OPEN_SIZES } from "../protocol/session/frames.ts";
import type { Outgoing } from "../protocol/session/outgoing.ts";
import { SESSION_SUBPROTOCOL } from "../protocol/subprotocol.ts";
import { introduce } from "./authentication.ts";
import { clearDial } from "./clearance.ts";
import { ClientSession } from "./client_session.ts";
import { Compression } from "./compression.ts";
import { gatherCredentials, withTicket } from "./credentials.ts";
import { dial, NOBODY, prepare } from "./dial.ts";
import type { Endpoint } from "./endpoint.ts";
import type { ConnectionSink, LiveConnection } from "./live_connection.ts";
import { PlainConnection } from "./plain_connection.ts";
import { type Loss, lossError } from "./recovery.ts";
import type { ResolvedOptions } from "./resolved_options.ts";
import type { JoinCounts } from "../protocol/session/joiner.ts";
import { paddedSize } from "./padding.ts";
import { holdsFrames } from "./runtime.ts";
import { type Greeting, SessionConnection } from "./session_connection.ts";

/** What a {@linkcode Connector} needs. */
export interface ConnectorOptions {
  /** What to speak to. */
  readonly endpoint: Endpoint;
  /** Timeouts, bounds, credentials; asked before every dial. */
  readonly options: () => ResolvedOptions;
  /** Who listens to connections. */
  readonly sink: ConnectionSink;
  /**
   * Told of a connection that takes the place of any older one, before
   * anything comes in on it.
   */
  readonly onTaken: (connection: LiveConnection) => void;
  /** Told that a session went on, and how many messages are sent again. */
  readonly onResumed: (replayed: number) => void;
  /**
   * Told that a session is lost with all that was in flight; `wasWelcomed` says
   * whether the server ever knew it.
   */
  readonly onSessionLost: (reason: string, wasWelcomed: boolean) => void;
  /** Told of a message that never got through, whatever was tried. */
  readonly onPoisoned: (message: Outgoing) => void;
}

/** A connection that is open. */
export interface Opened {
  /** The connection. */
  readonly connection: LiveConnection;
  /** Whether the server knows nothing of what was said before. */
  readonly isFresh: boolean;
}

/** A connection with a session of its own. */
export interface OpenedBeside {
  /** The connection. */
  readonly connection: LiveConnection;
  /** Keeps its session from now on. Returns what ends the one that was kept before. */
  readonly keep: () => (reason: Error) => void;
}

/** A link that was taken over. */
interface Taken {
  readonly link: Link;
  /** Where it leads to; empty where the socket was given. */
  readonly url: string;
  /** The token that is to be said on it. A secret. */
  readonly auth: string | undefined;
}

/** What remains to be done with a link that was taken over. */
type Continue<T> = () => T | Promise<T>;

/** Opens connections, and keeps the session that outlives them. */
export class Connector {
  /** Why joined messages left, in all sessions. */
  readonly joins: JoinCounts = { turn: 0, full: 0, control: 0 };
  readonly #context: ConnectorOptions;
  readonly #holdsFrames: boolean = holdsFrames();
  readonly #compression: Compression | undefined;
  #session: ClientSession | undefined;
  /** Set when the server turned out not to speak sessions, although it said so. */
  #isPlainOnly = false;
  /** When the last connection of the session was lost. */
  #lostAt = 0;
  /** Whether there has been a connection. */
  #wasOpen = false;
  /** Whether the session that is kept still has to be told what those before it were told. */
  #isFresh = false;

  /** @param context What to open, and whom to tell. */
  constructor(context: ConnectorOptions) {
    const { compression } = context.options();
    this.#context = context;
    if (compression !== false) this.#compression = new Compression(compression, this.#holdsFrames);
  }

  /** What was compressed so far; `undefined` if nothing is. */
  get compressed(): CompressionTotals | undefined {
    return this.#compression?.totals;
  }

  /** The session that is kept; `undefined` if the peer speaks plain MCP. */
  get session(): ClientSession | undefined {
    return this.#session;
  }

  /** Whether the server should still have the session. */
  get mayStillResume(): boolean {
    const welcome = this.#session?.welcome;
    if (welcome === undefined) return false;
    return this.#context.options().clock.now() - this.#lostAt < welcome.windowMs;
  }

  /**
   * Opens a connection, and brings it to the session, if there is one.
   *
   * @param signal Gives up.
   * @param url Where to, if not to the usual place.
   * @throws {MCPError} If it cannot be opened.
   */
  async open(signal: AbortSignal, url?: string): Promise<Opened> {
    const proceed = await this.#dial(signal, url, (taken) => this.#take(taken, signal));
    return await proceed();
  }

  /**
   * Opens a connection with a session of its own, beside the one that is kept.
   *
   * @param signal Gives up.
   * @param url Where to, if not to the usual place.
   * @throws {MCPError} If it cannot be opened.
   */
  async openBeside(signal: AbortSignal, url?: string): Promise<OpenedBeside> {
    const session = this.#createSession();
    const connection = await this.#dial(signal, url, (taken) => {
      if (this.#speaksSessions(taken.link)) return this.#greet(taken, session);
      throw downgradeError(taken.link, SESSION_SUBPROTOCOL);
    });
    await accept(connection, signal);
    const keep = () => {
      const before = this.#session;
      this.#session = session;
      this.#isFresh = false;
      return (reason: Error) => before?.end(reason);
    };
    return { connection, keep };
  }

  /** Notes that the session was told what those before it were told: the next connection resumes it. */
  settle(): void {
    this.#isFresh = false;
  }

  /**
   * Notes that the connection was lost.
   *
   * @returns Whether a session is kept: then nothing that was in flight is lost.
   */
  detach(): boolean {
    this.#session?.leave();
    this.#lostAt = this.#context.options().clock.now();
    return this.#session !== undefined;
  }

  /** Gives the session up; the next connection opens another one. */
  giveUp(reason: string): void {
    const session = this.#session;
    if (session === undefined) return;
    this.#session = undefined;
    const wasWelcomed = session.welcome !== undefined;
    session.end(sessionError(reason));
    this.#context.onSessionLost(reason, wasWelcomed);
  }

  /** Forgets the session; whoever takes it ends it. */
  release(): ClientSession | undefined {
    const session = this.#session;
    this.#session = undefined;
    return session;
  }

  /** Forgets everything; whoever takes the session ends it. */
  reset(): ClientSession | undefined {
    this.#isPlainOnly = false;
    this.#wasOpen = false;
    return this.release();
  }

  async #dial<T>(
    signal: AbortSignal,
    elsewhere: string | undefined,
    take: (taken: Taken) => T,
  ): Promise<T> {
    const { endpoint } = this.#context;
    const options = this.#context.options();
    const { clock, connectTimeout: timeout, httpClient } = options;
    if (endpoint.socket !== undefined) {
      const link = Link.adopt(endpoint.socket, NOBODY, clock);
      return take({ link, url: "", auth: undefined });
    }
    const { name } = endpoint;
    const url = elsewhere ?? endpoint.url;
    const bounds = { name, timeout, signal, clock };
    // Nobody is asked for a credential that would go where it must not.
    await prepare(clearDial(url, options), bounds);
    const { protocols, headers, ticket, auth } = await prepare(gatherCredentials(options), bounds);
    const offered = this.#isPlainOnly
      ? protocols.filter((entry) => entry !== SESSION_SUBPROTOCOL)
      : protocols;
    return await dial({
      ...bounds,
      headers,
      protocols: offered,
      url: withTicket(url, ticket),
      httpClient,
      take: (link) => take({ link, url, auth }),
    });
  }

  /** Whoever adopts a socket did not dial it: hello is the other side's to say. */
  #speaksSessions(link: Link): boolean {
    return link.protocol === SESSION_SUBPROTOCOL && this.#context.endpoint.socket === undefined;
  }

  /** Brings a link that has just opened to the session, if there can be one. */
  #take(taken: Taken, signal: AbortSignal): Continue<Opened> {
    const { link } = taken;
    const isFirst = !this.#wasOpen;
    const { require } = this.#context.options();
    const speaksSessions = this.#speaksSessions(link);
    if (!speaksSessions && require !== undefined) throw downgradeError(link, require);
    this.#wasOpen = true;
    return speaksSessions
      ? this.#openSession(taken, signal, isFirst)
      : this.#openPlain(taken, signal);
  }

  #openPlain({ link, auth }: Taken, signal: AbortSignal): Continue<Opened> {
    const { endpoint, sink, onTaken } = this.#context;
    const connection = new PlainConnection(
      link,
      this.#context.options(),
      sink,
      this.#paddedSize,
    );
    onTaken(connection);
    this.giveUp("The server speaks plain MCP");
    for (const data of endpoint.held?.release() ?? []) connection.frame(data);
    const opened = { connection, isFresh: true };
    if (auth === undefined) return () => opened;
    return () => introduce(connection, auth, signal).then(() => opened);
  }

  #openSession(taken: Taken, signal: AbortSignal, isFirst: boolean): Continue<Opened> {
    const session = this.#session ??= this.#begin();
    const isFresh = this.#isFresh;
    const connection = this.#greet(taken, session);
    this.#context.onTaken(connection);
    // What is safe may go out at once: nothing waits for the first welcome but what is not,
    // unless it is the welcome that tells whether the client is let in.
    if (isFirst && taken.auth === undefined) return () => ({ connection, isFresh });
    return async () => {
      const greeting = await awaitGreeting(connection, signal);
      if (greeting.type === "unknown") {
        this.giveUp(greeting.reason);
        return await this.#openAnother(taken, signal);
      }
      if (greeting.welcome.resumed) this.#context.onResumed(greeting.replayed);
      return { connection, isFresh };
    };
  }

  /** Opens a new session on a connection whose old one the server does not know. */
  async #openAnother(taken: Taken, signal: AbortSignal): Promise<Opened> {
    // Whoever was told of the loss may have given up.
    if (signal.aborted) taken.link.abandon();
    signal.throwIfAborted();
    const connection = this.#greet(taken, this.#session = this.#begin());
    this.#context.onTaken(connection);
    await accept(connection, signal);
    return { connection, isFresh: true };
  }

  #greet({ link, url, auth }: Taken, session: ClientSession): SessionConnection {
    const { options, sink } = this.#context;
    session.show(auth);
    const connection = new SessionConnection(
      link,
      session,
      options(),
      sink,
      this.#compression?.towards(url),
    );
    connection.lost.then((loss) => this.#considerPlain(loss, session));
    return connection;
  }

  /** A server that does not know the protocol, although it chose it, may know plain MCP. */
  #considerPlain({ cause, pace }: Loss, session: ClientSession): void {
    // A session that was let go says nothing about the next one.
    if (session !== this.#session || session.welcome !== undefined) return;
    if (cause === "protocol" && pace === "now") this.#isPlainOnly = true;
  }

  #begin(): ClientSession {
    this.#isFresh = true;
    return this.#createSession();
  }

  get #paddedSize(): number {
    return paddedSize(this.#context.endpoint.url, this.#context.options().padding);
  }

  #createSession(): ClientSession {
    const { session, maxReceiveBytes, clock } = this.#context.options();
    const { bufferMessages, bufferBytes } = session;
    return new ClientSession({
      limits: { messageBytes: maxReceiveBytes, bufferBytes, bufferMessages },
      sizes: { ...(this.#holdsFrames ? DENO_CLIENT_SIZES : OPEN_SIZES), padded: this.#paddedSize },
      promptAck: this.#holdsFrames,
      joins: this.joins,
      poisoned: (message) => this.#context.onPoisoned(message),
      clock,
    });
  }
}

/** Waits for what becomes of the hello. What is given up is dropped. */
async function awaitGreeting(
  connection: SessionConnection,
  signal: AbortSignal,
): Promise<Exclude<Greeting, { readonly type: "lost" }>> {
  const drop = () => connection.drop();
  signal.addEventListener("abort", drop, { once: true });
  if (signal.aborted) drop();
  const greeting = await connection.greeting;
  signal.removeEventListener("abort", drop);
  // It may have been given up after it was welcomed, but before that was heard here.
  if (signal.aborted) drop();
  signal.throwIfAborted();
  if (greeting.type === "lost") throw lossError(greeting.loss);
  return greeting;
}

/** Waits for the welcome of a new session, which nothing can be unknown about. */
async function accept(connection: SessionConnection, signal: AbortSignal): Promise<void> {
  const greeting = await awaitGreeting(connection, signal);
  if (greeting.type === "open") return;
  connection.drop();
  throw sessionError(greeting.reason);
}

function sessionError(reason: string): MCPConnectionError {
  const text = `The session was lost: ${reason}`;
  return new MCPConnectionError(text, { kind: "session", outcome: "unknown" });
}

/** The error of a link that was wanted for more than it can do; it is hung up. */
function downgradeError(link: Link, wanted: string): MCPConnectionError {
  link.abandon();
  const text = `Cannot connect: the server does not speak "${wanted}", which is required`;
  return new MCPConnectionError(text, {
    kind: "protocol",
    verdict: { cause: "protocol", pace: "never" },
    retryable: false,
  });
}
