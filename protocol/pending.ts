import type { Clock, Timer } from "./clock.ts";
import { IdTable } from "./id_table.ts";
import type { JsonRpcParams, RequestId } from "./jsonrpc.ts";

/** How far a request has come, as the peer tells it. */
export interface Progress {
  /** What is done; it only grows. */
  readonly progress: number;
  /** What there is to do, where it is known. */
  readonly total?: number | undefined;
  /** What is being done, for people. */
  readonly message?: string | undefined;
}

/** A request that was sent and not answered yet. */
export interface PendingRequest {
  /** Its method. */
  readonly method: string;
  /** Settles it with an answer. */
  readonly resolve: (result: JsonRpcParams) => void;
  /** Settles it with a failure. */
  readonly reject: (reason: unknown) => void;
  /** Time without progress that is allowed, in milliseconds. */
  readonly timeout: number;
  /** When it was sent. */
  readonly startedAt: number;
  /** When it expires although there is progress. */
  readonly lastDeadline: number;
  /** When it expires unless there is progress. */
  deadline: number;
  /** Told of progress. */
  readonly onProgress?: ((progress: Progress) => void) | undefined;
  /** Lets go of the caller's signal. */
  release?: (() => void) | undefined;
}

/** Who listens to a {@linkcode PendingTable}. */
export interface PendingEvents {
  /** A request ran out of time; it was taken out already. */
  expired(id: RequestId, request: PendingRequest): void;
}

/**
 * The requests in flight, with one timer for all their deadlines.
 */
export class PendingTable {
  readonly #requests = new IdTable<PendingRequest>();
  readonly #clock: Clock;
  readonly #events: PendingEvents;
  #timer: Timer | undefined;
  #wakesAt = Infinity;

  /**
   * @param clock Where time comes from.
   * @param events Who is told.
   */
  constructor(clock: Clock, events: PendingEvents) {
    this.#clock = clock;
    this.#events = events;
  }

  /** How many requests are in flight. */
  get size(): number {
    return this.#requests.size;
  }

  /** Adds a request. */
  add(id: RequestId, request: PendingRequest): void {
    this.#requests.add(id, request);
    this.#wakeAt(request.deadline);
  }

  /** Takes a request out, because it is about to be settled. */
  take(id: RequestId): PendingRequest | undefined {
    const request = this.#requests.take(id);
    request?.release?.();
    return request;
  }

  /** Starts a request's time again, up to its last deadline. Returns it, if it is in flight. */
  extend(id: RequestId): PendingRequest | undefined {
    const request = this.#requests.get(id);
    if (request === undefined) return undefined;
    const deadline = this.#clock.now() + request.timeout;
    request.deadline = Math.min(deadline, request.lastDeadline);
    return request;
  }

  /** Rejects all that is in flight, and leaves no timer. */
  rejectAll(reason: unknown): void {
    for (const [id] of this.#requests.entries()) this.take(id)?.reject(reason);
    this.#sleep();
  }

  /**
   * Timers are lazy: one that is not needed any more finds nothing to do. To
   * set and clear one for every request would cost more than the request.
   */
  #wakeAt(deadline: number): void {
    if (deadline >= this.#wakesAt) return;
    this.#timer?.clear();
    this.#wakesAt = deadline;
    this.#timer = this.#clock.after(
      deadline - this.#clock.now(),
      () => this.#expire(),
    );
  }

  #sleep(): void {
    this.#timer?.clear();
    this.#timer = undefined;
    this.#wakesAt = Infinity;
  }

  #expire(): void {
    this.#sleep();
    const now = this.#clock.now();
    let earliest = Infinity;
    for (const [id, request] of this.#requests.entries()) {
      if (request.deadline > now) {
        earliest = Math.min(earliest, request.deadline);
      } else if (this.take(id) !== undefined) this.#events.expired(id, request);
    }
    if (this.#requests.size > 0) this.#wakeAt(earliest);
  }
}
