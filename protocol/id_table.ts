import type { RequestId } from "./jsonrpc.ts";

/** Slots at first, and at most; powers of two. Most connections have one request at a time. */
const MIN_SLOTS = 2;
const MAX_SLOTS = 4_096;
/** A table that is empty keeps no more of them. */
const SPARE_SLOTS = 256;

/** The slots of a table that has none. */
const NO_SLOTS: never[] = [];

/** A value that has no slot. */
interface Entry<Value> {
  readonly id: RequestId;
  readonly value: Value;
  /** Grows with every value that is added. */
  readonly order: number;
}

/**
 * Values by the ids of requests in flight. Integers that count up, as most do,
 * have slots of their own. A `Map` would be rebuilt again and again as it is
 * filled and emptied, and each of its versions keeps the next one alive with all
 * that is in it until the old generation is collected: a third of the time.
 */
export class IdTable<Value> {
  #ids: (number | undefined)[] = NO_SLOTS;
  #values: (Value | undefined)[] = NO_SLOTS;
  #orders: number[] = NO_SLOTS;
  /** Slots in use. */
  #taken = 0;
  /** Texts, and integers whose slot a newer one has. */
  #others: Map<RequestId, Entry<Value>> | undefined;
  #order = 0;

  /** How many there are. */
  get size(): number {
    return this.#taken + (this.#others?.size ?? 0);
  }

  /** Whether an id has a value. */
  has(id: RequestId): boolean {
    return this.#slotOf(id) >= 0 || this.#others?.has(id) === true;
  }

  /** The value of an id. */
  get(id: RequestId): Value | undefined {
    const slot = this.#slotOf(id);
    return slot >= 0 ? this.#values[slot] : this.#others?.get(id)?.value;
  }

  /** Adds a value behind all others. Its id must have none. */
  add(id: RequestId, value: Value): void {
    const order = this.#order++;
    if (typeof id !== "number") return this.#addOther({ id, value, order });
    const slot = this.#makeRoom(id);
    this.#ids[slot] = id;
    this.#values[slot] = value;
    this.#orders[slot] = order;
    this.#taken++;
  }

  /** Takes the value of an id out. */
  take(id: RequestId): Value | undefined {
    const slot = this.#slotOf(id);
    if (slot >= 0) {
      const value = this.#vacate(slot);
      if (this.#taken === 0 && this.#ids.length > SPARE_SLOTS) this.#resize(0);
      return value;
    }
    const entry = this.#others?.get(id);
    if (entry !== undefined) this.#others?.delete(id);
    return entry?.value;
  }

  /** All there is, in the order in which it was added. */
  entries(): (readonly [id: RequestId, value: Value])[] {
    const entries = this.#others === undefined ? [] : [...this.#others.values()];
    for (const [slot, id] of this.#ids.entries()) {
      if (id !== undefined) entries.push(this.#entryAt(slot, id));
    }
    entries.sort((one, other) => one.order - other.order);
    return entries.map(({ id, value }) => [id, value]);
  }

  /** Forgets all. */
  clear(): void {
    this.#others = undefined;
    this.#taken = 0;
    this.#resize(0);
  }

  /** The slot of an id, or -1. */
  #slotOf(id: RequestId): number {
    if (typeof id !== "number") return -1;
    const slot = id & (this.#ids.length - 1);
    return this.#ids[slot] === id ? slot : -1;
  }

  #addOther(entry: Entry<Value>): void {
    this.#others ??= new Map();
    this.#others.set(entry.id, entry);
  }

  #entryAt(slot: number, id: number): Entry<Value> {
    const value = this.#values[slot] as Value;
    return { id, value, order: this.#orders[slot] as number };
  }

  #vacate(slot: number): Value | undefined {
    const value = this.#values[slot];
    this.#ids[slot] = undefined;
    this.#values[slot] = undefined;
    this.#taken--;
    return value;
  }

  /** A free slot for an id. Whoever stays for long gives way to the newer. */
  #makeRoom(id: number): number {
    for (;;) {
      const count = this.#ids.length;
      const slot = id & (count - 1);
      const occupant = this.#ids[slot];
      if (count > 0 && occupant === undefined) return slot;
      const isCrowded = this.#taken * 2 >= count;
      if (occupant === undefined || (isCrowded && count < MAX_SLOTS)) {
        this.#resize(Math.max(2 * count, MIN_SLOTS));
        continue;
      }
      this.#addOther(this.#entryAt(slot, occupant));
      this.#vacate(slot);
      return slot;
    }
  }

  /** More slots, or none. Those that have one apiece share none among more. */
  #resize(count: number): void {
    const [ids, values, orders] = [this.#ids, this.#values, this.#orders];
    if (count === 0) {
      this.#ids = this.#values = this.#orders = NO_SLOTS;
      return;
    }
    this.#ids = new Array(count).fill(undefined);
    this.#values = new Array(count).fill(undefined);
    this.#orders = new Array(count).fill(0);
    for (const [slot, id] of ids.entries()) {
      if (id === undefined) continue;
      const next = id & (count - 1);
      this.#ids[next] = id;
      this.#values[next] = values[slot];
      this.#orders[next] = orders[slot] as number;
    }
  }
}
