import type {
  JsonRpcMessage,
  JsonRpcNotification,
  JsonRpcRequest,
  JsonRpcResponse,
  RequestId,
} from "../protocol/jsonrpc.ts";
import { isObject, isRequestId } from "../protocol/jsonrpc.ts";
import { CANCELLED, cancelNotification, PROGRESS } from "../protocol/mcp.ts";

/** A connection: the present one, or the one that is being left for it. */
export type Side = "present" | "leaving";

/** Ids that are remembered, in flight and lost; beyond, the oldest are forgotten. */
const MAX_IDS = 16_384;

/**
 * The ids of requests the peer sent, across connections. A request dies with
 * its connection, but the application may still answer it; a new connection
 * may use its id again. An answer never reaches the wrong one: a reused id is
 * shown to the application under another name.
 */
export class InboundIds {
  /** Requests in flight on each connection: the id the application knows, and the peer's. */
  readonly #tables: { readonly [Key in Side]: Map<RequestId, RequestId> } = {
    present: new Map<RequestId, RequestId>(),
    leaving: new Map<RequestId, RequestId>(),
  };
  /** Ids the application may still use for requests that are lost, the oldest first. */
  readonly #lost = new Set<RequestId>();
  #renamed = 0;

  /** How many requests are in flight on a connection. */
  size(side: Side): number {
    return this.#tables[side].size;
  }

  /** Notes a request that came in. Returns it as the application may see it. */
  accept(request: JsonRpcRequest, side: Side = "present"): JsonRpcRequest {
    const other = this.#tables[side === "present" ? "leaving" : "present"];
    const isTaken = this.#lost.has(request.id) || other.has(request.id);
    const id = isTaken ? `reused-${++this.#renamed}` : request.id;
    const table = this.#tables[side];
    table.set(id, request.id);
    forgetOldest(table);
    return id === request.id ? request : rename(request, id);
  }

  /** Which connection a message that leaves belongs to: the one whose request it is about. */
  sideOf(message: JsonRpcResponse | JsonRpcNotification): Side {
    const id = "method" in message ? message.params?.progressToken : message.id;
    return isRequestId(id) && this.#tables.leaving.has(id) ? "leaving" : "present";
  }

  /** What is in flight belongs to a connection that is being left. */
  leave(): void {
    const { present, leaving } = this.#tables;
    for (const [ours, theirs] of present) leaving.set(ours, theirs);
    present.clear();
  }

  /** A notification that came in, with the id the application knows. */
  translate(notification: JsonRpcNotification, side: Side = "present"): JsonRpcNotification {
    if (notification.method !== CANCELLED) return notification;
    const theirs = notification.params?.requestId;
    const table = this.#tables[side];
    for (const [ours, original] of table) {
      if (original !== theirs) continue;
      table.delete(ours);
      // The application may answer all the same, and then nobody is to hear it.
      this.#lost.add(ours);
      forgetOldest(this.#lost);
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
    const table = this.#tables[this.sideOf(response)];
    const original = table.get(id);
    if (original === undefined) {
      return this.#lost.delete(id) ? undefined : response;
    }
    table.delete(id);
    return original === id ? response : { ...response, id: original };
  }

  /** A notification that leaves; `undefined` if it belongs to a lost request. */
  release(notification: JsonRpcNotification): JsonRpcNotification | undefined {
    // Ids are only renamed when some are lost or leaving.
    if (notification.method !== PROGRESS || this.#lost.size + this.#renamed === 0) {
      return notification;
    }
    const token = notification.params?.progressToken;
    if (!isRequestId(token)) return notification;
    const original = this.#tables[this.sideOf(notification)].get(token);
    if (original === undefined) {
      return this.#lost.has(token) ? undefined : notification;
    }
    if (original === token) return notification;
    return {
      ...notification,
      params: { ...notification.params, progressToken: original },
    };
  }

  /** Gives up all requests in flight on a connection. Returns what the application has to be told. */
  lose(side: Side = "present"): JsonRpcMessage[] {
    const messages: JsonRpcMessage[] = [];
    const table = this.#tables[side];
    for (const id of table.keys()) {
      this.#lost.add(id);
      messages.push(cancelNotification(id, "The connection was lost"));
    }
    table.clear();
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
