import { type Clock, systemClock } from "./clock.ts";
import { CLOSE_CODES } from "./close_codes.ts";
import { MCPConnectionError, toError } from "./errors.ts";
import { guard } from "./guard.ts";
import { HeldFrames } from "./held_frames.ts";
import { type JsonRpcMessage, serializeMessage } from "./jsonrpc.ts";
import { type CloseInfo, HIGH_WATER, Link } from "./link.ts";
import { PlainReader } from "./plain.ts";
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

  readonly #link: Link;
  readonly #reader: PlainReader;
  readonly #maxSendBytes: number;
  /** What may wait for a peer that does not read: one message beyond the high-water mark. */
  readonly #maxBufferedBytes: number;
  readonly #extra: MessageExtra | undefined;
  readonly #closed = Promise.withResolvers<CloseInfo>();
  /** What came in before the start; it may take as much room as one message. */
  #held: HeldFrames | undefined;
  #closeInfo: CloseInfo | undefined;
  #isCloseTold = false;
  #isViolated = false;

  /**
   * Takes over a socket; messages are held until `start()`.
   *
   * @param socket A socket that is open; its handlers are taken over.
   * @param options Bounds, and which end this is.
   * @throws {TypeError} If the socket is not open.
   */
  constructor(socket: WebSocket, options: SocketTransportOptions = {}) {
    const { end = "client", maxReceiveBytes = 64 * 1024 * 1024 } = options;
    this.#maxSendBytes = options.maxSendBytes ?? 64 * 1024 * 1024;
    this.#held = new HeldFrames(maxReceiveBytes);
    this.#maxBufferedBytes = this.#maxSendBytes + HIGH_WATER;
    this.#extra = options.extra;
    this.#reader = new PlainReader(
      {
        message: (message) => this.deliver(message),
        fault: (error, reply) => {
          this.report(error);
          this.#link.send(JSON.stringify(reply));
        },
        violation: (code, reason) => this.#violate(code, reason),
      },
      end,
      maxReceiveBytes,
    );
    this.#link = Link.adopt(
      socket,
      { frame: (data) => this.#read(data), closed: (info) => this.#end(info) },
      options.clock ?? systemClock,
    );
  }

  /** Whether messages can be sent. */
  get isOpen(): boolean {
    return this.#link.isOpen;
  }

  /** Bytes that wait to leave. */
  get bufferedAmount(): number {
    return this.#link.bufferedAmount;
  }

  /** Resolves when the connection has ended, with how it ended. */
  get closed(): Promise<CloseInfo> {
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
    const held = this.#held?.release() ?? [];
    this.#held = undefined;
    for (const data of held) this.#read(data);
    return Promise.resolve();
  }

  /**
   * Sends a message.
   *
   * @param message The message.
   * @param options Accepted for the SDKs' sake.
   * @returns Resolves when the socket has taken it and has room for more.
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
   * @param _options Accepted for the SDKs' sake.
   * @returns Nothing, or a promise for when the socket has room again.
   */
  post(message: JsonRpcMessage, _options?: SendOptions): void | Promise<void> {
    const text = serializeMessage(message, this.#maxSendBytes);
    if (!this.#link.isOpen) throw this.#lossError("Cannot send message");
    return this.write(text);
  }

  /**
   * Ends the connection.
   *
   * @param code The close code.
   * @param reason Why, in words fit for the peer.
   * @returns Resolves within a second, also towards a silent peer.
   */
  async close(code: number = CLOSE_CODES.DONE, reason = ""): Promise<void> {
    this.#link.close(code, reason);
    await this.#closed.promise;
  }

  /** Ends the connection. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** Sends text that is known to be a message. */
  protected write(text: string): void | Promise<void> {
    const link = this.#link;
    link.send(text);
    if (!link.isCongested) return;
    if (link.bufferedAmount <= this.#maxBufferedBytes) return link.drained();
    this.#violate(CLOSE_CODES.SLOW_CONSUMER, "The peer reads too slowly");
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

  #read(data: unknown): void {
    if (this.#isViolated) return;
    // What is no text is a violation now as well as later.
    if (this.#held === undefined || typeof data !== "string") return this.#reader.read(data);
    if (this.#held.hold(data)) return;
    this.#violate(CLOSE_CODES.CLIENT_PROTOCOL_ERROR, "Too many messages before the start");
  }

  /** From here on the peer is not listened to, although it may go on for a while. */
  #violate(code: number, reason: string): void {
    this.#isViolated = true;
    this.#held = undefined;
    this.report(
      new MCPConnectionError(reason, {
        kind: "protocol",
        code,
        retryable: false,
      }),
    );
    this.#link.close(code, reason);
  }

  #end(info: CloseInfo): void {
    this.#closeInfo = info;
    this.#held = undefined;
    this.#closed.resolve(info);
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
