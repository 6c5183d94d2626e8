import { ulid } from "@std/ulid";
import { authenticationAnswer } from "./auth/authenticate.ts";
import type { Principal } from "./auth/principal.ts";
import { type JudgeOwnToken, Renewal } from "./auth/renewal.ts";
import { type Clock, systemClock } from "../protocol/clock.ts";
import type { ChannelSendOptions, OpenChannel } from "../protocol/channel.ts";
import { CLOSE_CODES } from "../protocol/close_codes.ts";
import { MCPRpcError, toError } from "../protocol/errors.ts";
import { guard } from "../protocol/guard.ts";
import {
  ERROR_CODES,
  errorResponse,
  isNotification,
  isRequest,
  isRequestId,
  isResponse,
  type JsonRpcMessage,
  type JsonRpcRequest,
  type JsonRpcResponse,
  type RequestId,
} from "../protocol/jsonrpc.ts";
import { AUTHENTICATE, CANCELLED } from "../protocol/mcp.ts";
import type { CloseInfo } from "../protocol/link.ts";
import { SocketTransport } from "../protocol/socket_transport.ts";
import type { AuthInfo, MessageExtra, SendOptions } from "../protocol/transport.ts";
import { checkCloseCode } from "./close_code.ts";
import { InFlight } from "./in_flight.ts";
import type { RequestSnapshot } from "./request.ts";
import { TokenBucket } from "./token_bucket.ts";
import { type RateOptions, TrafficLimit } from "./traffic_limit.ts";
import type { ClientIdentity } from "./visitor.ts";

/** What is written between two looks at what is held, in UTF-16 units: a look costs a call. */
const LOOK_INTERVAL = 16 * 1024;

/** Requests that may be refused in a second at least, without harm. */
const MIN_PATIENCE = 100;

/** Told what a connection does, as often as it does it: it must be quick, and not throw. */
export interface TransportMeter {
  /** A message came in or went out; absent if nobody wants to know. */
  readonly message?: ((direction: "in" | "out") => void) | undefined;
  /**
   * A request was answered.
   *
   * @param duration The time since it came in, in milliseconds.
   */
  answered(duration: number): void;
  /**
   * An answer was an error.
   *
   * @param code Its JSON-RPC code.
   */
  failed(code: number): void;
}

/** Options of {@linkcode WebSocketServerTransport}. */
export interface WebSocketServerTransportOptions {
  /**
   * Which end of the socket this is: the one that accepted it, or the one that
   * dialled it.
   *
   * @default {"server"}
   */
  readonly end?: "server" | "client" | undefined;
  /** The upgrade request, if there was one. */
  readonly request?: RequestSnapshot | undefined;
  /** Whom the connection belongs to. */
  readonly principal?: Principal | undefined;
  /** The same as the SDKs read it. */
  readonly authInfo?: AuthInfo | undefined;
  /**
   * Judges a token that the client sends later on, with a request `authenticate`.
   * With it, the connection ends when the principal's admission does; a session
   * waits for a fresh credential.
   */
  readonly judgeToken?: JudgeOwnToken | undefined;
  /**
   * The largest message that is taken, in bytes of UTF-8.
   *
   * @default {10_485_760}
   */
  readonly maxMessageBytes?: number | undefined;
  /**
   * The largest message that is sent, in bytes of UTF-8.
   *
   * @default {67_108_864}
   */
  readonly maxSendBytes?: number | undefined;
  /**
   * How many requests may be in flight; above that, they are answered with -32603.
   *
   * @default {16_384}
   */
  readonly maxInFlight?: number | undefined;
  /**
   * How deep arrays and objects may be nested in a message. A deeper one is
   * answered with -32600.
   *
   * @default {64}
   */
  readonly maxDepth?: number | undefined;
  /**
   * How many messages a batch may hold, which clients of revision 2025-03-26
   * may send over plain `mcp`. A larger one is answered with -32600.
   *
   * @default {100}
   */
  readonly maxBatchItems?: number | undefined;
  /** How much the client may send; without it, as much as it likes. */
  readonly rate?: RateOptions | undefined;
  /** Called when so much was written that somebody should look at what is held. */
  readonly onWritten?: ((transport: WebSocketServerTransport) => void) | undefined;
  /** Told of what goes wrong, besides whoever holds the `onerror` slot. */
  readonly onError?: ((error: Error, transport: WebSocketServerTransport) => void) | undefined;
  /** Told once how the connection has ended, after whoever holds the `onclose` slot. */
  readonly onEnd?: ((info: CloseInfo, transport: WebSocketServerTransport) => void) | undefined;
  /** Told what there is to count. */
  readonly meter?: TransportMeter | undefined;
  /** Where time comes from. */
  readonly clock?: Clock | undefined;
}

/** How to send what shares no frame. */
const ALONE: ChannelSendOptions = { joins: false };

/**
 * One connection of a server. It is a transport as both official SDKs define
 * it: give it to `connect` of an SDK's server, or to a `JsonRpcPeer`.
 *
 * @example Answer every message by hand
 * ```ts
 * import { createWebSocketHandler } from "@bowline/mcp-websocket/server";
 * import { assertEquals } from "@std/assert";
 *
 * await using handler = createWebSocketHandler(async (session) => {
 *   session.onmessage = async (message) => {
 *     if ("id" in message) await session.send({ jsonrpc: "2.0", id: message.id!, result: {} });
 *   };
 *   await session.start();
 * });
 * const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, handler.fetch);
 *
 * const socket = new WebSocket(`ws://127.0.0.1:${server.addr.port}/mcp`, "mcp");
 * socket.onopen = () => socket.send('{"jsonrpc":"2.0","id":1,"method":"ping"}');
 * const answer = await new Promise((resolve) => socket.onmessage = ({ data }) => resolve(data));
 * assertEquals(answer, '{"jsonrpc":"2.0","id":1,"result":{}}');
 *
 * await handler.close();
 * await server.shutdown();
 * ```
 */
export class WebSocketServerTransport extends SocketTransport {
  /** Names the connection: a ULID. It is a label, not a secret. */
  readonly id: string = ulid();
  /** The upgrade request, or `undefined` if the server dialled. It may hold credentials. */
  readonly request: RequestSnapshot | undefined;
  /** What handlers are told besides each message, in the shape both SDKs read. */
  readonly extra: MessageExtra | undefined;
  /** When the connection opened, in milliseconds since 1970. */
  readonly connectedAt: number;

  readonly #end: "server" | "client";
  readonly #clock: Clock;
  readonly #maxInFlight: number;
  readonly #onError: WebSocketServerTransportOptions["onError"];
  readonly #onEnd: WebSocketServerTransportOptions["onEnd"];
  readonly #inFlight: InFlight;
  /** Requests that may be refused before the client is sent away. */
  #patience: TokenBucket | undefined;
  readonly #meter: TransportMeter | undefined;
  readonly #onTraffic: TransportMeter["message"];
  readonly #renewal: Renewal;
  #lastActivity: number;
  #messagesIn = 0;
  #messagesOut = 0;
  readonly #onWritten: WebSocketServerTransportOptions["onWritten"];
  /** What was written since somebody looked, in UTF-16 units. */
  #unseen = 0;

  /**
   * Takes over a socket; messages are held until `start()`.
   *
   * @param source A socket that is open; its handlers are taken over. Or what
   * opens another kind of channel.
   * @param options Bounds, and where the connection comes from.
   * @throws {TypeError} If the socket is not open.
   */
  constructor(
    source: WebSocket | OpenChannel,
    options: WebSocketServerTransportOptions = {},
  ) {
    const {
      end = "server",
      request,
      maxMessageBytes = 10 * 1024 * 1024,
      maxSendBytes,
      maxInFlight = 16_384,
      onError,
      clock = systemClock,
    } = options;
    const { principal, authInfo, judgeToken, maxDepth, maxBatchItems, rate } = options;
    const renewal = new Renewal({ principal, authInfo }, judgeToken, clock);
    const extra = request && new UpgradeExtra(request, renewal);
    super(source, {
      end,
      extra,
      clock,
      maxSendBytes,
      maxReceiveBytes: maxMessageBytes,
      maxDepth,
      maxBatchItems,
      throttle: rate && isSocket(source) ? new TrafficLimit(rate, clock) : undefined,
    });
    this.sessionId = this.id;
    this.request = request;
    this.extra = extra;
    this.connectedAt = clock.now();
    this.#lastActivity = this.connectedAt;
    this.#end = end;
    this.#clock = clock;
    this.#maxInFlight = maxInFlight;
    this.#inFlight = new InFlight(maxInFlight);
    this.#onError = onError;
    this.#onEnd = options.onEnd;
    this.#meter = options.meter;
    this.#onWritten = options.onWritten;
    this.#onTraffic = options.meter?.message;
    this.#renewal = renewal;
    renewal.watch(() => this.suspend(CLOSE_CODES.UNAUTHENTICATED, "The credential has expired"));
  }

  /** Whom the connection belongs to, as far as anybody knows. */
  get principal(): Principal | undefined {
    return this.#renewal.identity.principal;
  }

  /** The same as the SDKs read it. It holds the token: never log it. */
  get authInfo(): AuthInfo | undefined {
    return this.#renewal.identity.authInfo;
  }

  /** When the last message came in, in milliseconds since 1970. */
  get lastActivity(): number {
    return this.#lastActivity;
  }

  /** How many messages came in. */
  get messagesIn(): number {
    return this.#messagesIn;
  }

  /** How many messages went out. */
  get messagesOut(): number {
    return this.#messagesOut;
  }

  /** How many requests of the client wait for their answer; subscriptions do not count. */
  get running(): number {
    return this.#inFlight.running;
  }

  /**
   * Waits until no request of the client waits for its answer.
   *
   * @param signal Gives up waiting.
   * @returns Resolves when none does, or when the connection has ended.
   * @throws The reason of the signal, when it is aborted.
   */
  async idle(signal?: AbortSignal): Promise<void> {
    await this.#inFlight.idle(signal);
  }

  /**
   * Sends a message that was serialised and checked before, as a broadcast does.
   *
   * @param text A JSON-RPC message.
   * @param message The same, parsed; without it the text counts as a notification.
   * @param joins Whether it may share a frame with others of this turn. Who sends
   * to thousands is faster without: nobody has to be visited twice.
   * @returns Whether the connection was open.
   */
  relay(text: string, message?: JsonRpcMessage, joins = true): boolean {
    if (!this.isOpen) return false;
    // Whoever relays does not wait: what is too much ends the connection.
    try {
      this.write(text, message, joins ? undefined : ALONE)?.catch((thrown) =>
        this.report(toError(thrown))
      );
    } catch (thrown) {
      this.report(toError(thrown));
    }
    return true;
  }

  /**
   * Notes that its client has come back with another credential.
   *
   * @param identity The same principal, as it is known by now.
   */
  identify({ principal, authInfo }: ClientIdentity): void {
    this.#renewal.replace({ principal, authInfo });
  }

  /**
   * Sends the client away.
   *
   * @param reason Why, in words fit for the client.
   * @param code The close code; clients do not come back after the default.
   * @default {1000} code
   * @returns Resolves within a second.
   * @throws {RangeError} If no endpoint may send the code.
   */
  async disconnect(
    reason: string,
    code: number = CLOSE_CODES.DONE,
  ): Promise<void> {
    await this.close(code, reason);
  }

  /**
   * Ends the connection.
   *
   * @param code The close code. On a socket that the server dialled, one that
   * only servers may send becomes 1000.
   * @param reason Why, in words fit for the client.
   * @returns Resolves within a second, also towards a silent peer.
   * @throws {RangeError} If no endpoint may send the code.
   */
  override async close(
    code: number = CLOSE_CODES.DONE,
    reason = "",
  ): Promise<void> {
    checkCloseCode(code);
    const isServerCode = code > CLOSE_CODES.DONE && code < 3_000;
    const sent = this.#end === "client" && isServerCode ? CLOSE_CODES.DONE : code;
    await super.close(sent, reason);
  }

  /**
   * Sends a message without making a promise, unless the socket is full.
   *
   * @param message The message.
   * @param options Whether to wait until the other application has it.
   * @returns Nothing, or a promise for when there is room for more.
   */
  override post(
    message: JsonRpcMessage,
    options?: SendOptions,
  ): void | Promise<void> {
    const waiting = super.post(message, options);
    if (isResponse(message)) this.#noteAnswer(message);
    return waiting;
  }

  /** Sends text that is known to be a message. */
  protected override write(
    text: string,
    message?: JsonRpcMessage,
    options?: ChannelSendOptions,
  ): void | Promise<void> {
    const waiting = super.write(text, message, options);
    this.#messagesOut++;
    this.#onTraffic?.("out");
    this.#unseen += text.length;
    if (this.#unseen >= LOOK_INTERVAL) {
      this.#unseen = 0;
      this.#onWritten?.(this);
    }
    return waiting;
  }

  /** Gives a message to the application. */
  protected override deliver(message: JsonRpcMessage): void {
    const now = this.#clock.now();
    this.#messagesIn++;
    this.#lastActivity = now;
    this.#onTraffic?.("in");
    if (isRequest(message)) {
      if (message.method === AUTHENTICATE && this.#renewal.isPossible) return this.#renew(message);
      const refusal = this.#findRefusal(message.id);
      if (refusal !== undefined) return this.#refuse(message.id, refusal, now);
      this.#inFlight.add(message.id, message.method, now);
    } else if (isNotification(message) && message.method === CANCELLED) {
      this.#settle(message.params?.requestId);
    }
    super.deliver(message);
  }

  /** Notes how the connection has ended, and tells. */
  protected override ended(info: CloseInfo): void {
    super.ended(info);
    this.#inFlight.clear();
    this.#renewal.stop();
    this.#onEnd?.(info, this);
  }

  /** Tells the application what went wrong. */
  protected override report(error: Error): void {
    super.report(error);
    this.#onError?.(error, this);
  }

  /** A fresh token is nobody's business but the transport's. */
  #renew({ id, params }: JsonRpcRequest): void {
    const answer = async () => {
      const fault = await this.#renewal.renew(params?.token);
      const response = authenticationAnswer(id, fault);
      this.relay(JSON.stringify(response), response);
      if (fault !== undefined) this.#meter?.failed(ERROR_CODES.AUTHENTICATION_REQUIRED);
    };
    guard(answer, (error) => this.report(error));
  }

  #findRefusal(id: RequestId): MCPRpcError | undefined {
    if (this.#inFlight.has(id)) {
      // Not named: it may be as long as a message.
      return new MCPRpcError(ERROR_CODES.INVALID_REQUEST, "The id of the request is in use");
    }
    if (!this.#inFlight.isFull) return undefined;
    const limit = this.#maxInFlight;
    const text = `More than ${limit} requests are in flight`;
    return new MCPRpcError(ERROR_CODES.INTERNAL_ERROR, text, { data: { limit } });
  }

  /** Whoever goes on asking too much is told so, and sent away. */
  #refuse(id: RequestId, error: MCPRpcError, now: number): void {
    const response = errorResponse(error, id);
    this.relay(JSON.stringify(response), response);
    this.#meter?.failed(response.error.code);
    const perSecond = Math.max(this.#maxInFlight, MIN_PATIENCE);
    this.#patience ??= new TokenBucket({ perSecond }, now);
    if (this.#patience.take(now)) return;
    this.suspend(CLOSE_CODES.SLOW_CONSUMER, "Too many requests were refused; retry-after=5");
  }

  #noteAnswer(response: JsonRpcResponse): void {
    const since = this.#settle(response.id);
    const meter = this.#meter;
    if (meter === undefined) return;
    if (since !== undefined) meter.answered(this.#clock.now() - since);
    if ("error" in response) meter.failed(response.error.code);
  }

  #settle(id: unknown): number | undefined {
    return isRequestId(id) ? this.#inFlight.settle(id) : undefined;
  }
}

function isSocket(source: WebSocket | OpenChannel): source is WebSocket {
  return typeof source !== "function";
}

/** What is known of a connection, made when somebody looks. */
class UpgradeExtra implements MessageExtra {
  declare readonly authInfo: AuthInfo | undefined;
  declare readonly request: Request;
  declare readonly requestInfo: NonNullable<MessageExtra["requestInfo"]>;
  readonly #snapshot: RequestSnapshot;
  readonly #renewal: Renewal;
  #request: Request | undefined;
  #requestInfo: MessageExtra["requestInfo"];

  /** Own properties, so that they survive `{ ...extra }`, with the same functions for all. */
  static readonly #PROPERTIES: PropertyDescriptorMap & ThisType<UpgradeExtra> = {
    authInfo: {
      enumerable: true,
      get() {
        return this.#renewal.identity.authInfo;
      },
    },
    request: {
      enumerable: true,
      get() {
        const { url, headers } = this.#snapshot;
        return this.#request ??= new Request(url, { headers });
      },
    },
    requestInfo: {
      enumerable: true,
      get() {
        const { url, headers } = this.#snapshot;
        return this.#requestInfo ??= { headers: Object.fromEntries(headers), url: new URL(url) };
      },
    },
  };

  constructor(snapshot: RequestSnapshot, renewal: Renewal) {
    this.#snapshot = snapshot;
    this.#renewal = renewal;
    Object.defineProperties(this, UpgradeExtra.#PROPERTIES);
  }
}
