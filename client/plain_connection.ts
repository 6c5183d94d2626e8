import { CLOSE_CODES } from "../protocol/close_codes.ts";
import { MCPConnectionError, MCPRpcError, MCPTimeoutError } from "../protocol/errors.ts";
import type {
  JsonRpcMessage,
  JsonRpcParams,
  JsonRpcRequest,
  JsonRpcResponse,
} from "../protocol/jsonrpc.ts";
import { type CloseInfo, Link, type LinkEvents } from "../protocol/link.ts";
import { PING } from "../protocol/mcp.ts";
import { PlainReader } from "../protocol/plain.ts";
import { gatherCredentials } from "./credentials.ts";
import { dial, prepare } from "./dial.ts";
import type { Endpoint } from "./endpoint.ts";
import { Liveness } from "./liveness.ts";
import type { HeartbeatOptions } from "./options.ts";
import type { ResolvedOptions } from "./resolved_options.ts";
import { type Loss, lossError, lossOf } from "./recovery.ts";
import { holdsFrames } from "./runtime.ts";
import type { OpenConnection } from "./supervisor.ts";
import type { PingSink } from "./vitals.ts";

/** Something to ask the peer. */
export interface Question {
  /** The method. */
  readonly method: string;
  /** Its parameters. */
  readonly params?: JsonRpcParams;
}

/** Limits of {@linkcode PlainConnection.ask}. */
export interface AskLimits {
  /**
   * How long the answer may take, in milliseconds; by default as long as connecting may.
   *
   * @default {30_000}
   */
  readonly timeout?: number | undefined;
  /** Gives up waiting. */
  readonly signal?: AbortSignal | undefined;
}

/** Who listens to a {@linkcode PlainConnection}. */
export interface ConnectionSink {
  /** A frame came in, of so many UTF-16 units. */
  frame(length: number): void;
  /** A message for the application came in. */
  message(message: JsonRpcMessage): void;
  /** The peer did something wrong that does not end the connection. */
  fault(error: Error): void;
}

type Answer = (response: JsonRpcResponse) => void;

/**
 * One connection to a peer that speaks plain MCP, from the dial to its end.
 * Besides the application's messages it carries requests of its own, under
 * negative ids, whose answers stay here.
 */
export class PlainConnection implements OpenConnection {
  readonly #options: ResolvedOptions;
  readonly #sink: ConnectionSink;
  readonly #reader: PlainReader;
  readonly #lost = Promise.withResolvers<Loss>();
  readonly #private = new Map<number, Answer>();
  #link: Link | undefined;
  #liveness: Liveness | undefined;
  #nextId = -1;
  /** Set when this end has closed: what still comes in is nobody's any more. */
  #isClosing = false;

  private constructor(options: ResolvedOptions, sink: ConnectionSink) {
    this.#options = options;
    this.#sink = sink;
    this.#reader = new PlainReader(
      {
        message: (message) => this.#receive(message),
        fault: (error, reply) => {
          sink.fault(error);
          this.#link?.send(JSON.stringify(reply));
        },
        violation: (code, reason) => {
          sink.fault(
            new MCPConnectionError(reason, {
              kind: "protocol",
              code,
              retryable: false,
            }),
          );
          this.#close(code, reason);
        },
      },
      "client",
      options.maxReceiveBytes,
    );
  }

  /**
   * Dials, or takes over the socket that is given.
   *
   * @param endpoint What to speak to.
   * @param options Timeouts, bounds, credentials.
   * @param sink Who listens.
   * @param signal Gives up.
   * @throws {MCPError} If it cannot be opened.
   */
  static async open(
    endpoint: Endpoint,
    options: ResolvedOptions,
    sink: ConnectionSink,
    signal: AbortSignal,
  ): Promise<PlainConnection> {
    const connection = new PlainConnection(options, sink);
    const { clock } = options;
    const events: LinkEvents = {
      frame: (data) => connection.#frame(data),
      closed: (info) => connection.#closed(info),
    };
    if (endpoint.socket !== undefined) {
      connection.#link = Link.adopt(endpoint.socket, events, clock);
      for (const data of endpoint.held?.release() ?? []) connection.#frame(data);
      return connection;
    }
    const { connectTimeout: timeout, httpClient } = options;
    const { url, name } = endpoint;
    const bounds = { name, timeout, signal, clock };
    const credentials = await prepare(gatherCredentials(options), bounds);
    connection.#link = await dial({ ...bounds, ...credentials, url, httpClient, events });
    return connection;
  }

  /** Resolves when the connection is lost. */
  get lost(): Promise<Loss> {
    return this.#lost.promise;
  }

  /** Whether messages can be sent. */
  get isOpen(): boolean {
    return this.#link?.isOpen === true;
  }

  /** Whether so much waits in the socket that a sender has to wait, too. */
  get isCongested(): boolean {
    return this.#link?.isCongested === true;
  }

  /** Sends text that is known to be a message. */
  send(text: string): void {
    this.#link?.send(text);
  }

  /** Resolves when the socket has room again, or has ended. */
  async drained(): Promise<void> {
    await this.#link?.drained();
  }

  /**
   * Sends a request of the transport's own.
   *
   * @param method The method.
   * @param params Its parameters.
   * @param limits A time limit, and a signal.
   * @returns The answer, whatever it says.
   * @throws The signal's reason, if it aborts.
   * @throws {MCPTimeoutError} If it does not come in time.
   * @throws {MCPConnectionError} If the connection is lost before.
   */
  async ask(
    method: string,
    params: JsonRpcParams | undefined,
    limits: AskLimits = {},
  ): Promise<JsonRpcResponse> {
    const { clock } = this.#options;
    const { timeout = this.#options.connectTimeout, signal } = limits;
    const { promise, resolve, reject } = Promise.withResolvers<
      JsonRpcResponse
    >();
    const id = this.#post(method, params, resolve);
    const timer = clock.after(timeout, () => {
      const text = `Peer did not answer "${method}" within ${timeout} ms`;
      reject(new MCPTimeoutError(text, timeout, { retryable: true }));
    });
    const abort = () => reject(signal?.reason);
    signal?.addEventListener("abort", abort, { once: true });
    try {
      return await Promise.race([
        promise,
        this.lost.then((loss) => Promise.reject(lossError(loss))),
      ]);
    } finally {
      timer.clear();
      signal?.removeEventListener("abort", abort);
      this.#private.delete(id);
    }
  }

  /** Sends a request whose answer does not matter. */
  ping({ method, params }: Question): void {
    this.#post(method, params);
  }

  /**
   * Sends a ping whose answer releases what Deno would hold back behind the
   * next frame. With `heartbeat: false` nothing is asked.
   */
  escort(): void {
    if (holdsFrames() && this.#options.heartbeat !== false) this.ping({ method: PING });
  }

  /**
   * Watches for silence from now on.
   *
   * @param heartbeat The intervals.
   * @param probe What to ask the peer, `undefined` if it cannot be asked.
   * @param pings Told what becomes of what it is asked.
   */
  watch(
    heartbeat: HeartbeatOptions,
    probe: () => Question | undefined,
    pings?: PingSink,
  ): void {
    let asked = 0;
    // Any frame is life: what the answer says does not matter, only how long it took.
    const answered = () => this.#liveness?.answered();
    const ping = () => {
      const question = probe();
      if (question === undefined) return false;
      // An answer to an older one would be taken for this one's.
      this.#private.delete(asked);
      asked = this.#post(question.method, question.params, answered);
      return true;
    };
    const dead = () => {
      const reason = "The peer is silent";
      this.#link?.abandon();
      this.#closed({ code: CLOSE_CODES.HEARTBEAT_TIMEOUT, reason });
    };
    this.#liveness = new Liveness(heartbeat, this.#options.clock, ping, dead, pings);
  }

  /** Ends the connection in good order, within a second. */
  async close(): Promise<void> {
    this.#liveness?.stop();
    this.#close(CLOSE_CODES.DONE, "");
    await this.#lost.promise;
  }

  /** Forgets the connection at once. */
  drop(): void {
    this.#liveness?.stop();
    this.#link?.abandon();
    this.#lost.resolve(lossOf({ code: CLOSE_CODES.DONE, reason: "" }));
  }

  #close(code: number, reason: string): void {
    this.#isClosing = true;
    this.#link?.close(code, reason);
  }

  #post(
    method: string,
    params: JsonRpcParams | undefined,
    answer?: Answer,
  ): number {
    const id = this.#nextId--;
    if (answer !== undefined) this.#private.set(id, answer);
    const request: JsonRpcRequest = { jsonrpc: "2.0", id, method };
    if (params !== undefined) request.params = params;
    this.#link?.send(JSON.stringify(request));
    return id;
  }

  #frame(data: unknown): void {
    if (this.#isClosing) return;
    this.#liveness?.seen();
    if (typeof data === "string") this.#sink.frame(data.length);
    this.#reader.read(data);
  }

  #receive(message: JsonRpcMessage): void {
    if (
      !("method" in message) && typeof message.id === "number" && message.id < 0
    ) {
      const answer = this.#private.get(message.id);
      this.#private.delete(message.id);
      answer?.(message);
    } else this.#sink.message(message);
  }

  #closed(info: CloseInfo): void {
    this.#liveness?.stop();
    this.#lost.resolve(lossOf(info));
  }
}

/** The result in an answer. Throws what the peer answered instead. */
export function resultOf(response: JsonRpcResponse): JsonRpcParams {
  if ("result" in response) return response.result;
  const { code, message, data } = response.error;
  throw new MCPRpcError(code, message, { data });
}
