/** Something that holds bytes and can be ended for its room. */
export interface Holder {
  /** Ends it, as there is no room. */
  evict(): void;
}

/** The bytes that all sessions of a server hold for their clients. */
export class SessionBudget {
  readonly #limit: number;
  /** Sessions without a connection; the one that lost it first is the first. */
  readonly #detached = new Set<Holder>();
  /** Sessions whose senders wait for room. */
  readonly #waiting = new Map<Holder, PromiseWithResolvers<void>>();
  #used = 0;

  /** @param limit How many bytes there may be. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Bytes that are held. */
  get used(): number {
    return this.#used;
  }

  /** Sessions without a connection. */
  get detached(): number {
    return this.#detached.size;
  }

  /** Whether senders should wait. */
  get isExhausted(): boolean {
    return this.#used > this.#limit;
  }

  /** Resolves when there is room again, or the session has ended. */
  room(holder: Holder): Promise<void> {
    if (!this.isExhausted) return Promise.resolve();
    const waiting = this.#waiting.get(holder) ?? Promise.withResolvers<void>();
    this.#waiting.set(holder, waiting);
    return waiting.promise;
  }

  /** Notes that a session holds more or less than before; makes room if that is too much. */
  change(bytes: number): void {
    this.#used += bytes;
    if (bytes > 0) this.#evict();
    else if (!this.isExhausted) this.#wake();
  }

  /** Notes that a session has lost its connection. */
  detach(holder: Holder): void {
    this.#detached.add(holder);
    this.#evict();
  }

  /** Notes that a session has a connection again. */
  attach(holder: Holder): void {
    this.#detached.delete(holder);
  }

  /** Notes that a session has ended. */
  release(holder: Holder): void {
    this.#detached.delete(holder);
    this.#waiting.get(holder)?.resolve();
    this.#waiting.delete(holder);
  }

  #evict(): void {
    for (const holder of this.#detached) {
      if (!this.isExhausted) return;
      this.#detached.delete(holder);
      holder.evict();
    }
  }

  #wake(): void {
    for (const { resolve } of this.#waiting.values()) resolve();
    this.#waiting.clear();
  }
}
