import type { Clock } from "./clock.ts";
import type { RequestContext } from "./inbound.ts";
import type { JsonRpcMessage, JsonRpcParams } from "./jsonrpc.ts";
import type { Progress } from "./pending.ts";
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

/** Options of one notification. */
export type NotifyOptions = Pick<SendOptions, "signal" | "delivered" | "deliveryTimeout">;

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
