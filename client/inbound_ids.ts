import type {
  JsonRpcMessage,
  JsonRpcNotification,
  JsonRpcRequest,
  JsonRpcResponse,
  RequestId,
} from "../protocol/jsonrpc.ts";
import { isObject, isRequestId } from "../protocol/jsonrpc.ts";
import { CANCELLED, cancelNotification, PROGRESS } from "../protocol/mcp.ts";

/** Ids that are remembered, in flight and lost; beyond, the oldest are forgotten. */
const MAX_IDS = 16_384;

/**
 * The ids of requests the peer sent, across connections. A request dies with
 * its connection, but the application may still answer it; a new connection
 * may use its id again. An answer never reaches the wrong one: a reused id is
 * shown to the application under another name.
 */
export class InboundIds {
  /** Requests in flight: the id the application knows, and the peer's. */
  readonly #inFlight = new Map<RequestId, RequestId>();
  /** Ids the application may still use for requests that are lost, the oldest first. */
  readonly #lost = new Set<RequestId>();
  #renamed = 0;

  /** How many requests are in flight. */
  get size(): number {
    return this.#inFlight.size;
  }

  /** Notes a request that came in. Returns it as the application may see it. */
  accept(request: JsonRpcRequest): JsonRpcRequest {
    const id = this.#lost.has(request.id) ? `reused-${++this.#renamed}` : request.id;
    this.#inFlight.set(id, request.id);
    forgetOldest(this.#inFlight);
    return id === request.id ? request : rename(request, id);
  }

  /** A notification that came in, with the id the application knows. */
  translate(notification: JsonRpcNotification): JsonRpcNotification {
    if (notification.method !== CANCELLED) return notification;
    const theirs = notification.params?.requestId;
    for (const [ours, original] of this.#inFlight) {
      if (original !== theirs) continue;
      this.#inFlight.delete(ours);
      if (ours !== original) {
        return {
          ...notification,
          params: { ...notification.params, requestId: ours },
        };
      }
    }
    return notification;
  }

  /** Notes an answer that leaves. Returns it as the peer knows it; `undefined` to drop it. */
  answer(response: JsonRpcResponse): JsonRpcResponse | undefined {
    const { id } = response;
    if (!isRequestId(id)) return response;
    const original = this.#inFlight.get(id);
    if (original === undefined) {
      return this.#lost.delete(id) ? undefined : response;
    }
    this.#inFlight.delete(id);
    return original === id ? response : { ...response, id: original };
  }

  /** A notification that leaves; `undefined` if it belongs to a lost request. */
  release(notification: JsonRpcNotification): JsonRpcNotification | undefined {
    if (notification.method !== PROGRESS || this.#lost.size === 0) {
      return notification;
    }
    const token = notification.params?.progressToken;
    if (!isRequestId(token)) return notification;
    const original = this.#inFlight.get(token);
    if (original === undefined) {
      return this.#lost.has(token) ? undefined : notification;
    }
    if (original === token) return notification;
    return {
      ...notification,
      params: { ...notification.params, progressToken: original },
    };
  }

  /** Gives up all requests in flight. Returns what the application has to be told. */
  lose(): JsonRpcMessage[] {
    const messages: JsonRpcMessage[] = [];
    for (const id of this.#inFlight.keys()) {
      this.#lost.add(id);
      messages.push(cancelNotification(id, "The connection was lost"));
    }
    this.#inFlight.clear();
    forgetOldest(this.#lost);
    return messages;
  }
}

function forgetOldest(ids: Map<RequestId, RequestId> | Set<RequestId>): void {
  for (const id of ids.keys()) {
    if (ids.size <= MAX_IDS) return;
    ids.delete(id);
  }
}

/** The progress token follows the id where it is the same, as the SDKs choose it. */
function rename(request: JsonRpcRequest, id: RequestId): JsonRpcRequest {
  const meta = request.params?._meta;
  if (!isObject(meta) || meta.progressToken !== request.id) {
    return { ...request, id };
  }
  return {
    ...request,
    id,
    params: { ...request.params, _meta: { ...meta, progressToken: id } },
  };
}
