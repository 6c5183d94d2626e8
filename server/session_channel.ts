import { afterTurn } from "../protocol/after_turn.ts";
import type { Channel, ChannelSendOptions, ChannelSink, Throttle } from "../protocol/channel.ts";
import type { Clock, Timer } from "../protocol/clock.ts";
import { CLOSE_CODES } from "../protocol/close_codes.ts";
import { MCPConnectionError, MCPRpcError } from "../protocol/errors.ts";
import {
  ERROR_CODES,
  errorResponse,
  type JsonRpcErrorResponse,
  type JsonRpcMessage,
} from "../protocol/jsonrpc.ts";
import type { CloseInfo, Link, LinkEvents } from "../protocol/link.ts";
import { Liveness, type LivenessEvents } from "../protocol/liveness.ts";
import { PlainReader, type PlainSink } from "../protocol/plain.ts";
import { quote } from "../protocol/quote.ts";
import {
  type End,
  type EndName,
  goawayFrame,
  type Hello,
  type Welcome,
  welcomeFrame,
} from "../protocol/session/control.ts";
import { awaitDelivery } from "../protocol/session/delivery.ts";
import { OPEN_SIZES } from "../protocol/session/frames.ts";
import { Handover } from "../protocol/session/handover.ts";
import { DEFLATE } from "../protocol/session/deflater.ts";
import type { Inflater } from "../protocol/session/inflater.ts";
import {
  SessionEnd,
  type SessionEvents,
  type SteeringFrame,
} from "../protocol/session/session_end.ts";
import { Outgoing } from "../protocol/session/outgoing.ts";
import type { Wire } from "../protocol/session/wire.ts";
import { atTurnEnd } from "../protocol/turn_end.ts";
import { Backlog, type BacklogEvents } from "./backlog.ts";
import { countBytes } from "../protocol/utf8.ts";
import type { Compression } from "./compression.ts";
import { awaitLeave, dismiss } from "./farewell.ts";
import type { Holder, SessionBudget } from "./session_budget.ts";
import type { SessionEnding } from "./session_meter.ts";
import type { SessionSettings } from "./session_options.ts";
import { countMessages, TrafficLimit } from "./traffic_limit.ts";

/** Told once when the client has a message, or why it never will. */
export type Settled = (error?: Error) => void;

/** What a {@linkcode SessionChannel} needs. */
export interface SessionChannelOptions {
  /** Bounds. */
  readonly settings: SessionSettings;
  /** Who the server is; clients are told. */
  readonly server: EndName | undefined;
  /** The room that all sessions share. */
  readonly budget: SessionBudget;
  /** Compresses frames, if that is wanted. */
  readonly compression?: Compression | undefined;
  /** Called once, when no connection can take the session up any more, with the close code. */
  readonly onEnd: (code: number, ending: SessionEnding) => void;
  /** Called each time that it has lost or given up a connection, with the close code. */
  readonly onDetach: (code: number) => void;
  /** Notes a message elsewhere, too, if there is such a place. Returns what is told when the client has it. */
  readonly journal: (text: string, settled: Settled | undefined) => Settled | undefined;
  /** Told what becomes of its connections, for whoever looks for a fault. */
  readonly log: (text: string) => void;
  /** Where time comes from. */
  readonly clock: Clock;
}

/** How long to wait for any sign of life after a ping, in milliseconds. */
const PING_TIMEOUT = 5_000;
/** How many pings in a row may stay unanswered. */
const MAX_MISSED = 3;

/** A session of one client: it outlives its connections and ends once. */
export class SessionChannel
  implements Channel, Holder, LinkEvents, SessionEvents, LivenessEvents, BacklogEvents {
  /** What becomes of what it reads. */
  static readonly #Reading = class implements PlainSink {
    readonly #channel: SessionChannel;

    constructor(channel: SessionChannel) {
      this.#channel = channel;
    }

    message(message: JsonRpcMessage): void {
      this.#channel.#handover.take(message);
    }

    fault(error: Error, reply: JsonRpcErrorResponse): void {
      this.#channel.#sink.fault(error);
      // Whoever was told may have ended the session.
      if (this.#channel.isOpen) this.#channel.#post(JSON.stringify(reply), reply);
    }

    violation(code: number, reason: string): void {
      this.#channel.#violate(code, reason);
    }
  };

  /** See {@linkcode Channel}. */
  readonly protocol = "bowline.v1";
  readonly #options: SessionChannelOptions;
  readonly #sink: ChannelSink;
  readonly #end: SessionEnd;
  readonly #reader: PlainReader;
  readonly #handover: Handover;
  /** It belongs to the session: whoever comes back finds it as it was left. */
  readonly #throttle: Throttle | undefined;
  #link: Link | undefined;
  /** Reads binary frames of the present connection, if they are taken. */
  #inflater: Inflater | undefined;
  #liveness: Liveness | undefined;
  #backlog: Backlog | undefined;
  #expiry: Timer | undefined;
  /** Set when the client was asked to move: until when, and why. */
  #retirement: { readonly until: number; readonly reason: string } | undefined;
  /** Bytes of it that the budget knows of. */
  #charged = 0;
  /** Resolves when the connections are closed that were given up last. */
  #leaving: Promise<unknown> | undefined;
  /** Set when it is over, although the last connection may still be closing. */
  #ended: CloseInfo | undefined;

  /**
   * @param sink Who listens.
   * @param options Bounds.
   */
  constructor(sink: ChannelSink, options: SessionChannelOptions) {
    const { settings, clock } = options;
    this.#options = options;
    this.#sink = sink;
    this.#throttle = settings.rate && new TrafficLimit(settings.rate, clock);
    this.#handover = new Handover(sink);
    this.#reader = new PlainReader(
      new SessionChannel.#Reading(this),
      "server",
      settings.limits.messageBytes,
      settings.maxDepth,
    );
    this.#end = new SessionEnd({
      limits: settings.limits,
      sizes: OPEN_SIZES,
      clock,
      soon: atTurnEnd,
      endTurn: afterTurn,
      events: this,
    });
  }

  /** See {@linkcode Channel}. */
  get isOpen(): boolean {
    return this.#ended === undefined;
  }

  /** See {@linkcode Channel}. */
  get isAttached(): boolean {
    return this.#link !== undefined;
  }

  /** See {@linkcode Channel}. */
  get bufferedAmount(): number {
    return this.#link?.bufferedAmount ?? 0;
  }

  /** See {@linkcode Channel}. What is in the socket is held, too, until it is acknowledged. */
  get heldBytes(): number {
    return this.#end.bufferedBytes;
  }

  /** See {@linkcode Channel}. */
  get bufferedMessages(): number {
    return this.#end.bufferedMessages;
  }

  /**
   * Goes on over a new connection, if what the client lacks is still here; an
   * older connection is fenced off then.
   *
   * @param link The connection.
   * @param hello What the client said on it.
   * @param resumed Whether the client knows the session.
   * @returns What the client's count means.
   */
  attach(link: Link, hello: Hello, resumed: boolean): "resumable" | "lost" | "impossible" {
    const judgement = this.isOpen ? this.#end.judge(hello.received) : "lost";
    if (judgement === "resumable") {
      this.#fence();
      this.#take(link, hello, resumed);
    }
    return judgement;
  }

  /** Takes a frame of the present connection. */
  receive(link: Link, data: string | ArrayBuffer): void {
    if (link !== this.#link) return;
    this.#liveness?.seen();
    if (typeof data === "string") this.#read(data);
    else if (this.#inflater !== undefined) this.#inflater.take(data);
    else this.#violate(CLOSE_CODES.BAD_CONTROL, "Unknown kind of frame");
  }

  /** See {@linkcode LinkEvents}. */
  frame(data: string | ArrayBuffer, from: Link): void {
    this.receive(from, data);
  }

  /** See {@linkcode LinkEvents}. */
  closed(info: CloseInfo, from: Link): void {
    this.#detach(from, info);
  }

  /** See {@linkcode SessionEvents}. */
  message(text: string): void {
    this.#reader.read(text);
  }

  /** See {@linkcode SessionEvents}. */
  control(frame: SteeringFrame): void {
    this.#steer(frame);
  }

  /** See {@linkcode SessionEvents}. */
  pong(): void {}

  /** See {@linkcode SessionEvents}. */
  violation(reason: string): void {
    this.#violate(CLOSE_CODES.BAD_CONTROL, reason);
  }

  /** See {@linkcode SessionEvents}. */
  poisoned(message: Outgoing): void {
    this.#replace(message);
  }

  /** See {@linkcode SessionEvents}. */
  written(): void {
    this.#backlog?.written();
  }

  /** See {@linkcode LivenessEvents}. */
  ping(): boolean {
    this.#end.ping(0);
    return true;
  }

  /** See {@linkcode LivenessEvents}. */
  dead(): void {
    this.#giveUp({ code: CLOSE_CODES.HEARTBEAT_TIMEOUT, reason: "The client is silent" });
  }

  /** See {@linkcode BacklogEvents}. */
  stuck(): void {
    this.#giveUp({ code: CLOSE_CODES.SLOW_CONSUMER, reason: "The client does not read" });
  }

  /** Notes that somebody else has the session now: it ends here, without a word. */
  lose(): void {
    this.#fence();
    this.#finish("lost", { code: CLOSE_CODES.REPLACED, reason: "The session was taken over" });
  }

  /** See {@linkcode Channel}. */
  listen(): void {
    this.#end.listen();
  }

  /** See {@linkcode Channel}. */
  send(
    text: string,
    message?: JsonRpcMessage,
    options?: ChannelSendOptions,
  ): void | Promise<void> {
    if (this.#ended !== undefined) throw endedError(this.#ended);
    this.#checkSize(text);
    if (options?.delivered === true) {
      const { deliveryTimeout: timeout, signal } = options;
      const delivery = awaitDelivery(this.#options.clock, { timeout, signal });
      this.#post(text, message, delivery.settled);
      return delivery.promise;
    }
    this.#post(text, message, undefined, options?.joins);
    if (this.#end.isBusy || this.#options.budget.isExhausted) return this.#room();
  }

  /** See {@linkcode Channel}. */
  retire(afterMs: number, reason: string): boolean {
    if (!this.isOpen) return false;
    this.#retirement = { until: this.#options.clock.now() + afterMs, reason };
    this.#link?.send(goawayFrame({ afterMs, reason, sessions: "lost" }));
    return true;
  }

  /** See {@linkcode Channel}. */
  suspend(code: number, reason: string): void {
    this.#sendAway({ code, reason });
  }

  /** See {@linkcode Channel}. */
  close(code: number, reason: string): void {
    this.#dismiss("closed", { code, reason });
  }

  /** See {@linkcode Holder}. */
  evict(): void {
    const reason = "There is no room for sessions without a connection";
    this.#finish("evicted", { code: CLOSE_CODES.TRY_AGAIN_LATER, reason });
  }

  #read(data: string): void {
    // What does not pass is not counted: the client sends it again when it comes back.
    const wait = this.#throttle?.take(data, countMessages(data)) ?? 0;
    if (wait > 0) return this.#slowDown(wait);
    this.#end.receive(data);
    // Only what steers makes room; what is sent meanwhile is charged by itself.
    if (data.startsWith("[")) this.#charge();
  }

  #checkSize(text: string): void {
    const limit = this.#end.maxMessageBytes;
    if (text.length * 3 <= limit) return;
    const size = countBytes(text);
    if (size <= limit) return;
    throw new RangeError(
      `Cannot send message as the client takes ${limit} bytes: current size is ${size}`,
    );
  }

  #post(text: string, message?: JsonRpcMessage, settled?: Settled, joins = true): void {
    const { settings } = this.#options;
    const told = this.#options.journal(text, settled);
    this.#end.send(new Outgoing(message, text, told, settled !== undefined), joins);
    this.#charge();
    if (this.#end.waitingMessages === 0) return;
    const { limits, maxWaitingMessages, maxWaitingBytes } = settings;
    const isOverflow = this.#end.bufferedMessages > limits.bufferMessages + maxWaitingMessages ||
      this.#end.bufferedBytes > limits.bufferBytes + maxWaitingBytes;
    if (isOverflow) this.#violate(CLOSE_CODES.SLOW_CONSUMER, "Too much waits for the client");
  }

  /** Resolves when there is room here, and where all sessions keep what they hold. */
  async #room(): Promise<void> {
    await this.#end.room();
    if (this.isOpen) await this.#options.budget.room(this);
  }

  /** Tells the budget what this session holds; something may have been written. */
  #charge(): void {
    this.#backlog?.written();
    const bytes = this.#ended === undefined ? this.#end.bufferedBytes : 0;
    const change = bytes - this.#charged;
    if (change === 0) return;
    this.#charged = bytes;
    this.#options.budget.change(change);
  }

  #take(link: Link, hello: Hello, resumed: boolean): void {
    const { settings, server } = this.#options;
    this.#link = link;
    link.redirect(this);
    this.#options.log(resumed ? "goes on over a new connection" : "was opened");
    const { received } = this.#end;
    link.send(welcomeFrame({ resumed, received, ...welcomeTerms(settings, server) }));
    this.#retireAgain(link);
    this.#watch(link);
    this.#end.attach(this.#wrap(link, hello.accept), hello);
    this.#charge();
  }

  /** What is written to a connection; it is read accordingly. */
  #wrap(link: Link, accept: readonly string[]): Wire {
    const { compression } = this.#options;
    this.#inflater = compression?.inflater({
      // It inflates at once: the connection is still the present one.
      frame: (text) => this.#read(text),
      violation: (reason) => this.#violate(CLOSE_CODES.BAD_CONTROL, reason),
    });
    return compression?.wrap(link, accept) ?? link;
  }

  #watch(link: Link): void {
    const { settings, clock } = this.#options;
    const policy = { interval: settings.pingMs, timeout: PING_TIMEOUT, maxMissed: MAX_MISSED };
    this.#liveness = new Liveness(policy, clock, this);
    this.#backlog = new Backlog(link, this.#end, clock, this);
  }

  /** Who comes back meanwhile is asked to move again, within the time that is left. */
  #retireAgain(link: Link): void {
    if (this.#retirement === undefined) return;
    const { until, reason } = this.#retirement;
    const afterMs = Math.max(until - this.#options.clock.now(), 0);
    link.send(goawayFrame({ afterMs, reason, sessions: "lost" }));
  }

  #steer(frame: SteeringFrame): void {
    if (frame.type !== "bye") {
      const reason = `A client cannot say "${frame.type}" now`;
      return this.#violate(CLOSE_CODES.BAD_CONTROL, reason);
    }
    const link = this.#link;
    if (link === undefined) return;
    const { clock } = this.#options;
    this.#end.bye(this.#end.received);
    const done = { code: CLOSE_CODES.DONE, reason: "" };
    this.#finish("done", done, (tell) => awaitLeave(link, done, clock, tell));
  }

  /** The connection is as good as dead; the session waits for another one. */
  #giveUp(info: CloseInfo): void {
    const link = this.#link;
    if (link === undefined) return;
    link.abandon(info.code, info.reason);
    this.#detach(link, info);
  }

  #detach(link: Link, { code, reason }: CloseInfo): void {
    if (link !== this.#link) return;
    const { budget, clock, settings } = this.#options;
    this.#unlink(code);
    this.#options.log(`has lost its connection: ${code} ${quote(reason)}`);
    this.#expiry = clock.after(settings.windowMs, () => {
      const reason = `The client did not come back within ${settings.windowMs} ms`;
      this.#finish("expired", { code: CLOSE_CODES.GOING_AWAY, reason });
    });
    // The last, as it may have to go at once.
    budget.detach(this);
  }

  /** Takes the connection away from whoever has it: a newer one has come, or will. */
  #fence(): void {
    const link = this.#link;
    this.#unlink(CLOSE_CODES.REPLACED);
    link?.abandon(CLOSE_CODES.REPLACED, "A newer connection has taken the session over");
  }

  #unlink(code: number): void {
    if (this.#link !== undefined) this.#options.onDetach(code);
    this.#link = undefined;
    this.#liveness?.stop();
    this.#liveness = undefined;
    this.#backlog?.stop();
    this.#backlog = undefined;
    this.#expiry?.clear();
    this.#expiry = undefined;
    this.#options.budget.attach(this);
    this.#end.detach();
  }

  /** A message that no proxy lets through: whoever waits for an answer gets another one. */
  #replace({ lane, id, settled }: Outgoing): void {
    const text = "A message never got through to the client";
    const error = new MCPConnectionError(text, { kind: "session", outcome: "unknown" });
    settled?.(error);
    this.#sink.fault(error);
    if (id === undefined || lane === "cancel") return;
    const data = { outcome: "unknown" };
    const answer = errorResponse(new MCPRpcError(ERROR_CODES.CONNECTION_LOST, text, { data }), id);
    if (lane === "response") this.#post(JSON.stringify(answer), answer);
    else this.#sink.message(answer);
  }

  #slowDown(retryAfterMs: number): void {
    const [code, reason] = [CLOSE_CODES.SLOW_CONSUMER, "Too much traffic"];
    this.#sink.fault(new MCPConnectionError(reason, { kind: "capacity", code }));
    this.#sendAway({ code, reason, retryAfterMs });
  }

  /** Ends the connection alone; the session waits for its client. */
  #sendAway(end: End): void {
    const link = this.#link;
    if (link === undefined) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#leaving = Promise.all([this.#leaving, promise]);
    this.#detach(link, end);
    dismiss(link, end, this.#options.clock, resolve);
  }

  #violate(code: number, reason: string): void {
    this.#sink.fault(new MCPConnectionError(reason, { kind: "protocol", code, retryable: false }));
    const ending = code === CLOSE_CODES.SLOW_CONSUMER ? "overflow" : "violation";
    this.#dismiss(ending, { code, reason });
  }

  /** Ends the session and sends its client away, if there is one. */
  #dismiss(ending: SessionEnding, info: CloseInfo): void {
    const link = this.#link;
    if (link === undefined) return this.#finish(ending, info);
    const { clock } = this.#options;
    this.#finish(ending, info, (tell) => dismiss(link, info, clock, tell));
  }

  /** Ends the session; `leave` closes its connection and says when that is done. */
  #finish(ending: SessionEnding, info: CloseInfo, leave?: (tell: () => void) => void): void {
    // What came in before is heard before the end, and may bring it about.
    this.#handover.flush();
    if (this.#ended !== undefined) return;
    this.#ended = info;
    this.#unlink(info.code);
    this.#end.end(() => endedError(info));
    this.#charge();
    this.#options.budget.release(this);
    this.#options.onEnd(info.code, ending);
    const leaving = this.#leaving;
    const tell = () => {
      if (leaving === undefined) return this.#sink.closed(info);
      leaving.then(() => this.#sink.closed(info));
    };
    if (leave === undefined) tell();
    else leave(tell);
  }
}

/** What every client is told, whether it gets its session or not. */
export function welcomeTerms(
  { limits, windowMs, pingMs, compression }: SessionSettings,
  server: EndName | undefined,
): Pick<Welcome, "limits" | "windowMs" | "pingMs" | "accept" | "server"> {
  const accept = compression?.receive ? [DEFLATE] : [];
  return { limits, windowMs, pingMs, accept, server };
}

function endedError({ code, reason }: CloseInfo): MCPConnectionError {
  const text = `The session has ended: ${reason || "it was closed"}`;
  return new MCPConnectionError(text, { kind: "session", code, outcome: "unknown" });
}
