import { IdTable } from "../protocol/id_table.ts";
import type { RequestId } from "../protocol/jsonrpc.ts";
import { LISTEN } from "../protocol/mcp.ts";

/** The requests of one client that wait for their answer. */
export class InFlight {
  readonly #limit: number;
  /** With the time each came in. */
  readonly #running = new IdTable<number>();
  /** Subscriptions stay open on purpose: nobody waits for their end. */
  #listening: Set<RequestId> | undefined;
  #idle: PromiseWithResolvers<void> | undefined;

  /** @param limit How many there may be. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** How many requests are running; subscriptions do not count. */
  get running(): number {
    return this.#running.size;
  }

  /** Whether there can be no more of them. */
  get isFull(): boolean {
    return this.#running.size + (this.#listening?.size ?? 0) >= this.#limit;
  }

  /** Whether a request of this id waits for its answer. */
  has(id: RequestId): boolean {
    return this.#running.has(id) || this.#listening?.has(id) === true;
  }

  /** Notes that a request came in, and when. */
  add(id: RequestId, method: string, now: number): void {
    if (method !== LISTEN) return this.#running.add(id, now);
    this.#listening ??= new Set();
    this.#listening.add(id);
  }

  /**
   * Notes that a request was answered, or that nobody waits for its answer any more.
   *
   * @returns When it came in, if it was running.
   */
  settle(id: RequestId): number | undefined {
    const since = this.#running.take(id);
    if (since === undefined) this.#listening?.delete(id);
    else if (this.#running.size === 0) this.#wake();
    return since;
  }

  /** Notes that the connection has ended. */
  clear(): void {
    this.#running.clear();
    this.#listening = undefined;
    this.#wake();
  }

  /**
   * Waits until no request is running.
   *
   * @param signal Gives up waiting.
   * @throws The reason of the signal, when it is aborted.
   */
  async idle(signal?: AbortSignal): Promise<void> {
    if (this.#running.size === 0) return;
    signal?.throwIfAborted();
    this.#idle ??= Promise.withResolvers<void>();
    const { promise } = this.#idle;
    if (signal === undefined) return await promise;
    const { promise: aborted, reject } = Promise.withResolvers<never>();
    const abort = () => reject(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    try {
      await Promise.race([promise, aborted]);
    } finally {
      signal.removeEventListener("abort", abort);
    }
  }

  #wake(): void {
    this.#idle?.resolve();
    this.#idle = undefined;
  }
}
