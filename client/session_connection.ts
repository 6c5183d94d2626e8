import type { Timer } from "../protocol/clock.ts";
import { CLOSE_CODES } from "../protocol/close_codes.ts";
import { MCPConnectionError, MCPTimeoutError } from "../protocol/errors.ts";
import type { JsonRpcMessage } from "../protocol/jsonrpc.ts";
import type { CloseInfo, Link } from "../protocol/link.ts";
import { Liveness } from "../protocol/liveness.ts";
import { isSafeToRepeat } from "../protocol/mcp.ts";
import { PlainReader } from "../protocol/plain.ts";
import type { End, Welcome } from "../protocol/session/control.ts";
import type { Inflater } from "../protocol/session/inflater.ts";
import { Outgoing } from "../protocol/session/outgoing.ts";
import type { Wire } from "../protocol/session/wire.ts";
import { countBytes } from "../protocol/utf8.ts";
import type { ClientSession } from "./client_session.ts";
import type { ConnectionSink, LiveConnection, Part, Watch } from "./live_connection.ts";
import type { Compression } from "./compression.ts";
import { type AskLimits, PrivateRequests } from "./private_requests.ts";
import { type Loss, lossError, sessionLossOf } from "./recovery.ts";
import type { ResolvedOptions } from "./resolved_options.ts";

/** What became of the hello on a connection. */
export type Greeting =
  | {
    /** The session is open, or goes on. */
    readonly type: "open";
    /** What the server said. */
    readonly welcome: Welcome;
    /** Messages that are sent again. */
    readonly replayed: number;
  }
  | {
    /** The server does not know the session; another one may be opened on the same link. */
    readonly type: "unknown";
    /** Why, in its words. */
    readonly reason: string;
  }
  | {
    /** The connection is lost. */
    readonly type: "lost";
    /** How. */
    readonly loss: Loss;
  };

/** A ping that somebody waits for. */
interface Probe {
  readonly answered: () => void;
  readonly lost: (error: Error) => void;
}

/** Time for the goodbye, in milliseconds. */
const BYE_TIMEOUT = 1_000;
/** Tools whose safety is not known yet are not safe: nothing was listed before the welcome. */
const NO_TOOLS: ReadonlySet<string> = new Set();

/** One connection of a session, from the hello to its end. */
export class SessionConnection implements LiveConnection {
  /** See {@linkcode LiveConnection}. */
  readonly requests: PrivateRequests;
  readonly #link: Link;
  readonly #session: ClientSession;
  /** What the session writes to. */
  readonly #wire: Wire;
  /** Reads binary frames, if they are wanted. */
  readonly #inflater: Inflater | undefined;
  readonly #options: ResolvedOptions;
  readonly #sink: ConnectionSink;
  readonly #greeting = Promise.withResolvers<Greeting>();
  readonly #lost = Promise.withResolvers<Loss>();
  /** What got through before, on other connections. */
  readonly #progress: number;
  #welcomeTimer: Timer | undefined;
  #liveness: Liveness | undefined;
  #watch: Watch | undefined;
  #draining: PromiseWithResolvers<void> | undefined;
  /** Pings that somebody waits for, by their marks. */
  readonly #probes = new Map<unknown, Probe>();
  #pings = 0;
  /** The mark of the last ping of the heartbeat. */
  #beat: unknown;
  #loss: Loss | undefined;
  #wasWelcomed = false;
  #farewell: (() => void) | undefined;

  /**
   * Says hello.
   *
   * @param link An open connection; it is listened to from now on.
   * @param session The session; it leaves any other connection.
   * @param options Timeouts and bounds.
   * @param sink Who listens.
   * @param compression Compresses what passes, if that is wanted.
   */
  constructor(
    link: Link,
    session: ClientSession,
    options: ResolvedOptions,
    sink: ConnectionSink,
    compression?: Compression,
  ) {
    this.#link = link;
    this.#wire = compression?.wrap(link) ?? link;
    this.#inflater = compression?.inflater({
      frame: (text) => session.receive(this.#wire, text),
      violation: (reason) => this.#refuse(reason),
    });
    this.#session = session;
    this.#options = options;
    this.#sink = sink;
    this.#progress = session.progress;
    const { connectTimeout, clock } = options;
    this.requests = new PrivateRequests({
      // They concern this connection alone: no other one is to carry them.
      send: (text, request) => this.#loss === undefined && this.send(text, request),
      lost: this.lost,
      timeout: connectTimeout,
      clock,
    });
    this.#welcomeTimer = clock.after(connectTimeout, () => {
      const reason = `The server did not answer the hello within ${connectTimeout} ms`;
      this.#giveUp({ code: CLOSE_CODES.HEARTBEAT_TIMEOUT, reason });
    });
    link.redirect({ frame: (data) => this.#frame(data), closed: (info) => this.#closed(info) });
    const reader = new PlainReader(
      {
        message: (message) => {
          if (!this.requests.settle(message)) sink.message(message, this);
        },
        fault: (error, reply) => {
          sink.fault(error);
          this.send(JSON.stringify(reply), reply);
        },
        violation: (code, reason) => this.#refuse(reason, code),
      },
      "client",
      options.maxReceiveBytes,
      options.maxDepth,
    );
    session.open(this.#wire, {
      message: (text) => {
        sink.frame(text.length);
        reader.read(text);
      },
      opened: (welcome, replayed) => this.#opened(welcome, replayed),
      pong: (mark) => this.#pong(mark),
      goaway: (goaway) => sink.goaway(goaway, this),
      left: () => this.#giveUp({ code: CLOSE_CODES.REPLACED, reason: "The session went on" }),
      unknown: (reason) => this.#settle({ type: "unknown", reason }),
      unspoken: () => this.#refuse("The server does not speak sessions after all"),
      ended: (end) => this.#ended(end),
      bye: () => this.#bye(),
      violation: (reason) => this.#refuse(reason),
    }, compression?.accept);
    // It may have been lost between two hellos.
    if (!link.isOpen) this.#lose({ code: 0, reason: "The connection was lost" });
  }

  /** Resolves with what became of the hello. */
  get greeting(): Promise<Greeting> {
    return this.#greeting.promise;
  }

  /** See {@linkcode LiveConnection}. */
  get lost(): Promise<Loss> {
    return this.#lost.promise;
  }

  /** Whether anything got through on this connection. */
  get hasProgressed(): boolean {
    return this.#session.progress > this.#progress;
  }

  /** See {@linkcode LiveConnection}. */
  get wasWelcomed(): boolean {
    return this.#wasWelcomed;
  }

  /** See {@linkcode LiveConnection}. */
  get isOpen(): boolean {
    return this.#link.isOpen;
  }

  /** See {@linkcode LiveConnection}. */
  get isCongested(): boolean {
    return this.#session.isBusy;
  }

  /** See {@linkcode LiveConnection}. What is safe to be repeated need not wait for the welcome. */
  mayRide(message: JsonRpcMessage, text: string): boolean {
    return "method" in message && "id" in message &&
      isSafeToRepeat(message.method, message.params, NO_TOOLS) &&
      this.#session.mayRide(text.length);
  }

  /** See {@linkcode LiveConnection}. */
  check(text: string): void {
    const limit = this.#session.maxMessageBytes;
    if (!this.#session.isOpen || text.length * 3 <= limit) return;
    const size = countBytes(text);
    if (size <= limit) return;
    throw new RangeError(
      `Cannot send message as the server takes ${limit} bytes: current size is ${size}`,
    );
  }

  /** See {@linkcode LiveConnection}. */
  send(text: string, message: JsonRpcMessage, settled?: (error?: Error) => void): void {
    this.#session.send(new Outgoing(message, text, settled));
  }

  /** See {@linkcode LiveConnection}. */
  sendTogether(parts: readonly Part[]): void {
    this.#session.sendTogether(parts.map(({ message, text }) => new Outgoing(message, text)));
  }

  /** See {@linkcode LiveConnection}. */
  drained(): Promise<void> {
    if (!this.isOpen || !this.isCongested) return Promise.resolve();
    return (this.#draining ??= this.#drain()).promise;
  }

  /** See {@linkcode LiveConnection}. A session answers every turn by itself. */
  escort(): void {}

  /** See {@linkcode LiveConnection}. */
  watch(watch: Watch): void {
    this.#watch = watch;
    if (this.#session.isOpen) this.#startWatching(watch);
  }

  /** See {@linkcode LiveConnection}. */
  prober(): (limits: AskLimits) => Promise<unknown> {
    return (limits) => this.#probe(limits);
  }

  /** See {@linkcode LiveConnection}. The session ends with it. */
  async close(): Promise<void> {
    if (!this.#session.bye()) return this.drop();
    this.#farewell = () => this.#link.close(CLOSE_CODES.DONE, "");
    const timer = this.#options.clock.after(BYE_TIMEOUT, () => this.drop());
    await this.lost;
    timer.clear();
    this.#session.end(new MCPConnectionError("The session was closed", { outcome: "unknown" }));
  }

  /** See {@linkcode LiveConnection}. The session stays. */
  drop(): void {
    this.#link.abandon();
    this.#lose({ code: CLOSE_CODES.DONE, reason: "" });
  }

  #frame(data: string | ArrayBuffer): void {
    this.#liveness?.seen();
    if (this.#inflater !== undefined) this.#inflater.take(data);
    else if (typeof data === "string") this.#session.receive(this.#wire, data);
    else this.#refuse("Binary frames were not negotiated");
  }

  /** What came in before is heard first. */
  #closed(info: CloseInfo): void {
    if (this.#inflater === undefined) this.#lose(info);
    else this.#inflater.after(() => this.#lose(info));
  }

  #opened(welcome: Welcome, replayed: number): void {
    this.#wasWelcomed = true;
    this.#settle({ type: "open", welcome, replayed });
    if (this.#watch !== undefined) this.#startWatching(this.#watch);
    for (const mark of this.#probes.keys()) this.#session.ping(mark);
    this.#draining?.resolve();
    this.#draining = undefined;
  }

  #startWatching({ heartbeat, pings }: Watch): void {
    const interval = Math.min(
      heartbeat.interval,
      this.#session.welcome?.pingMs ?? heartbeat.interval,
    );
    const ping = () => {
      this.#session.ping(this.#beat = ++this.#pings);
      return true;
    };
    const dead = () =>
      this.#giveUp({ code: CLOSE_CODES.HEARTBEAT_TIMEOUT, reason: "The peer is silent" });
    const policy = { ...heartbeat, interval };
    this.#liveness = new Liveness(policy, this.#options.clock, { ping, dead }, pings);
  }

  #pong(mark: unknown): void {
    this.#probes.get(mark)?.answered();
    if (mark === this.#beat) this.#liveness?.answered();
  }

  async #probe({ timeout = this.#options.connectTimeout, signal }: AskLimits): Promise<void> {
    signal?.throwIfAborted();
    if (this.#loss !== undefined) throw lossError(this.#loss);
    const mark = ++this.#pings;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const timer = this.#options.clock.after(timeout, () => {
      const text = `Peer did not answer a ping within ${timeout} ms`;
      reject(new MCPTimeoutError(text, timeout, { retryable: true }));
    });
    const abort = () => reject(signal?.reason);
    signal?.addEventListener("abort", abort, { once: true });
    this.#probes.set(mark, { answered: resolve, lost: reject });
    // Before the welcome nothing may be said but messages.
    if (this.#session.isOpen) this.#session.ping(mark);
    try {
      await promise;
    } finally {
      timer.clear();
      signal?.removeEventListener("abort", abort);
      this.#probes.delete(mark);
    }
  }

  #drain(): PromiseWithResolvers<void> {
    const draining = Promise.withResolvers<void>();
    const settle = () => {
      if (this.#draining === draining) this.#draining = undefined;
      draining.resolve();
    };
    // Before the welcome there is nothing to wait for but that.
    if (this.#session.isOpen) this.#session.room().then(settle);
    return draining;
  }

  #ended({ code, reason, retryAfterMs = 0 }: End): void {
    this.#link.abandon(CLOSE_CODES.DONE);
    this.#lose({ code, reason }, retryAfterMs);
  }

  #bye(): void {
    if (this.#farewell !== undefined) return this.#farewell();
    // The server leaves by itself: it is answered, and gone.
    this.#ended({ code: CLOSE_CODES.DONE, reason: "The server said goodbye" });
  }

  /** The peer does not keep to the protocol, or does not know it. */
  #refuse(reason: string, code: number = CLOSE_CODES.BAD_CONTROL): void {
    this.#sink.fault(
      new MCPConnectionError(reason, { kind: "protocol", code, retryable: false }),
    );
    this.#link.abandon(code, reason);
    this.#lose({ code, reason });
  }

  #giveUp(info: CloseInfo): void {
    this.#link.abandon();
    this.#lose(info);
  }

  #settle(greeting: Greeting): void {
    this.#welcomeTimer?.clear();
    this.#welcomeTimer = undefined;
    this.#greeting.resolve(greeting);
  }

  /** From here on the connection is nobody's; the session waits for another one. */
  #lose(info: CloseInfo, retryAfter?: number): void {
    if (this.#loss !== undefined) return;
    const wasWelcomed = this.#session.welcome !== undefined;
    const mayBePlain = this.#options.require === undefined;
    const loss = this.#loss = sessionLossOf(info, { wasWelcomed, mayBePlain, retryAfter });
    this.#liveness?.stop();
    this.#session.leave(this.#wire);
    this.#settle({ type: "lost", loss });
    this.#draining?.resolve();
    this.#draining = undefined;
    for (const { lost } of this.#probes.values()) lost(lossError(loss));
    this.#lost.resolve(loss);
  }
}
