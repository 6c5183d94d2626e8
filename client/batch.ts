import type { JsonRpcParams } from "../protocol/jsonrpc.ts";
import type { McpMethods } from "../protocol/mcp_types.ts";
import type { CustomMethod, MethodTable, RequestArguments, ResultOf } from "../protocol/methods.ts";
import type { JsonRpcPeer } from "../protocol/peer.ts";
import type { RequestOptions } from "../protocol/peer_options.ts";
import type { SendOptions } from "../protocol/transport.ts";
import type { BatchCollector } from "./batch_collector.ts";

/**
 * What {@linkcode MCPWebSocketClient.batch} gives its callback: requests and
 * notifications are collected here, to leave in one frame.
 *
 * @typeParam Methods The methods of the server.
 */
export interface Batch<Methods extends MethodTable<Methods> = McpMethods> {
  /**
   * Adds a request. Its time begins now.
   *
   * @typeParam Name The method.
   * @param method The method.
   * @param args Its parameters, and limits, a signal, a listener for progress.
   * @returns The result. It fails for itself alone.
   * @throws {MCPRpcError} If the server answered with an error.
   * @throws {TypeError} If the batch has ended.
   */
  request<Name extends keyof Methods & string>(
    method: Name,
    ...args: RequestArguments<Methods[Name]>
  ): Promise<ResultOf<Methods[Name]>>;
  /**
   * Adds a request of a method that is not in the table.
   *
   * @typeParam Result What it gives; it is not checked.
   * @param method The method.
   * @param params Its parameters.
   * @param options Limits, a signal, a listener for progress.
   */
  request<Result = unknown, Name extends string = string>(
    method: Name & CustomMethod<Name, Methods>,
    params?: object,
    options?: RequestOptions,
  ): Promise<Result>;
  /**
   * Adds a notification.
   *
   * @param method The method.
   * @param params Its parameters.
   * @returns Resolves when the socket has taken it.
   * @throws {TypeError} If the batch has ended.
   */
  notify(method: string, params?: JsonRpcParams): Promise<void>;
  /** Sends what was collected so far; what follows leaves in another frame. */
  flush(): void;
}

/** How a message of a batch is sent: into the batch. */
export interface BatchedSendOptions extends SendOptions {
  /** What collects it. */
  readonly batch?: BatchCollector | undefined;
}

/** A batch that is being collected. */
export class OpenBatch<Methods extends MethodTable<Methods>> implements Batch<Methods> {
  readonly #peer: JsonRpcPeer;
  readonly #collector: BatchCollector;

  /**
   * @param peer Who asks.
   * @param collector What collects.
   */
  constructor(peer: JsonRpcPeer, collector: BatchCollector) {
    this.#peer = peer;
    this.#collector = collector;
  }

  /** See {@linkcode Batch}. */
  request(method: string, ...args: unknown[]): Promise<never> {
    const [params, options] = args as [JsonRpcParams?, RequestOptions?];
    const batched: RequestOptions & BatchedSendOptions = { ...options, batch: this.#collector };
    return this.#collector.follow(this.#peer.request<never>(method, params, batched));
  }

  /** See {@linkcode Batch}. */
  notify(method: string, params?: JsonRpcParams): Promise<void> {
    const batched: BatchedSendOptions = { batch: this.#collector };
    return this.#collector.follow(this.#peer.notify(method, params, batched));
  }

  /** See {@linkcode Batch}. */
  flush(): void {
    this.#collector.flush("end");
  }
}
