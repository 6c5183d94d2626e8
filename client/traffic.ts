import { CANCELLED, cancelNotification } from "../protocol/mcp.ts";
import type { JsonRpcMessage } from "../protocol/jsonrpc.ts";
import { Handover } from "../protocol/session/handover.ts";
import type { Outgoing } from "../protocol/session/outgoing.ts";
import { MCPConnectionError, toError } from "../protocol/errors.ts";
import type { MessageExtra, SendOptions } from "../protocol/transport.ts";
import { Exchange, isInitialized, type Notice } from "./exchange.ts";
import type { LiveConnection, Part } from "./live_connection.ts";
import type { AskLimits } from "./private_requests.ts";
import { Outbox, type OutboxBounds, type Waiting, type WriteOptions } from "./outbox.ts";
import { Pump } from "./pump.ts";
import type { ResolvedOptions } from "./resolved_options.ts";
import type { Telemetry } from "./telemetry.ts";

/** What {@linkcode Traffic} needs. */
export interface TrafficOptions {
  /** Bounds and intervals, as they are now. */
  readonly options: () => ResolvedOptions;
  /** Counts and measures. */
  readonly telemetry: Telemetry;
  /** Whether a session is kept: then what is in flight outlives its connection. */
  readonly keepsSession: () => boolean;
  /** Gives a message to the application. */
  readonly deliver: (message: JsonRpcMessage, extra?: MessageExtra) => void;
}

/** A connection that is being left for another, as long as something is in flight on it. */
interface Leaving {
  readonly connection: LiveConnection;
  /** Ends what outlives the connection. */
  readonly end: () => void;
}

/** A message that came in on a connection before anything may flow over it. */
interface Early {
  readonly message: JsonRpcMessage;
  readonly from: LiveConnection;
}

/** A message of a batch. */
export interface BatchedMessage {
  /** The message. */
  readonly message: JsonRpcMessage;
  /** Its text. */
  readonly text: string;
  /** How to send it; its delivery is not confirmed. */
  readonly options: Omit<SendOptions, "delivered" | "deliveryTimeout"> | undefined;
}

/** Messages that may come in early; whoever sends more is hung up on. */
const MAX_EARLY = 1_024;

/** The application's messages, in both directions, over one connection after the other. */
export class Traffic {
  /** What waits for a connection, or for room in it. */
  readonly outbox: Outbox;
  readonly #context: TrafficOptions;
  readonly #pump: Pump;
  readonly #handover: Handover;
  #exchange: Exchange;
  /** Set while the application's messages may go out. */
  #connection: LiveConnection | undefined;
  #leaving: Leaving | undefined;
  /** Resolves when the connection that was left last is closed. */
  #left: Promise<void> = Promise.resolve();
  /** Messages of one batch that are about to leave together. */
  #gathered: { readonly group: object; readonly parts: Part[] } | undefined;
  /** What the next connection has brought while the present one still serves. */
  #early: Early[] = [];

  /** @param context Bounds, and who hears messages. */
  constructor(context: TrafficOptions) {
    this.#context = context;
    const { outbox, clock } = context.options();
    this.outbox = new Outbox(outbox, clock);
    this.#pump = new Pump(
      this.outbox,
      () => this.#connection,
      (waiting) => this.#gather(waiting),
      () => this.#release(),
    );
    this.#handover = new Handover({ message: (message) => context.deliver(message) });
    this.#exchange = this.#newExchange();
  }

  /** The connection that messages go out on. */
  get connection(): LiveConnection | undefined {
    return this.#connection;
  }

  /** What passed, and is in flight. */
  get exchange(): Exchange {
    return this.#exchange;
  }

  /**
   * Sends a message at once, if it can go.
   *
   * @returns Whether it went; if not, it is to be queued.
   * @throws What keeps it from ever going.
   */
  send(message: JsonRpcMessage, text: string, options: WriteOptions | undefined): boolean {
    const connection = this.#connectionOf(message);
    if (connection === undefined || !connection.isOpen || this.outbox.size > 0) return false;
    if (connection.isCongested && !connection.mayRide(message, text)) return false;
    this.#write(message, text, options);
    return true;
  }

  /** Whether a batch can go now, in one frame. */
  get canBatch(): boolean {
    const connection = this.#connection;
    return connection?.isOpen === true && !connection.isCongested && this.outbox.size === 0;
  }

  /** Sends a batch that can go now. Returns for each message why it did not go. */
  sendTogether(batch: readonly BatchedMessage[]): (Error | undefined)[] {
    const group = {};
    const errors = batch.map(({ message, text, options }) => {
      try {
        return void this.#gather({ message, text, options: { ...options, group } });
      } catch (thrown) {
        return toError(thrown);
      }
    });
    this.#release();
    return errors;
  }

  /** Queues a message. Returns nothing if it cancels one that had not left, which is all then. */
  queue(
    message: JsonRpcMessage,
    text: string,
    options: WriteOptions | undefined,
  ): void | Promise<void> {
    if (this.#withdraw(message)) return options?.settled?.();
    const sent = this.outbox.add(message, text, options, this.#roomFor(message, options));
    this.#pump.run();
    return sent;
  }

  /** Takes a message that came in. */
  receive(message: JsonRpcMessage, from: LiveConnection): void {
    const isLeaving = from === this.#leaving?.connection;
    const isEarly = !isLeaving && this.#connection !== undefined && from !== this.#connection;
    if (isEarly) return this.#hold({ message, from });
    const seen = this.#exchange.incoming(message, isLeaving ? "leaving" : "present");
    if (seen !== undefined) this.#handover.take(seen);
    this.#finishLeaving();
  }

  /**
   * Lets messages flow over a new connection: first what is repeated, then what waited.
   *
   * @returns How many requests are repeated.
   */
  attach(connection: LiveConnection, repeats: boolean): number {
    this.#connection = connection;
    const { options, telemetry } = this.#context;
    const { heartbeat } = options();
    if (heartbeat !== false) {
      const question = () => this.#exchange.question(heartbeat.discover);
      connection.watch({ heartbeat, question, pings: telemetry });
    }
    let repeated = repeats ? this.#repeat("present") : 0;
    // Nobody was there to repeat them to when their connection was lost.
    if (this.#leaving === undefined) repeated += this.#repeat("leaving");
    this.#pump.run();
    return repeated;
  }

  /** Leaves the connection; what is in flight stays so. */
  detach(): void {
    this.#connection?.drop();
    this.#connection = undefined;
  }

  /**
   * Moves to a new connection without losing what is in flight on the present
   * one, which stays until that has settled.
   *
   * @param next The new connection.
   * @param end Ends what outlives the present one.
   */
  move(next: LiveConnection, end: () => void): void {
    const connection = this.#connection;
    const early = this.#early.filter(({ from }) => from === next);
    this.#early = [];
    if (connection === undefined) return next.drop();
    this.#dropLeaving();
    const leaving = this.#leaving = { connection, end };
    const subscriptions = this.#exchange.leave();
    for (const { id } of subscriptions) {
      const cancel = cancelNotification(id, "The client moves to another connection");
      connection.send(JSON.stringify(cancel), cancel);
    }
    connection.lost.then(() => leaving === this.#leaving && this.#dropLeaving());
    this.attach(next, false);
    for (const request of subscriptions) next.send(JSON.stringify(request), request);
    for (const { message } of early) this.receive(message, next);
    this.#finishLeaving();
  }

  /** Gives up what is in flight: its session is lost, or there was none. */
  lose(mayRepeat: boolean): void {
    this.#tell(this.#exchange.lose(mayRepeat));
  }

  /** Gives up a message that never gets through. */
  fail({ lane, id }: Outgoing): void {
    if (lane === "request" && id !== undefined) this.#tell(this.#exchange.fail(id));
  }

  /** Gives a message of this end's own to the application, unless all is over meanwhile. */
  tellSoon(notice: Notice): void {
    const exchange = this.#exchange;
    queueMicrotask(() => exchange === this.#exchange && this.#tell([notice]));
  }

  /**
   * Ends everything; it can begin again.
   *
   * @param reason What those are told whose messages wait.
   * @param isFailure Whether requests in flight are answered.
   * @returns Resolves when the connection is closed, within a second.
   */
  async end(reason: Error, isFailure: boolean): Promise<void> {
    const closed = Promise.all([this.#connection?.close(), this.#left]);
    this.#connection = undefined;
    this.#leaving?.connection.drop();
    this.#leaving?.end();
    this.#leaving = undefined;
    this.#early = [];
    if (isFailure) {
      this.#tell([...this.#exchange.lose(false, "leaving"), ...this.#exchange.lose(false)]);
    }
    this.#handover.clear();
    this.outbox.clear(reason);
    this.#exchange = this.#newExchange();
    await closed;
  }

  /** What asks the peer for an answer now; `undefined` if it cannot be asked. */
  prober(): ((limits: AskLimits) => Promise<unknown>) | undefined {
    const { heartbeat } = this.#context.options();
    if (heartbeat === false) return undefined;
    return this.#connection?.prober(this.#exchange.question(heartbeat.discover));
  }

  #newExchange(): Exchange {
    const { options, telemetry } = this.#context;
    return new Exchange({ ...options(), meter: telemetry.requests });
  }

  /**
   * The room there is for a message, if not that of the outbox. What belongs to
   * requests of a peer whose session goes on is never refused for those of this
   * end that wait, nor is an answer for progress: nobody would ever send it again.
   */
  #roomFor(message: JsonRpcMessage, options: WriteOptions | undefined): OutboxBounds | undefined {
    const { congestion, maxInFlight } = this.#context.options();
    const isAnswer = !("method" in message);
    const isOwed = isAnswer || options?.relatedRequestId !== undefined;
    const isKept = isOwed && this.#context.keepsSession();
    if (this.#connection === undefined && !isKept) return undefined;
    if (!isAnswer) return congestion;
    return { ...congestion, maxMessages: congestion.maxMessages + maxInFlight };
  }

  /** Whether the message cancels a request that has not left, or died with its connection. */
  #withdraw(message: JsonRpcMessage): boolean {
    if (!("method" in message) || message.method !== CANCELLED) return false;
    const id = message.params?.requestId;
    if (this.outbox.withdraw(id)) return true;
    const isLost = this.#connection === undefined && !this.#context.keepsSession();
    return isLost && this.#exchange.conversation.forget(id);
  }

  /** Keeps what belongs to a batch until all of it is here; sends anything else. */
  #gather({ message, text, options }: Omit<Waiting, "queuedAt">): void {
    const group = options?.group;
    if (group !== this.#gathered?.group) this.#release();
    const connection = this.#connection;
    if (group === undefined || this.#connectionOf(message) !== connection) {
      return this.#write(message, text, options);
    }
    const outgoing = this.#prepare(connection, message, text, options);
    if (outgoing === undefined) return;
    const part = { message: outgoing, text: textOf(outgoing, message, text) };
    this.#gathered ??= { group, parts: [] };
    this.#gathered.parts.push(part);
  }

  #release(): void {
    const gathered = this.#gathered;
    this.#gathered = undefined;
    if (gathered !== undefined) this.#connection?.sendTogether(gathered.parts);
  }

  #write(message: JsonRpcMessage, text: string, options: WriteOptions | undefined): void {
    const connection = this.#connectionOf(message);
    const outgoing = this.#prepare(connection, message, text, options);
    if (outgoing === undefined) return;
    connection?.send(textOf(outgoing, message, text), outgoing, options?.settled);
    this.#finishLeaving();
  }

  /** Notes a message that leaves. Returns it as the peer knows it; nothing if it was settled. */
  #prepare(
    connection: LiveConnection | undefined,
    message: JsonRpcMessage,
    text: string,
    options: WriteOptions | undefined,
  ): JsonRpcMessage | undefined {
    connection?.check(text, options?.settled);
    const outgoing = this.#exchange.outgoing(message, options);
    if (outgoing === undefined) return void options?.settled?.(goneError());
    this.#context.telemetry.message("out", text.length);
    if (isInitialized(message)) connection?.escort();
    return outgoing;
  }

  /** The connection that a message belongs to: what concerns an earlier one goes there. */
  #connectionOf(message: JsonRpcMessage): LiveConnection | undefined {
    const leaving = this.#leaving;
    const isLeaving = leaving !== undefined && this.#exchange.sideOf(message) === "leaving";
    return isLeaving ? leaving.connection : this.#connection;
  }

  #repeat(side: "present" | "leaving"): number {
    const requests = [...this.#exchange.conversation.repeated(side)];
    for (const request of requests) this.#connection?.send(JSON.stringify(request), request);
    return requests.length;
  }

  /** Says goodbye to the connection that is being left when nothing is in flight on it any more. */
  #finishLeaving(): void {
    const leaving = this.#leaving;
    if (leaving === undefined || this.#exchange.leaving > 0) return;
    this.#leaving = undefined;
    this.#left = leaving.connection.close().then(leaving.end);
  }

  /** The connection that is being left is lost with what was in flight on it. */
  #dropLeaving(): void {
    const leaving = this.#leaving;
    if (leaving === undefined) return;
    this.#leaving = undefined;
    leaving.connection.drop();
    leaving.end();
    this.#tell(this.#exchange.lose(true, "leaving"));
    if (this.#connection !== undefined) this.#repeat("leaving");
  }

  #hold(early: Early): void {
    if (this.#early.push(early) > MAX_EARLY) early.from.drop();
  }

  #tell(notices: readonly Notice[]): void {
    if (notices.length > 0) this.#handover.flush();
    for (const { message, extra } of notices) this.#context.deliver(message, extra);
  }
}

/** Most messages leave as they came. */
function textOf(outgoing: JsonRpcMessage, message: JsonRpcMessage, text: string): string {
  return outgoing === message ? text : JSON.stringify(outgoing);
}

/** The error of who waits until the server has an answer to a request that it has forgotten. */
function goneError(): MCPConnectionError {
  const text = "Message was not sent: the request that it belongs to was lost";
  return new MCPConnectionError(text, {
    kind: "session",
    outcome: "not-sent",
    retryable: false,
  });
}
