import type { Clock, Timer } from "../../protocol/clock.ts";

interface Entry {
  readonly at: number;
  /** Of two due together, the one that was set first runs first. */
  readonly order: number;
  callback: (() => void) | undefined;
}

/** Time that moves from one event to the next, however many timers there are. */
export class VirtualClock implements Clock {
  /** A binary heap; cleared timers stay in it until they are due. */
  readonly #heap: Entry[] = [];
  #now = 1_000_000;
  #order = 0;

  now(): number {
    return this.#now;
  }

  after(ms: number, callback: () => void): Timer {
    const at = this.#now + Math.max(ms, 0);
    const entry: Entry = { at, order: this.#order++, callback };
    this.#push(entry);
    return {
      clear: () => {
        entry.callback = undefined;
      },
    };
  }

  /** Runs the next timer at its time. Returns whether there was one. */
  step(): boolean {
    for (let entry = this.#pop(); entry !== undefined; entry = this.#pop()) {
      const { callback, at } = entry;
      if (callback === undefined) continue;
      this.#now = at;
      entry.callback = undefined;
      callback();
      return true;
    }
    return false;
  }

  #push(entry: Entry): void {
    const heap = this.#heap;
    let index = heap.push(entry) - 1;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (!isBefore(entry, heap[parent] as Entry)) break;
      heap[index] = heap[parent] as Entry;
      index = parent;
    }
    heap[index] = entry;
  }

  #pop(): Entry | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (last === undefined || first === undefined || heap.length === 0) return first;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1] as Entry, heap[child] as Entry)) {
        child++;
      }
      if (!isBefore(heap[child] as Entry, last)) break;
      heap[index] = heap[child] as Entry;
      index = child;
    }
    heap[index] = last;
    return first;
  }
}

function isBefore(one: Entry, other: Entry): boolean {
  return one.at < other.at || (one.at === other.at && one.order < other.order);
}

/** The timers of one process: they die with it, and those that it forgot can be counted. */
export class ProcessClock implements Clock {
  readonly #clock: Clock;
  /** What runs, and what it was made from. */
  readonly #set = new Map<() => void, () => void>();
  #isDead = false;

  /** @param clock Where time comes from. */
  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Timers that are set. */
  get timers(): number {
    return this.#isDead ? 0 : this.#set.size;
  }

  now(): number {
    return this.#clock.now();
  }

  after(ms: number, callback: () => void): Timer {
    const run = () => {
      this.#set.delete(run);
      if (!this.#isDead) callback();
    };
    this.#set.set(run, callback);
    const timer = this.#clock.after(ms, run);
    return {
      clear: () => {
        this.#set.delete(run);
        timer.clear();
      },
    };
  }

  /** The timers that are set, for whoever looks for a fault. */
  toString(): string {
    return [...this.#set.values()].join("; ");
  }

  /** Nothing runs any more. */
  kill(): void {
    this.#isDead = true;
  }
}
