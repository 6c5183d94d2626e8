/** What a timer runs. */
export type TimerCallback = (...args: unknown[]) => unknown;

interface Timer {
  readonly id: number;
  readonly callback: TimerCallback;
  readonly args: readonly unknown[];
  /** Interval of a repeating timer, in milliseconds. */
  readonly interval: number | undefined;
  readonly due: number;
}

/** A clock that stands still until told otherwise, and its timers. */
export class Clock {
  /** Current time, in milliseconds since the epoch. */
  now: number;
  #lastId = 0;
  /** By due time, then in the order they were set; some cleared since. */
  readonly #queue: Timer[] = [];
  readonly #pending = new Set<number>();

  constructor(now: number) {
    this.now = now;
  }

  /** Sets a timer that fires once. */
  setTimeout(
    callback: TimerCallback,
    delay: number,
    args: readonly unknown[],
  ): number {
    const due = this.now + Math.max(0, Math.floor(delay));
    return this.#add({ callback, args, due, interval: undefined });
  }

  /** Sets a timer that fires again and again. */
  setInterval(
    callback: TimerCallback,
    delay: number,
    args: readonly unknown[],
  ): number {
    const interval = Math.max(1, Math.floor(delay));
    return this.#add({ callback, args, due: this.now + interval, interval });
  }

  #add(timer: Omit<Timer, "id">): number {
    const id = ++this.#lastId;
    this.#pending.add(id);
    this.#enqueue({ id, ...timer });
    return id;
  }

  #enqueue(timer: Timer): void {
    const after = this.#queue.findLastIndex(({ due }) => due <= timer.due);
    this.#queue.splice(after + 1, 0, timer);
  }

  /** Clears a timer, if there is one of that id. */
  clear(id: unknown): void {
    if (typeof id === "number") this.#pending.delete(id);
  }

  /** Whether no timer was set, or all are done with. */
  get idle(): boolean {
    return this.#queue.length === 0;
  }

  /** When the next timer is due; forgets those cleared before it. */
  nextDue(): number | undefined {
    let [first] = this.#queue;
    while (first && !this.#pending.has(first.id)) {
      this.#queue.shift();
      [first] = this.#queue;
    }
    return first?.due;
  }

  /** Moves on to a time, firing each timer on the way at its own time. */
  advanceTo(time: number): void {
    for (
      let [first] = this.#queue;
      first && first.due <= time;
      [first] = this.#queue
    ) {
      this.#queue.shift();
      if (this.#pending.has(first.id)) this.#fire(first);
    }
    this.now = time;
  }

  #fire(timer: Timer): void {
    const { id, callback, args, interval, due } = timer;
    this.now = due;
    if (interval === undefined) this.#pending.delete(id);
    else this.#enqueue({ ...timer, due: due + interval });
    callback(...args);
  }
}
