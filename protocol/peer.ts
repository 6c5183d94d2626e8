import { type Clock, systemClock } from "./clock.ts";
import {
  MCPCapacityError,
  MCPConnectionError,
  MCPError,
  MCPRpcError,
  MCPTimeoutError,
  toError,
} from "./errors.ts";
import { InboundRequest, type RequestContext } from "./inbound.ts";
import {
  ERROR_CODES,
  errorResponse,
  isObject,
  isRequestId,
  type JsonRpcMessage,
  type JsonRpcNotification,
  type JsonRpcParams,
  type JsonRpcRequest,
  type JsonRpcResponse,
  type RequestId,
} from "./jsonrpc.ts";
import { CANCELLED, cancelNotification, INITIALIZE, PROGRESS } from "./mcp.ts";
import { PendingTable, type Progress } from "./pending.ts";
import type { MessageExtra, SendOptions } from "./transport.ts";

/** Options of {@linkcode JsonRpcPeer}. */
export interface JsonRpcPeerOptions {
  /**
   * How messages leave. It may throw or reject: the request it was for fails.
   */
  readonly send: (
    message: JsonRpcMessage,
    options?: SendOptions,
  ) => void | Promise<void>;
  /** Last hand on the parameters of every request that leaves. */
  readonly stamp?:
    | ((params: JsonRpcParams | undefined) => JsonRpcParams | undefined)
    | undefined;
  /** Told of what goes wrong outside any request. */
  readonly onError?: ((error: Error) => void) | undefined;
  /**
   * Time without progress that a request may take, in milliseconds.
   *
   * @default {60_000}
   */
  readonly requestTimeout?: number | undefined;
  /**
   * Time that a request may take in all, in milliseconds.
   *
   * @default {600_000}
   */
  readonly maxRequestTimeout?: number | undefined;
  /**
   * Requests that may be in flight, in each direction.
   *
   * @default {16_384}
   */
  readonly maxInFlight?: number | undefined;
  /** Where time comes from. */
  readonly clock?: Clock | undefined;
}

/** Options of one request. */
export interface RequestOptions {
  /**
   * Time without progress that it may take, in milliseconds.
   *
   * @default {60_000}
   */
  timeout?: number | undefined;
  /**
   * Time that it may take in all, in milliseconds.
   *
   * @default {600_000}
   */
  maxTimeout?: number | undefined;
  /** Cancels it, here and at the peer. */
  signal?: AbortSignal | undefined;
  /** Told how far it has come; asks the peer for progress. */
  onProgress?: ((progress: Progress) => void) | undefined;
  /**
   * Whether it may be sent again when its connection was lost before the
   * answer. By default the method decides: what only reads, may.
   */
  retry?: boolean | undefined;
}

/** Answers requests: returns the result, or throws {@linkcode MCPRpcError}. */
export type RequestHandler = (
  params: JsonRpcParams,
  context: RequestContext,
) => unknown;

/** Hears notifications. */
export type NotificationHandler = (
  params: JsonRpcParams,
  extra?: MessageExtra,
) => unknown;

/** Numbers about a {@linkcode JsonRpcPeer}. */
export interface PeerStats {
  /** Requests sent so far. */
  readonly requests: number;
  /** Requests sent that wait for their answer. */
  readonly pending: number;
  /** Requests received that are being handled. */
  readonly handling: number;
  /** Requests that ran out of time. */
  readonly timeouts: number;
  /** Requests that were cancelled here. */
  readonly cancelled: number;
}

/**
 * One end of a JSON-RPC conversation: asks, answers, cancels and gives up. It
 * opens no connection; it is fed with {@linkcode JsonRpcPeer.receive} and
 * speaks through `send`.
 *
 * @example Two peers that talk to each other
 * ```ts
 * import { JsonRpcPeer } from "@bowline/mcp-websocket/protocol";
 * import { assertEquals } from "@std/assert";
 *
 * const server: JsonRpcPeer = new JsonRpcPeer({ send: (message) => client.receive(message) });
 * const client: JsonRpcPeer = new JsonRpcPeer({ send: (message) => server.receive(message) });
 * server.handle("double", ({ n }) => ({ n: 2 * Number(n) }));
 *
 * assertEquals(await client.request("double", { n: 21 }), { n: 42 });
 * ```
 */
export class JsonRpcPeer {
  readonly #options: JsonRpcPeerOptions;
  readonly #clock: Clock;
  readonly #maxInFlight: number;
  readonly #pending: PendingTable;
  readonly #inbound = new Map<RequestId, InboundRequest>();
  readonly #handlers = new Map<string, RequestHandler>();
  readonly #listeners = new Map<string, NotificationHandler>();
  #anyRequest: RequestHandler | undefined;
  #anyNotification:
    | ((notification: JsonRpcNotification) => unknown)
    | undefined;
  #requestTimeout: number;
  #maxRequestTimeout: number;
  #nextId = 1;
  #closed: Error | undefined;
  #timeouts = 0;
  #cancelled = 0;

  /**
   * Makes a peer; it is fed with {@linkcode JsonRpcPeer.receive}.
   *
   * @param options How to send, and the bounds.
   */
  constructor(options: JsonRpcPeerOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#maxInFlight = options.maxInFlight ?? 16_384;
    this.#requestTimeout = options.requestTimeout ?? 60_000;
    this.#maxRequestTimeout = options.maxRequestTimeout ?? 600_000;
    this.#pending = new PendingTable(this.#clock, (id, request) => {
      this.#timeouts++;
      const text = `Request "${request.method}" was not answered within ${request.timeout} ms`;
      this.#cancel(id, request.method, "The request timed out");
      request.reject(
        new MCPTimeoutError(text, request.timeout, { retryable: false }),
      );
    });
  }

  /** Numbers about this peer, as they are now. */
  get stats(): PeerStats {
    return {
      requests: this.#nextId - 1,
      pending: this.#pending.size,
      handling: this.#inbound.size,
      timeouts: this.#timeouts,
      cancelled: this.#cancelled,
    };
  }

  /**
   * Changes the time limits of requests to come.
   *
   * @param requestTimeout In milliseconds; `undefined` leaves it.
   * @param maxRequestTimeout In milliseconds; `undefined` leaves it.
   */
  setTimeouts(
    requestTimeout: number | undefined,
    maxRequestTimeout: number | undefined,
  ): void {
    this.#requestTimeout = requestTimeout ?? this.#requestTimeout;
    this.#maxRequestTimeout = maxRequestTimeout ?? this.#maxRequestTimeout;
  }

  /** Takes up the conversation again after {@linkcode JsonRpcPeer.close}; handlers stay. */
  reopen(): void {
    this.#closed = undefined;
  }

  /**
   * Sends a request and waits for its answer.
   *
   * @typeParam Result What the method gives; it is not checked.
   * @param method The method.
   * @param params Its parameters.
   * @param options Limits, a signal, a listener for progress.
   * @returns The result.
   * @throws {MCPRpcError} If the peer answered with an error.
   * @throws {MCPTimeoutError} If it did not answer in time.
   * @throws {MCPConnectionError} If the connection was lost before the answer.
   * @throws {MCPCapacityError} If too many requests are in flight.
   */
  request<Result = JsonRpcParams>(
    method: string,
    params?: JsonRpcParams,
    options: RequestOptions = {},
  ): Promise<Result> {
    const refusal = this.#findRefusal(options);
    if (refusal !== undefined) return Promise.reject(refusal);
    const id = this.#nextId++;
    const message: JsonRpcRequest = { jsonrpc: "2.0", id, method };
    try {
      const stamped = this.#stamp(id, params, options);
      if (stamped !== undefined) message.params = stamped;
    } catch (error) {
      return Promise.reject(error);
    }
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    this.#register(id, method, options, resolve, reject);
    this.#transmit(
      message,
      options,
      (error) => this.#pending.take(id)?.reject(error),
    );
    return promise as Promise<Result>;
  }

  /**
   * Sends a notification.
   *
   * @param method The method.
   * @param params Its parameters.
   * @returns Resolves when it was handed to the connection.
   */
  async notify(method: string, params?: JsonRpcParams): Promise<void> {
    if (this.#closed !== undefined) throw this.#closed;
    await this.#options.send({
      jsonrpc: "2.0",
      method,
      ...(params === undefined ? {} : { params }),
    });
  }

  /** Answers a method from now on; a second handler replaces the first. */
  handle(method: string, handler: RequestHandler): void {
    this.#handlers.set(method, handler);
  }

  /** Answers every method that has no handler of its own. */
  onRequest(handler: RequestHandler): void {
    this.#anyRequest = handler;
  }

  /** Hears one kind of notification from now on; a second handler replaces the first. */
  onNotification(method: string, handler: NotificationHandler): void {
    this.#listeners.set(method, handler);
  }

  /** Hears every notification that has no handler of its own. */
  onAnyNotification(
    handler: (notification: JsonRpcNotification) => unknown,
  ): void {
    this.#anyNotification = handler;
  }

  /** Takes a message that came in. */
  receive(message: JsonRpcMessage, extra?: MessageExtra): void {
    if (this.#closed !== undefined) return;
    if (!("method" in message)) this.#settle(message, extra);
    else if ("id" in message && message.id !== undefined) {
      this.#answer(message, extra);
    } else this.#hear(message, extra);
  }

  /**
   * Ends the conversation: requests in flight are rejected, handlers aborted.
   * Closing twice is fine.
   *
   * @param reason What they are told.
   */
  close(
    reason: Error = new MCPConnectionError("The connection was closed"),
  ): void {
    if (this.#closed !== undefined) return;
    this.#closed = reason;
    this.#pending.rejectAll(reason);
    for (const request of this.#inbound.values()) request.abort(reason);
    this.#inbound.clear();
  }

  #findRefusal(options: RequestOptions): unknown {
    if (this.#closed !== undefined) return this.#closed;
    if (options.signal?.aborted) return options.signal.reason;
    if (this.#pending.size < this.#maxInFlight) return undefined;
    return new MCPCapacityError(
      `Cannot send request as ${this.#maxInFlight} are in flight already`,
      this.#maxInFlight,
    );
  }

  #register(
    id: RequestId,
    method: string,
    options: RequestOptions,
    resolve: (result: JsonRpcParams) => void,
    reject: (reason: unknown) => void,
  ): void {
    const {
      timeout = this.#requestTimeout,
      maxTimeout = this.#maxRequestTimeout,
    } = options;
    const now = this.#clock.now();
    const lastDeadline = now + Math.max(maxTimeout, timeout);
    this.#pending.add(id, {
      method,
      resolve,
      reject,
      timeout,
      lastDeadline,
      deadline: now + timeout,
      onProgress: options.onProgress,
      release: options.signal && this.#follow(id, method, options.signal),
    });
  }

  /** Cancels the request when its caller does. */
  #follow(id: RequestId, method: string, signal: AbortSignal): () => void {
    const abort = () => {
      this.#cancelled++;
      this.#cancel(id, method, "The caller cancelled");
      this.#pending.take(id)?.reject(signal.reason);
    };
    signal.addEventListener("abort", abort, { once: true });
    return () => signal.removeEventListener("abort", abort);
  }

  #stamp(
    id: RequestId,
    params: JsonRpcParams | undefined,
    options: RequestOptions,
  ): JsonRpcParams | undefined {
    const stamped = this.#options.stamp === undefined ? params : this.#options.stamp(params);
    if (options.onProgress === undefined) return stamped;
    const meta = isObject(stamped?._meta) ? stamped._meta : {};
    return { ...stamped, _meta: { ...meta, progressToken: id } };
  }

  /** MCP forbids to cancel `initialize`. */
  #cancel(id: RequestId, method: string, reason: string): void {
    if (method !== INITIALIZE) this.#transmit(cancelNotification(id, reason));
  }

  #transmit(
    message: JsonRpcMessage,
    options?: SendOptions,
    failed: (error: unknown) => void = (error) => this.#report(error),
  ): void {
    try {
      this.#options.send(message, options)?.catch(failed);
    } catch (error) {
      failed(error);
    }
  }

  #settle(message: JsonRpcResponse, extra: MessageExtra | undefined): void {
    const { id } = message;
    const request = isRequestId(id) ? this.#pending.take(id) : undefined;
    if (request === undefined) return this.#settleNothing(message);
    if ("result" in message) return request.resolve(message.result);
    const { code, message: text, data } = message.error;
    request.reject(extra?.lost ?? new MCPRpcError(code, text, { data, id }));
  }

  /** Answers to cancelled requests are expected; an error without an id is worth a word. */
  #settleNothing(message: JsonRpcResponse): void {
    if (isRequestId(message.id) || "result" in message) return;
    const { code, message: text, data } = message.error;
    this.#report(new MCPRpcError(code, `The peer reports: ${text}`, { data }));
  }

  #answer(message: JsonRpcRequest, extra: MessageExtra | undefined): void {
    const { id, method, params } = message;
    const refusal = this.#findInboundRefusal(id);
    if (refusal !== undefined) {
      return this.#transmit(errorResponse(refusal, id));
    }
    const handler = this.#handlers.get(method) ?? this.#anyRequest;
    if (handler === undefined) {
      const unknown = new MCPRpcError(
        ERROR_CODES.METHOD_NOT_FOUND,
        `Method not found: "${method}"`,
      );
      return this.#transmit(errorResponse(unknown, id));
    }
    const request = new InboundRequest(message, extra, this.#notifyFrom);
    this.#inbound.set(id, request);
    try {
      const result = handler(params ?? {}, request);
      if (!isPromiseLike(result)) return this.#respond(request, result);
      result.then(
        (value) => this.#respond(request, value),
        (error) => this.#fail(request, error),
      );
    } catch (error) {
      this.#fail(request, error);
    }
  }

  #findInboundRefusal(id: RequestId): MCPRpcError | undefined {
    if (this.#inbound.has(id)) {
      const text = `Request id ${JSON.stringify(id)} is in flight already`;
      return new MCPRpcError(ERROR_CODES.INVALID_REQUEST, text);
    }
    if (this.#inbound.size < this.#maxInFlight) return undefined;
    return new MCPRpcError(
      ERROR_CODES.INTERNAL_ERROR,
      `More than ${this.#maxInFlight} requests are in flight`,
      { data: { limit: this.#maxInFlight } },
    );
  }

  readonly #notifyFrom = (
    method: string,
    params: JsonRpcParams | undefined,
    relatedRequestId: RequestId,
  ): void => {
    const message: JsonRpcNotification = { jsonrpc: "2.0", method };
    if (params !== undefined) message.params = params;
    this.#transmit(message, { relatedRequestId });
  };

  #respond(request: InboundRequest, result: unknown): void {
    if (request.isDone) return;
    if (result !== undefined && !isObject(result)) {
      const text = `Handler of "${request.method}" must return an object`;
      return this.#fail(request, new TypeError(text));
    }
    this.#finish(request);
    this.#reply(request.id, {
      jsonrpc: "2.0",
      id: request.id,
      result: result ?? {},
    });
  }

  #fail(request: InboundRequest, error: unknown): void {
    if (request.isDone) return;
    this.#finish(request);
    if (!(error instanceof MCPRpcError)) this.#report(error);
    this.#reply(request.id, errorResponse(error, request.id));
  }

  /** An answer that cannot be sent as it is becomes an error: its caller waits for one. */
  #reply(id: RequestId, response: JsonRpcResponse): void {
    this.#transmit(response, undefined, (error) => {
      this.#report(error);
      if (error instanceof MCPConnectionError) return;
      this.#transmit(errorResponse(error, id));
    });
  }

  #finish(request: InboundRequest): void {
    request.finish();
    this.#inbound.delete(request.id);
  }

  #hear(message: JsonRpcNotification, extra: MessageExtra | undefined): void {
    const { method, params = {} } = message;
    if (method === CANCELLED) this.#abort(params);
    else if (method === PROGRESS) this.#progress(params);
    else {
      const listener = this.#listeners.get(method);
      this.#guard(() => listener ? listener(params, extra) : this.#anyNotification?.(message));
    }
  }

  #abort(params: JsonRpcParams): void {
    const id = params.requestId;
    const request = isRequestId(id) ? this.#inbound.get(id) : undefined;
    if (request === undefined) return;
    this.#inbound.delete(request.id);
    const reason = typeof params.reason === "string" ? params.reason : "no reason given";
    request.abort(
      new DOMException(`The caller cancelled: ${reason}`, "AbortError"),
    );
  }

  #progress(params: JsonRpcParams): void {
    const { progressToken, progress, total, message } = params;
    if (!isRequestId(progressToken) || typeof progress !== "number") return;
    this.#guard(() =>
      this.#pending.progress(progressToken, {
        progress,
        total: typeof total === "number" ? total : undefined,
        message: typeof message === "string" ? message : undefined,
      })
    );
  }

  /** Runs what the application gave us; it harms nobody but itself. */
  #guard(run: () => unknown): void {
    try {
      const result = run();
      if (isPromiseLike(result)) {
        result.then(undefined, (error) => this.#report(error));
      }
    } catch (error) {
      this.#report(error);
    }
  }

  #report(error: unknown): void {
    if (error instanceof MCPError && error === this.#closed) return;
    try {
      const outcome: unknown = this.#options.onError?.(toError(error));
      if (isPromiseLike(outcome)) outcome.then(undefined, () => {});
    } catch {
      // Whoever fails at hearing of errors is not told of another one.
    }
  }
}

function isPromiseLike(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && "then" in value &&
    typeof value.then === "function";
}
