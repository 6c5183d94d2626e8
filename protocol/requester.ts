import type { Clock } from "./clock.ts";
import { MCPCapacityError, MCPRpcError, MCPTimeoutError } from "./errors.ts";
import { guard } from "./guard.ts";
import {
  isObject,
  isRequestId,
  type JsonRpcParams,
  type JsonRpcRequest,
  type JsonRpcResponse,
  type RequestId,
} from "./jsonrpc.ts";
import { cancelNotification, INITIALIZE } from "./mcp.ts";
import type { Outlet, Sending } from "./outlet.ts";
import type { JsonRpcPeerOptions, RequestOptions } from "./peer_options.ts";
import { type PendingEvents, type PendingRequest, PendingTable } from "./pending.ts";
import { quote } from "./quote.ts";
import type { MessageExtra } from "./transport.ts";

/** The half of a peer that asks. */
export class Requester implements Sending, PendingEvents {
  readonly #stampParams: JsonRpcPeerOptions["stamp"];
  readonly #outlet: Outlet;
  readonly #clock: Clock;
  readonly #maxInFlight: number;
  readonly #pending: PendingTable;
  #requestTimeout: number;
  #maxRequestTimeout: number;
  #nextId = 1;
  #timeouts = 0;
  #cancelled = 0;

  /**
   * @param options The bounds.
   * @param clock Where time comes from.
   * @param maxInFlight Requests that may be in flight.
   * @param outlet How messages leave.
   */
  constructor(
    options: JsonRpcPeerOptions,
    clock: Clock,
    maxInFlight: number,
    outlet: Outlet,
  ) {
    this.#stampParams = options.stamp;
    this.#outlet = outlet;
    this.#clock = clock;
    this.#maxInFlight = maxInFlight;
    this.#requestTimeout = options.requestTimeout ?? 60_000;
    this.#maxRequestTimeout = options.maxRequestTimeout ?? 600_000;
    this.#pending = new PendingTable(clock, this);
  }

  /** Numbers about it, as they are now. */
  get stats(): { requests: number; pending: number; timeouts: number; cancelled: number } {
    return {
      requests: this.#nextId - 1,
      pending: this.#pending.size,
      timeouts: this.#timeouts,
      cancelled: this.#cancelled,
    };
  }

  /** Changes the time limits of requests to come, in milliseconds; `undefined` leaves one. */
  setTimeouts(requestTimeout: number | undefined, maxRequestTimeout: number | undefined): void {
    this.#requestTimeout = checkTimeout("requestTimeout", requestTimeout) ?? this.#requestTimeout;
    this.#maxRequestTimeout = checkTimeout("maxRequestTimeout", maxRequestTimeout) ??
      this.#maxRequestTimeout;
  }

  /** Sends a request. Throws what keeps it from leaving. */
  request(
    method: string,
    params: JsonRpcParams | undefined,
    options: RequestOptions,
  ): Promise<unknown> {
    this.#check(options);
    const id = this.#nextId++;
    const message: JsonRpcRequest = { jsonrpc: "2.0", id, method };
    const stamped = this.#stamp(id, params, options);
    if (stamped !== undefined) message.params = stamped;
    // In the table first: the answer may come before `transmit` returns.
    const promise = this.#register(id, method, options);
    this.#outlet.transmit(message, options, this, id);
    return promise;
  }

  /** Takes an answer. */
  settle(message: JsonRpcResponse, extra: MessageExtra | undefined): void {
    const { id } = message;
    const request = isRequestId(id) ? this.#pending.take(id) : undefined;
    if (request === undefined) return this.#settleNothing(message);
    if ("result" in message) return request.resolve(message.result);
    const { code, message: text, data } = message.error;
    request.reject(extra?.lost ?? new MCPRpcError(code, text, { data, id }));
  }

  /** Takes news of progress. Returns whether a request was waiting for it. */
  progress(params: JsonRpcParams): boolean {
    const { progressToken, progress, total, message } = params;
    if (!isRequestId(progressToken) || typeof progress !== "number") return false;
    const request = this.#pending.extend(progressToken);
    if (request === undefined) return false;
    const news = {
      progress,
      total: typeof total === "number" ? total : undefined,
      message: typeof message === "string" ? message : undefined,
    };
    guard(() => request.onProgress?.(news), (error) => this.#outlet.report(error));
    return true;
  }

  /** Rejects all that is in flight. */
  close(): void {
    this.#pending.rejectAll(this.#pending.size === 0 ? undefined : this.#outlet.closed);
  }

  /** See {@linkcode Sending}. */
  unsent(error: unknown, id?: RequestId): void {
    if (id !== undefined) this.#pending.take(id)?.reject(error);
  }

  /** See {@linkcode PendingEvents}. */
  expired(id: RequestId, request: PendingRequest): void {
    this.#timeouts++;
    this.#cancel(id, request.method, "The request timed out");
    const isLast = request.deadline === request.lastDeadline;
    const limit = isLast ? request.lastDeadline - request.startedAt : request.timeout;
    const text = `Request "${request.method}" was not answered within ${limit} ms`;
    request.reject(new MCPTimeoutError(text, limit));
  }

  #check({ signal, timeout, maxTimeout }: RequestOptions): void {
    signal?.throwIfAborted();
    checkTimeout("timeout", timeout);
    checkTimeout("maxTimeout", maxTimeout);
    if (this.#pending.size < this.#maxInFlight) return;
    throw new MCPCapacityError(
      `Cannot send request as ${this.#maxInFlight} are in flight already`,
      this.#maxInFlight,
    );
  }

  #register(id: RequestId, method: string, options: RequestOptions): Promise<unknown> {
    const { timeout = this.#requestTimeout, maxTimeout = this.#maxRequestTimeout } = options;
    const now = this.#clock.now();
    return new Promise((resolve, reject) => {
      this.#pending.add(id, {
        method,
        resolve,
        reject,
        timeout,
        lastDeadline: now + Math.max(maxTimeout, timeout),
        deadline: now + timeout,
        startedAt: now,
        onProgress: options.onProgress,
        release: options.signal && this.#follow(id, method, options.signal),
      });
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
    const stamped = this.#stampParams === undefined ? params : this.#stampParams(params);
    if (options.onProgress === undefined) return stamped;
    const meta = isObject(stamped?._meta) ? stamped._meta : {};
    return { ...stamped, _meta: { ...meta, progressToken: id } };
  }

  /** MCP forbids to cancel `initialize`. */
  #cancel(id: RequestId, method: string, reason: string): void {
    if (method !== INITIALIZE) {
      this.#outlet.transmit(cancelNotification(id, reason), undefined);
    }
  }

  /** Answers to cancelled requests are expected; an error without an id is worth a word. */
  #settleNothing(message: JsonRpcResponse): void {
    if (isRequestId(message.id) || "result" in message) return;
    const { code, message: text, data } = message.error;
    this.#outlet.report(new MCPRpcError(code, `The peer reports: ${quote(text)}`, { data }));
  }
}

function checkTimeout(name: string, value: number | undefined): number | undefined {
  if (value === undefined || value > 0) return value;
  throw new RangeError(`Option "${name}" must be a positive number: current value is ${value}`);
}
