import { MCPConnectionError, MCPRpcError } from "./errors.ts";
import { isPromiseLike } from "./guard.ts";
import { IdTable } from "./id_table.ts";
import { InboundRequest } from "./inbound.ts";
import {
  ERROR_CODES,
  errorResponse,
  isObject,
  isRequestId,
  type JsonRpcNotification,
  type JsonRpcParams,
  type JsonRpcRequest,
  type JsonRpcResponse,
  type RequestId,
} from "./jsonrpc.ts";
import type { Outlet, Sending } from "./outlet.ts";
import type { NotificationHandler, RequestHandler } from "./peer_options.ts";
import type { MessageExtra } from "./transport.ts";

/** The half of a peer that answers. */
export class Responder implements Sending {
  readonly #maxInFlight: number;
  readonly #outlet: Outlet;
  readonly #inbound = new IdTable<InboundRequest>();
  /** Made when there is one: a server's connections have none, and are many. */
  #handlers: Map<string, RequestHandler> | undefined;
  #listeners: Map<string, NotificationHandler> | undefined;
  #anyRequest: RequestHandler | undefined;
  #anyNotification: ((notification: JsonRpcNotification) => unknown) | undefined;

  /**
   * @param maxInFlight Requests that may be handled at a time.
   * @param outlet How messages leave.
   */
  constructor(maxInFlight: number, outlet: Outlet) {
    this.#maxInFlight = maxInFlight;
    this.#outlet = outlet;
  }

  /** How many requests are being handled. */
  get size(): number {
    return this.#inbound.size;
  }

  /** See {@linkcode JsonRpcPeer.handle}. */
  handle(method: string, handler: RequestHandler): void {
    this.#handlers ??= new Map();
    this.#handlers.set(method, handler);
  }

  /** See {@linkcode JsonRpcPeer.onRequest}. */
  onRequest(handler: RequestHandler): void {
    this.#anyRequest = handler;
  }

  /** See {@linkcode JsonRpcPeer.onNotification}. */
  onNotification(method: string, handler: NotificationHandler): void {
    this.#listeners ??= new Map();
    this.#listeners.set(method, handler);
  }

  /** See {@linkcode JsonRpcPeer.onAnyNotification}. */
  onAnyNotification(handler: (notification: JsonRpcNotification) => unknown): void {
    this.#anyNotification = handler;
  }

  /** Takes a request and answers it. */
  answer(message: JsonRpcRequest, extra: MessageExtra | undefined): void {
    const { id, method, params } = message;
    const handler = this.#handlers?.get(method) ?? this.#anyRequest;
    const refusal = this.#findRefusal(id, method, handler);
    if (refusal !== undefined || handler === undefined) {
      return this.#reply(id, errorResponse(refusal, id));
    }
    const request = new InboundRequest(message, extra, this.#notifyFrom);
    this.#inbound.add(id, request);
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

  /** Takes a notification. */
  hear(message: JsonRpcNotification, extra: MessageExtra | undefined): void {
    const { method, params = {} } = message;
    const listener = this.#listeners?.get(method);
    // As `guard()` does, without a closure for each.
    try {
      const outcome = listener ? listener(params, extra) : this.#anyNotification?.(message);
      if (isPromiseLike(outcome)) outcome.then(undefined, (error) => this.#outlet.report(error));
    } catch (thrown) {
      this.#outlet.report(thrown);
    }
  }

  /** Takes the news that the caller of a request does not wait any more. */
  abort(params: JsonRpcParams): void {
    const id = params.requestId;
    const request = isRequestId(id) ? this.#inbound.take(id) : undefined;
    if (request === undefined) return;
    const reason = typeof params.reason === "string" ? params.reason : "no reason given";
    request.abort(new DOMException(`The caller cancelled: ${reason}`, "AbortError"));
  }

  /** See {@linkcode Sending}. An answer that cannot be sent becomes an error: its caller waits for one. */
  unsent(error: unknown, id?: RequestId): void {
    this.#outlet.report(error);
    if (error instanceof MCPConnectionError) return;
    this.#outlet.transmit(errorResponse(error, id), undefined);
  }

  /** Aborts all that is being handled. */
  close(): void {
    const reason = this.#inbound.size === 0 ? undefined : this.#outlet.closed;
    if (reason === undefined) return;
    for (const [, request] of this.#inbound.entries()) request.abort(reason);
    this.#inbound.clear();
  }

  #findRefusal(
    id: RequestId,
    method: string,
    handler: RequestHandler | undefined,
  ): MCPRpcError | undefined {
    if (this.#inbound.has(id)) {
      // Not named: it may be as long as a message.
      return new MCPRpcError(ERROR_CODES.INVALID_REQUEST, "The id of the request is in use");
    }
    if (this.#inbound.size >= this.#maxInFlight) {
      return new MCPRpcError(
        ERROR_CODES.INTERNAL_ERROR,
        `More than ${this.#maxInFlight} requests are in flight`,
        { data: { limit: this.#maxInFlight } },
      );
    }
    if (handler !== undefined) return undefined;
    return methodNotFound(method);
  }

  readonly #notifyFrom = (
    method: string,
    params: JsonRpcParams | undefined,
    relatedRequestId: RequestId,
  ): void => {
    const message: JsonRpcNotification = { jsonrpc: "2.0", method };
    if (params !== undefined) message.params = params;
    this.#outlet.transmit(message, { relatedRequestId });
  };

  #respond(request: InboundRequest, result: unknown): void {
    if (request.isDone) return;
    if (result !== undefined && !isObject(result)) {
      const text = `Handler of "${request.method}" must return an object`;
      return this.#fail(request, new TypeError(text));
    }
    this.#finish(request);
    this.#reply(request.id, { jsonrpc: "2.0", id: request.id, result: result ?? {} });
  }

  #fail(request: InboundRequest, error: unknown): void {
    if (request.isDone) return;
    this.#finish(request);
    if (!(error instanceof MCPRpcError)) this.#outlet.report(error);
    this.#reply(request.id, errorResponse(error, request.id));
  }

  #reply(id: RequestId, response: JsonRpcResponse): void {
    this.#outlet.transmit(response, undefined, this, id);
  }

  #finish(request: InboundRequest): void {
    request.finish();
    this.#inbound.take(request.id);
  }
}

/** What is told of a method's name, in UTF-16 units: it may be as long as a message. */
const MAX_METHOD = 128;

/**
 * The error of a request that nobody answers.
 *
 * @param method The method.
 */
export function methodNotFound(method: string): MCPRpcError {
  const text = `Method not found: "${method.slice(0, MAX_METHOD)}"`;
  return new MCPRpcError(ERROR_CODES.METHOD_NOT_FOUND, text);
}
