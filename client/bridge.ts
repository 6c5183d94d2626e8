import { delay } from "@std/async/delay";
import { MCPRpcError, toError } from "../protocol/errors.ts";
import {
  ERROR_CODES,
  errorResponse,
  isRequest,
  isResponse,
  type JsonRpcMessage,
  parseMessage,
  type RequestId,
} from "../protocol/jsonrpc.ts";
import { LineSplitter, readLines } from "../protocol/line_splitter.ts";
import { LineWriter } from "../protocol/line_writer.ts";
import { CANCELLED, LISTEN } from "../protocol/mcp.ts";
import type { Logger } from "../protocol/transport.ts";
import type { ReconnectOptions } from "./options.ts";
import type { WebSocketClientTransport } from "./transport.ts";

/** Options of {@linkcode bridge}. */
export interface BridgeOptions {
  /** The lines of the host. */
  readonly input: ReadableStream<Uint8Array>;
  /** The lines for the host; nothing but JSON-RPC is written. */
  readonly output: WritableStream<Uint8Array>;
  /** Told what goes wrong. */
  readonly logger?: Logger | undefined;
  /** Ends the bridge in good order. */
  readonly signal?: AbortSignal | undefined;
  /**
   * How long requests may still be answered when the host says no more, in
   * milliseconds.
   *
   * @default {5_000}
   */
  readonly drainTimeout?: number | undefined;
}

/**
 * How a bridge reconnects: for ever, since a host that sees its server exit
 * does not start it again; and from the first dial on, since the server may be
 * started after the host.
 */
export const BRIDGE_RECONNECT: Partial<ReconnectOptions> = {
  initial: true,
  attempts: Number.MAX_SAFE_INTEGER,
  minDelay: 500,
  maxDelay: 10_000,
};

/** The longest line of the host, in bytes; what the server takes is less. */
const MAX_LINE_BYTES = 64 * 1024 * 1024;
/** What may wait until the host reads it, in bytes. */
const MAX_QUEUED_BYTES = 64 * 1024 * 1024;
/** Time for the host to read the last lines, in milliseconds. */
const FLUSH_TIMEOUT = 1_000;

/**
 * Carries a host that speaks stdio over a WebSocket. It goes on until the host
 * closes its end.
 *
 * @param transport A transport that was not started yet.
 * @param options The host's streams, and who is told.
 * @throws {MCPError} If the transport has given up.
 * @throws {Error} If the host cannot be written to.
 */
export async function bridge(
  transport: WebSocketClientTransport,
  options: BridgeOptions,
): Promise<void> {
  await new Bridge(transport, options).run();
}

class Bridge {
  readonly #transport: WebSocketClientTransport;
  readonly #options: BridgeOptions;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #writer: LineWriter;
  readonly #ended = Promise.withResolvers<void>();
  /** The host's requests that wait for their answers. */
  readonly #waiting = new Set<RequestId>();
  /** Messages that wait for the connection. */
  #unsent = 0;
  #whenIdle: (() => void) | undefined;
  /** Whether everything was answered that will be. */
  #isOver = false;

  constructor(transport: WebSocketClientTransport, options: BridgeOptions) {
    this.#transport = transport;
    this.#options = options;
    this.#reader = options.input.getReader();
    this.#writer = new LineWriter(
      options.output,
      MAX_QUEUED_BYTES,
      (error) => this.#abandonHost(toError(error)),
    );
    transport.onmessage = (message) => this.#toHost(message);
    transport.onclose = () => this.#endWith(transport.state);
  }

  async run(): Promise<void> {
    const close = () => void this.#transport.close();
    const { signal } = this.#options;
    signal?.addEventListener("abort", close, { once: true });
    // The first message is queued, not refused, once the first dial has begun.
    const dialled = new Promise((resolve) =>
      this.#transport.addEventListener("statechange", resolve, { once: true })
    );
    // How it fails is told by `onclose` too.
    this.#transport.start().catch(() => {});
    dialled.then(() => this.#fromHost()).catch((error) => this.#abandonHost(toError(error)));
    try {
      await this.#ended.promise;
    } finally {
      signal?.removeEventListener("abort", close);
      await this.#release();
    }
  }

  async #fromHost(): Promise<void> {
    const splitter = new LineSplitter(MAX_LINE_BYTES, (error) => this.#warn(error));
    for await (const line of readLines(this.#reader, splitter)) await this.#forward(line);
    await this.#idle();
    const error = new Error("Host has closed its input, and the answer took too long");
    this.#isOver = true;
    for (const id of [...this.#waiting]) this.#refuse(id, error);
    await this.#transport.close();
  }

  async #forward(line: string): Promise<void> {
    let message: JsonRpcMessage;
    try {
      message = parseMessage(line);
    } catch (thrown) {
      return this.#refuseLine(toError(thrown));
    }
    const sent = this.#send(message);
    // A full socket slows the host down. While there is no connection, the
    // host is read on: it may want to cancel what waits.
    if (this.#transport.state.status === "connected") await sent;
  }

  async #send(message: JsonRpcMessage): Promise<void> {
    this.#note(message);
    this.#unsent++;
    try {
      await this.#transport.send(message);
    } catch (thrown) {
      const error = toError(thrown);
      this.#warn(error);
      if (isRequest(message) && !this.#isOver) this.#refuse(message.id, error);
    } finally {
      this.#unsent--;
      this.#checkIdle();
    }
  }

  #note(message: JsonRpcMessage): void {
    // Subscriptions stay open on purpose.
    if (isRequest(message) && message.method !== LISTEN) this.#waiting.add(message.id);
    if (!("method" in message) || message.method !== CANCELLED) return;
    this.#waiting.delete(message.params?.requestId as RequestId);
  }

  #toHost(message: JsonRpcMessage): void {
    if (isResponse(message) && message.id !== undefined) this.#waiting.delete(message.id);
    if (!this.#writer.write(JSON.stringify(message))) {
      this.#abandonHost(new Error("Cannot write to the host: it does not read"));
    }
    this.#checkIdle();
  }

  #refuse(id: RequestId, error: Error): void {
    const told = new MCPRpcError(ERROR_CODES.CONNECTION_LOST, error.message);
    this.#toHost(errorResponse(told, id));
  }

  #refuseLine(error: Error): void {
    this.#warn(error);
    if (error instanceof MCPRpcError && error.id !== undefined) {
      this.#toHost(errorResponse(error, error.id));
    }
  }

  /** Resolves when everything is sent and answered, or took too long. */
  async #idle(): Promise<void> {
    const { drainTimeout = 5_000 } = this.#options;
    const done = new Promise<void>((resolve) => this.#whenIdle = resolve);
    this.#checkIdle();
    await within(drainTimeout, done);
  }

  #checkIdle(): void {
    if (this.#waiting.size === 0 && this.#unsent === 0) this.#whenIdle?.();
  }

  #endWith(state: WebSocketClientTransport["state"]): void {
    if (state.status === "failed") this.#ended.reject(state.error);
    else this.#ended.resolve();
  }

  #abandonHost(error: Error): void {
    this.#ended.reject(error);
    void this.#transport.close();
  }

  /** A host that does not read keeps nobody waiting. */
  async #release(): Promise<void> {
    this.#whenIdle?.();
    // What the transport refused last is told before the end.
    await delay(0);
    this.#reader.cancel().catch(() => {});
    await within(FLUSH_TIMEOUT, this.#writer.close());
  }

  #warn(error: Error): void {
    this.#options.logger?.warn(error.message);
  }
}

/** Waits for something, but not for long. */
async function within(ms: number, done: Promise<void>): Promise<void> {
  const timer = new AbortController();
  await Promise.race([done, delay(ms, timer).catch(() => {})]);
  timer.abort();
}
