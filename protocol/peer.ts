import { systemClock } from "./clock.ts";
import { MCPConnectionError } from "./errors.ts";
import type { JsonRpcMessage, JsonRpcNotification, JsonRpcParams } from "./jsonrpc.ts";
import { CANCELLED, PROGRESS } from "./mcp.ts";
import { Outlet } from "./outlet.ts";
import type {
  JsonRpcPeerOptions,
  NotificationHandler,
  NotifyOptions,
  PeerStats,
  RequestHandler,
  RequestOptions,
} from "./peer_options.ts";
import { Requester } from "./requester.ts";
import { Responder } from "./responder.ts";
import type { MessageExtra } from "./transport.ts";

/** What everybody gets whose notification has left: most of them do not look. */
const SENT: Promise<void> = Promise.resolve();

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
 * client.close();
 * server.close();
 * ```
 */
export class JsonRpcPeer implements Disposable {
  readonly #outlet: Outlet;
  readonly #requester: Requester;
  readonly #responder: Responder;

  /**
   * Makes a peer; it is fed with {@linkcode JsonRpcPeer.receive}.
   *
   * @param options How to send, and the bounds.
   */
  constructor(options: JsonRpcPeerOptions) {
    const { clock = systemClock, maxInFlight = 16_384 } = options;
    this.#outlet = new Outlet(options);
    this.#requester = new Requester(options, clock, maxInFlight, this.#outlet);
    this.#responder = new Responder(maxInFlight, this.#outlet);
  }

  /** Numbers about this peer, as they are now. */
  get stats(): PeerStats {
    return { ...this.#requester.stats, handling: this.#responder.size };
  }

  /**
   * Changes the time limits of requests to come.
   *
   * @param requestTimeout In milliseconds; `undefined` leaves it.
   * @param maxRequestTimeout In milliseconds; `undefined` leaves it.
   * @throws {RangeError} If one is not positive.
   */
  setTimeouts(
    requestTimeout: number | undefined,
    maxRequestTimeout: number | undefined,
  ): void {
    this.#requester.setTimeouts(requestTimeout, maxRequestTimeout);
  }

  /** Takes up the conversation again after {@linkcode JsonRpcPeer.close}; handlers stay. */
  reopen(): void {
    this.#outlet.reopen();
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
    if (this.#outlet.isClosed) return Promise.reject(this.#outlet.closed);
    try {
      return this.#requester.request(method, params, options) as Promise<Result>;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * Sends a notification.
   *
   * @param method The method.
   * @param params Its parameters.
   * @param options A signal that gives up, and whether to wait until the other
   * application has it.
   * @returns Resolves when it was handed to the connection, or with `delivered`
   * to the other application.
   */
  notify(method: string, params?: JsonRpcParams, options?: NotifyOptions): Promise<void> {
    if (this.#outlet.isClosed) return Promise.reject(this.#outlet.closed);
    const notification: JsonRpcNotification = { jsonrpc: "2.0", method };
    if (params !== undefined) notification.params = params;
    try {
      return this.#outlet.send(notification, options) ?? SENT;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** Answers a method from now on; a second handler replaces the first. */
  handle(method: string, handler: RequestHandler): void {
    this.#responder.handle(method, handler);
  }

  /** Answers every method that has no handler of its own. */
  onRequest(handler: RequestHandler): void {
    this.#responder.onRequest(handler);
  }

  /**
   * Hears one kind of notification from now on; a second handler replaces the
   * first. Cancellations, and progress of this peer's requests, are dealt with
   * before.
   */
  onNotification(method: string, handler: NotificationHandler): void {
    this.#responder.onNotification(method, handler);
  }

  /** Hears every notification that has no handler of its own. */
  onAnyNotification(handler: (notification: JsonRpcNotification) => unknown): void {
    this.#responder.onAnyNotification(handler);
  }

  /** Takes a message that came in. */
  receive(message: JsonRpcMessage, extra?: MessageExtra): void {
    if (this.#outlet.isClosed) return;
    if (!("method" in message)) this.#requester.settle(message, extra);
    else if ("id" in message && message.id !== undefined) this.#responder.answer(message, extra);
    else this.#hear(message, extra);
  }

  /**
   * Ends the conversation: requests in flight are rejected, handlers aborted.
   * Closing twice is fine.
   *
   * @param reason What they are told; a function is asked once, when there is somebody to tell.
   */
  close(reason: Error | (() => Error) = closedError): void {
    if (this.#outlet.isClosed) return;
    this.#outlet.close(reason);
    this.#requester.close();
    this.#responder.close();
  }

  /** Ends the conversation. */
  [Symbol.dispose](): void {
    this.close();
  }

  #hear(message: JsonRpcNotification, extra: MessageExtra | undefined): void {
    const { method, params = {} } = message;
    if (method === CANCELLED) this.#responder.abort(params);
    else if (method !== PROGRESS || !this.#requester.progress(params)) {
      this.#responder.hear(message, extra);
    }
  }
}

function closedError(): Error {
  return new MCPConnectionError("The connection was closed");
}
