import { addressKey, isLoopback } from "./client_address.ts";
import { TokenBucket, type TokenBucketOptions } from "./token_bucket.ts";

/** Options of {@linkcode Admission}; `false` switches a bound off. */
export interface AdmissionOptions {
  /**
   * Connections that one address may have. This machine's own addresses are
   * not counted: they are its owner, or a proxy that stands for everybody.
   *
   * @default {100}
   */
  readonly maxConnectionsPerAddress?: number | false | undefined;
  /**
   * Upgrades of one address, accepted or not; by default 20 each second, and
   * 100 at once. This machine's own addresses are not counted.
   */
  readonly upgradesPerAddress?: TokenBucketOptions | false | undefined;
  /** Upgrades of all; by default 1,000 each second. */
  readonly upgrades?: TokenBucketOptions | false | undefined;
  /**
   * Connections of which it is not known yet whose they are.
   *
   * @default {1_024}
   */
  readonly maxUnauthenticated?: number | false | undefined;
  /**
   * Addresses that are remembered without having a connection; beyond, the one
   * heard of least recently is forgotten.
   *
   * @default {10_000}
   */
  readonly maxAddresses?: number | undefined;
}

/** The place of one connection, from its upgrade request on; it frees itself if a socket tells it. */
export interface Place extends EventListenerObject {
  /** Notes that it is known whose the connection is. Doing so twice is fine. */
  authenticated(): void;
  /** Frees the place. Doing so twice is fine. */
  release(): void;
}

/** Whether a connection may be opened. */
export type AdmissionDecision =
  | {
    /** Says that it may. */
    readonly type: "admit";
    /** Its place; whoever has it frees it on every path. */
    readonly place: Place;
  }
  | {
    /** Says that it may not. */
    readonly type: "refuse";
    /** The HTTP status: 429 on account of the address, 503 of all. */
    readonly status: 429 | 503;
    /** Why, in words fit for the client. */
    readonly reason: string;
    /** When to come back at the earliest, in milliseconds. */
    readonly retryAfterMs: number;
  };

/** What is known of an address. */
interface Visitor {
  readonly key: string;
  connections: number;
  readonly bucket: TokenBucket | undefined;
}

/** When to come back where only somebody else's leaving makes room, in milliseconds. */
const RETRY_AFTER = 5_000;

/** Counts those who come in, so that nobody takes the room of all. It sets no timer. */
export class Admission {
  readonly #maxPerAddress: number;
  readonly #maxUnauthenticated: number;
  readonly #maxAddresses: number;
  readonly #perAddress: TokenBucketOptions | false;
  readonly #upgrades: TokenBucket | undefined;
  readonly #now: () => number;
  /** By address or network: those that have connections, which bound their number. */
  readonly #connected = new Map<string, Visitor>();
  /** Those that have none, the one heard of least recently first. */
  readonly #idle = new Map<string, Visitor>();
  #unauthenticated = 0;

  /**
   * Makes a doorkeeper.
   *
   * @param options Bounds.
   * @param now The current time, in milliseconds.
   * @throws {RangeError} If a bound is not positive.
   */
  constructor(options: AdmissionOptions, now: () => number) {
    const {
      maxConnectionsPerAddress = 100,
      upgradesPerAddress = { perSecond: 20, burst: 100 },
      upgrades = { perSecond: 1_000 },
      maxUnauthenticated = 1_024,
      maxAddresses = 10_000,
    } = options;
    this.#maxPerAddress = bound("maxConnectionsPerAddress", maxConnectionsPerAddress);
    this.#maxUnauthenticated = bound("maxUnauthenticated", maxUnauthenticated);
    this.#maxAddresses = bound("maxAddresses", maxAddresses);
    // Made once, so that a wrong rate is told now and not to the first client.
    if (upgradesPerAddress !== false) new TokenBucket(upgradesPerAddress, 0);
    this.#perAddress = upgradesPerAddress;
    this.#upgrades = upgrades === false ? undefined : new TokenBucket(upgrades, now());
    this.#now = now;
  }

  /** Connections of which it is not known yet whose they are. */
  get unauthenticated(): number {
    return this.#unauthenticated;
  }

  /** Addresses that are remembered. */
  get addresses(): number {
    return this.#connected.size + this.#idle.size;
  }

  /**
   * Lets a connection in, or not.
   *
   * @param address Where it comes from; one that is unknown, or this machine's own,
   * counts for all but not for itself.
   * @returns The decision. A refusal costs the address a part of its rate, and
   * others nothing.
   */
  admit(address: string | undefined): AdmissionDecision {
    const now = this.#now();
    const isCounted = address !== undefined && !isLoopback(address);
    const visitor = isCounted ? this.#visit(addressKey(address), now) : undefined;
    return this.#checkVisitor(visitor, now) ?? this.#checkAll(now) ??
      { type: "admit", place: this.#take(visitor) };
  }

  #checkVisitor(visitor: Visitor | undefined, now: number): AdmissionDecision | undefined {
    if (visitor === undefined) return undefined;
    const { bucket, connections } = visitor;
    if (bucket?.take(now) === false) {
      return refuse(429, "Too many upgrades from this address", bucket.wait(now));
    }
    if (connections < this.#maxPerAddress) return undefined;
    return refuse(429, "Too many connections from this address", RETRY_AFTER);
  }

  #checkAll(now: number): AdmissionDecision | undefined {
    if (this.#unauthenticated >= this.#maxUnauthenticated) {
      return refuse(503, "Too many connections are being opened", RETRY_AFTER);
    }
    const bucket = this.#upgrades;
    if (bucket === undefined || bucket.take(now)) return undefined;
    return refuse(503, "Too many upgrades", bucket.wait(now));
  }

  #take(visitor: Visitor | undefined): Place {
    this.#unauthenticated++;
    this.#count(visitor, 1);
    return new TakenPlace(this, visitor);
  }

  /** See {@linkcode Place}. To be called once. */
  authenticated(): void {
    this.#unauthenticated--;
  }

  /** See {@linkcode Place}. To be called once. */
  release(visitor: Visitor | undefined): void {
    this.#count(visitor, -1);
  }

  #count(visitor: Visitor | undefined, change: 1 | -1): void {
    if (visitor === undefined) return;
    visitor.connections += change;
    this.#place(visitor);
  }

  #visit(key: string, now: number): Visitor {
    this.#sweep(now);
    const rate = this.#perAddress;
    const visitor = this.#connected.get(key) ?? this.#idle.get(key) ??
      { key, connections: 0, bucket: rate === false ? undefined : new TokenBucket(rate, now) };
    this.#place(visitor);
    return visitor;
  }

  /** Puts an address where it belongs, as the one heard of last. */
  #place(visitor: Visitor): void {
    const { key, connections } = visitor;
    this.#idle.delete(key);
    this.#connected.delete(key);
    if (connections > 0) return void this.#connected.set(key, visitor);
    this.#idle.set(key, visitor);
    if (this.#idle.size <= this.#maxAddresses) return;
    const [oldest = ""] = this.#idle.keys();
    this.#idle.delete(oldest);
  }

  /** Forgets the oldest one or two of whom there is nothing to remember: the table shrinks again. */
  #sweep(now: number): void {
    let left = 2;
    for (const [key, { bucket }] of this.#idle) {
      if (left-- === 0 || bucket?.isFull(now) === false) return;
      this.#idle.delete(key);
    }
  }
}

/** A place that somebody has. */
class TakenPlace implements Place {
  readonly #admission: Admission;
  readonly #visitor: Visitor | undefined;
  #isKnown = false;
  #isFree = false;

  constructor(admission: Admission, visitor: Visitor | undefined) {
    this.#admission = admission;
    this.#visitor = visitor;
  }

  authenticated(): void {
    if (this.#isKnown) return;
    this.#isKnown = true;
    this.#admission.authenticated();
  }

  release(): void {
    if (this.#isFree) return;
    this.#isFree = true;
    this.authenticated();
    this.#admission.release(this.#visitor);
  }

  handleEvent(): void {
    this.release();
  }
}

function bound(name: string, value: number | false): number {
  if (value === false) return Infinity;
  if (Number.isSafeInteger(value) && value > 0) return value;
  throw new RangeError(
    `Cannot create admission as "${name}" must be a positive integer: current value is ${value}`,
  );
}

function refuse(status: 429 | 503, reason: string, retryAfterMs: number): AdmissionDecision {
  return { type: "refuse", status, reason, retryAfterMs };
}
