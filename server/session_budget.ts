/** Something that holds bytes and can be ended for its room. */
export interface Holder {
  /** Ends it, as there is no room. */
  evict(): void;
}

/** The bytes that sessions hold for their clients: all of a server, or some of them. */
export class SessionBudget {
  readonly #limit: number;
  readonly #whole: SessionBudget | undefined;
  /** Sessions without a connection; the one that lost it first is the first. */
  readonly #detached = new Set<Holder>();
  /** Sessions whose senders wait for room. */
  readonly #waiting = new Map<Holder, PromiseWithResolvers<void>>();
  #used = 0;

  /**
   * @param limit How many bytes there may be.
   * @param whole The budget that this one is a part of.
   */
  constructor(limit: number, whole?: SessionBudget) {
    this.#limit = limit;
    this.#whole = whole;
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
    return this.#isOver || this.#whole?.isExhausted === true;
  }

  /** Resolves when there is room again, or the session has ended. */
  async room(holder: Holder): Promise<void> {
    if (this.#isOver) {
      const waiting = this.#waiting.get(holder) ?? Promise.withResolvers<void>();
      this.#waiting.set(holder, waiting);
      await waiting.promise;
    }
    await this.#whole?.room(holder);
  }

  /** Notes that a session holds more or less than before; makes room if that is too much. */
  change(bytes: number): void {
    this.#used += bytes;
    this.#whole?.change(bytes);
    if (bytes > 0) this.#evict();
    else if (!this.#isOver) this.#wake();
  }

  /** Notes that a session has lost its connection. */
  detach(holder: Holder): void {
    this.#detached.add(holder);
    this.#evict();
    if (this.#detached.has(holder)) this.#whole?.detach(holder);
  }

  /** Notes that a session has a connection again. */
  attach(holder: Holder): void {
    this.#detached.delete(holder);
    this.#whole?.attach(holder);
  }

  /** Notes that a session has ended. */
  release(holder: Holder): void {
    this.#detached.delete(holder);
    this.#waiting.get(holder)?.resolve();
    this.#waiting.delete(holder);
    this.#whole?.release(holder);
  }

  get #isOver(): boolean {
    return this.#used > this.#limit;
  }

  #evict(): void {
    for (const holder of this.#detached) {
      if (!this.#isOver) return;
      this.#detached.delete(holder);
      holder.evict();
    }
  }

  #wake(): void {
    for (const { resolve } of this.#waiting.values()) resolve();
    this.#waiting.clear();
  }
}
