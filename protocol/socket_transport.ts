import type { Channel, ChannelSendOptions, ChannelSink, OpenChannel, Throttle } from "./channel.ts";
import { type Clock, systemClock } from "./clock.ts";
import { CLOSE_CODES } from "./close_codes.ts";
import { MCPConnectionError, toError } from "./errors.ts";
import { guard } from "./guard.ts";
import { type JsonRpcMessage, serializeMessage } from "./jsonrpc.ts";
import { type CloseInfo, Link } from "./link.ts";
import { PlainChannel } from "./plain_channel.ts";
import { SESSION_SUBPROTOCOL } from "./subprotocol.ts";
import type { MessageExtra, SendOptions, Transport } from "./transport.ts";

/** Options of {@linkcode SocketTransport}. */
export interface SocketTransportOptions {
  /**
   * Which end of the socket this is. A client may only close with 1000 and
   * 3000–4999 (RFC 6455 as browsers implement it).
   *
   * @default {"client"}
   */
  readonly end?: "server" | "client" | undefined;
  /**
   * The largest message that is sent, in bytes of UTF-8.
   *
   * @default {67_108_864}
   */
  readonly maxSendBytes?: number | undefined;
  /**
   * The largest message that is taken, in bytes of UTF-8.
   *
   * @default {67_108_864}
   */
  readonly maxReceiveBytes?: number | undefined;
  /**
   * How deep arrays and objects may be nested in a message. A deeper one is
   * answered with -32600.
   *
   * @default {64}
   */
  readonly maxDepth?: number | undefined;
  /**
   * How many messages a batch may hold, which peers of revision 2025-03-26 may
   * send. A larger one is answered with -32600.
   *
   * @default {100}
   */
  readonly maxBatchItems?: number | undefined;
  /** Bounds how much the peer sends; whoever sends more is sent away with 4429. */
  readonly throttle?: Throttle | undefined;
  /** Given to the application with every message. */
  readonly extra?: MessageExtra | undefined;
  /** Where time comes from. */
  readonly clock?: Clock | undefined;
}

/**
 * Plain MCP over a WebSocket that is open already, whoever dialled it. It
 * lives as long as its socket.
 */
export class SocketTransport implements Transport, AsyncDisposable {
  /** See {@linkcode Transport}. */
  onclose?: (() => void) | undefined;
  /** See {@linkcode Transport}. */
  onerror?: ((error: Error) => void) | undefined;
  /** See {@linkcode Transport}. */
  onmessage?:
    | ((message: JsonRpcMessage, extra?: MessageExtra) => void)
    | undefined;
  /** See {@linkcode Transport}. */
  sessionId?: string | undefined;
  /** Makes a client of SDK v2 fall back to `initialize` when its probe is not answered. */
  readonly stderr: null = null;
  /** See {@linkcode SocketTransport.stderr}. */
  readonly pid: null = null;

  /** Reaches what nobody else may. */
  static readonly #Sink = class implements ChannelSink {
    readonly #transport: SocketTransport;

    constructor(transport: SocketTransport) {
      this.#transport = transport;
    }

    message(message: JsonRpcMessage): void {
      this.#transport.deliver(message);
    }

    fault(error: Error): void {
      this.#transport.report(error);
    }

    closed(info: CloseInfo): void {
      this.#transport.ended(info);
    }
  };

  readonly #channel: Channel;
  readonly #maxSendBytes: number;
  readonly #extra: MessageExtra | undefined;
  /** Made when somebody waits for it. */
  #closed: PromiseWithResolvers<CloseInfo> | undefined;
  #closeInfo: CloseInfo | undefined;
  #isCloseTold = false;

  /**
   * Takes over a socket; messages are held until `start()`.
   *
   * @param source A socket that is open; its handlers are taken over. Or what
   * opens another kind of channel.
   * @param options Bounds, and which end this is.
   * @throws {TypeError} If the socket is not open, or negotiated sessions: only who dialled it can.
   */
  constructor(source: WebSocket | OpenChannel, options: SocketTransportOptions = {}) {
    const maxBytes = 64 * 1024 * 1024;
    const {
      end = "client",
      maxSendBytes = maxBytes,
      maxReceiveBytes = maxBytes,
      maxDepth,
      maxBatchItems,
      throttle,
      clock = systemClock,
    } = options;
    this.#maxSendBytes = maxSendBytes;
    this.#extra = options.extra;
    const sink = new SocketTransport.#Sink(this);
    this.#channel = typeof source === "function" ? source(sink) : adoptSocket(source, sink, {
      end,
      maxSendBytes,
      maxReceiveBytes,
      maxDepth,
      maxBatchItems,
      throttle,
      clock,
    });
  }

  /** The subprotocol that is spoken. */
  get protocol(): "mcp" | "bowline.v1" {
    return this.#channel.protocol;
  }

  /** Whether messages can be sent. */
  get isOpen(): boolean {
    return this.#channel.isOpen;
  }

  /** Whether there is a socket: a session may be without one for a while. */
  get isAttached(): boolean {
    return this.#channel.isAttached;
  }

  /** Bytes that wait to leave. */
  get bufferedAmount(): number {
    return this.#channel.bufferedAmount;
  }

  /** Bytes that are held for the peer: in the socket, or until it has acknowledged them. */
  get heldBytes(): number {
    return this.#channel.heldBytes;
  }

  /** Messages that the peer may not have; `undefined` where that cannot be known. */
  get bufferedMessages(): number | undefined {
    return this.#channel.bufferedMessages;
  }

  /** Resolves when the connection has ended, with how it ended. */
  get closed(): Promise<CloseInfo> {
    if (this.#closed === undefined) {
      this.#closed = Promise.withResolvers<CloseInfo>();
      if (this.#closeInfo !== undefined) this.#closed.resolve(this.#closeInfo);
    }
    return this.#closed.promise;
  }

  /**
   * Lets messages through; what came in before is delivered first.
   *
   * @throws {MCPConnectionError} If the connection has ended already; `onclose`
   * is called then, if nobody listened when it ended.
   */
  start(): Promise<void> {
    if (this.#closeInfo !== undefined) {
      const error = this.#lossError("Cannot start transport");
      this.report(error);
      this.#tellClose();
      return Promise.reject(error);
    }
    this.#channel.listen();
    return Promise.resolve();
  }

  /**
   * Sends a message.
   *
   * @param message The message.
   * @param options Whether to wait until the other application has it.
   * @returns Resolves when it was taken and there is room for more.
   * @throws {TypeError} If it is no JSON-RPC message.
   * @throws {RangeError} If it is too large.
   * @throws {MCPConnectionError} If the connection has ended.
   */
  async send(message: JsonRpcMessage, options?: SendOptions): Promise<void> {
    await this.post(message, options);
  }

  /**
   * Sends a message without making a promise, unless the socket is full.
   *
   * @param message The message.
   * @param options Whether to wait until the other application has it.
   * @returns Nothing, or a promise for when there is room for more.
   */
  post(message: JsonRpcMessage, options?: SendOptions): void | Promise<void> {
    const text = serializeMessage(message, this.#maxSendBytes);
    if (!this.#channel.isOpen) throw this.#lossError("Cannot send message");
    return this.write(text, message, options);
  }

  /**
   * Ends the connection.
   *
   * @param code The close code.
   * @param reason Why, in words fit for the peer.
   * @returns Resolves within a second, also towards a silent peer.
   */
  async close(code: number = CLOSE_CODES.DONE, reason = ""): Promise<void> {
    this.#channel.close(code, reason);
    await this.closed;
  }

  /** Ends the connection. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /**
   * Asks the peer to move elsewhere.
   *
   * @param afterMs How long this end goes on, in milliseconds.
   * @param reason Why, in words fit for the peer.
   * @returns Whether it can be asked: peers that speak plain `mcp` cannot.
   */
  retire(afterMs: number, reason: string): boolean {
    return this.#channel.retire(afterMs, reason);
  }

  /** Ends the connection; a session waits for its owner to come back. */
  protected suspend(code: number, reason: string): void {
    this.#channel.suspend(code, reason);
  }

  /** Sends text that is known to be a message. */
  protected write(
    text: string,
    message?: JsonRpcMessage,
    options?: ChannelSendOptions,
  ): void | Promise<void> {
    return this.#channel.send(text, message, options);
  }

  /** Gives a message to the application. */
  protected deliver(message: JsonRpcMessage): void {
    try {
      this.#watch(this.onmessage?.(message, this.#extra));
    } catch (thrown) {
      this.report(toError(thrown));
    }
  }

  /** Tells the application what went wrong; a listener that fails has nobody left to tell. */
  protected report(error: Error): void {
    guard(() => this.onerror?.(error), () => {});
  }

  /** Notes how the connection has ended, and tells. */
  protected ended(info: CloseInfo): void {
    this.#closeInfo = info;
    this.#closed?.resolve(info);
    this.#tellClose();
  }

  #tellClose(): void {
    if (this.#isCloseTold || this.onclose === undefined) return;
    this.#isCloseTold = true;
    guard(() => this.onclose?.(), (error) => this.report(error));
  }

  /** A listener may be async; a rejection nobody handles would end the process. */
  #watch(outcome: unknown): void {
    if (outcome instanceof Promise) {
      outcome.catch((thrown) => this.report(toError(thrown)));
    }
  }

  #lossError(action: string): MCPConnectionError {
    return new MCPConnectionError(`${action}: the connection has ended`, {
      code: this.#closeInfo?.code,
      outcome: "not-sent",
    });
  }
}

/**
 * Speaks MCP over a socket that somebody else dialled: a device behind a NAT
 * that dials its host, for example. Give the transport to an SDK's `connect`,
 * to {@linkcode JsonRpcPeer}, or to this package's client or server.
 *
 * @param socket A socket that is open; its handlers are taken over.
 * @param options Bounds, and which end this is.
 * @returns The transport. It does not reconnect: whoever dialled does.
 */
export function adopt(
  socket: WebSocket,
  options?: SocketTransportOptions,
): SocketTransport {
  return new SocketTransport(socket, options);
}

function adoptSocket(
  socket: WebSocket,
  sink: ChannelSink,
  options: ConstructorParameters<typeof PlainChannel>[2],
): Channel {
  if (socket.protocol === SESSION_SUBPROTOCOL) {
    throw new TypeError(`Cannot adopt socket: it negotiated "${SESSION_SUBPROTOCOL}"`);
  }
  const unheard = { frame: () => {}, closed: () => {} };
  return new PlainChannel(Link.adopt(socket, unheard, options.clock), sink, options);
}
