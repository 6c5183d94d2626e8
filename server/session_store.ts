import { type Clock, systemClock } from "../protocol/clock.ts";

/** A hello, as a store has to judge it. */
export interface SessionClaim {
  /** What the session is known by: the SHA-256 of its token, in hexadecimal. */
  readonly key: string;
  /** Whom the connection belongs to, where that is known. */
  readonly principal: string | undefined;
  /** Rises with every hello of the session. */
  readonly attempt: number;
  /** Whether the client expects the session to exist; then none is made. */
  readonly resume: boolean;
}

/** What a store says of a claim. */
export type ClaimOutcome =
  | {
    /** The session is the claimant's: it is new, or goes on. */
    readonly type: "created" | "resumed";
    /** Rises with every claim: whoever holds a lower one has lost the session. */
    readonly generation: number;
  }
  | {
    /**
     * Why the session is not the claimant's: nobody knows it; it was ended on
     * purpose; a later hello was accepted before; it is another principal's;
     * there are too many sessions, in all or of this principal.
     */
    readonly type: "unknown" | "ended" | "stale" | "forbidden" | "full" | "crowded";
  };

/**
 * Which sessions there are, and who holds each. The default keeps them in
 * memory, synchronously. A store that several servers share answers claims
 * with promises, and tells the others who has lost a session.
 */
export interface SessionStore {
  /** Judges a hello; if it is accepted, every earlier holder has lost the session. */
  claim(claim: SessionClaim): ClaimOutcome | Promise<ClaimOutcome>;
  /**
   * Ends a session.
   *
   * @param key The session.
   * @param generation The holder's; a holder that has lost the session ends nothing.
   * @param onPurpose Whether that is remembered for a while: a late claim is
   * answered with `ended` then, else with `unknown`.
   */
  end(key: string, generation: number, onPurpose: boolean): void | Promise<void>;
  /**
   * Hears of sessions that were claimed elsewhere: the holder of a lower
   * generation gives up its socket. In memory there is no elsewhere.
   *
   * @param lost Called with the session and the generation that took it.
   * @returns Stops hearing.
   */
  watch?(lost: (key: string, generation: number) => void): () => void;
  /**
   * Notes a message for the client that it has not acknowledged, so that
   * another server could send it again. Without it, messages stay in memory.
   *
   * @param key The session.
   * @param generation The holder's.
   * @param text The message.
   */
  append?(key: string, generation: number, text: string): void;
  /**
   * Forgets the oldest messages that were appended.
   *
   * @param key The session.
   * @param generation The holder's.
   * @param count How many the client has acknowledged since the last call.
   */
  trim?(key: string, generation: number, count: number): void;
}

/** Options of {@linkcode MemorySessionStore}. */
export interface MemorySessionStoreOptions {
  /**
   * How many sessions there may be, detached ones included.
   *
   * @default {10_000}
   */
  readonly maxSessions?: number | undefined;
  /**
   * How many of them one principal may have.
   *
   * @default {5}
   */
  readonly maxSessionsPerPrincipal?: number | undefined;
  /**
   * How long it is remembered that a session was ended, in milliseconds.
   *
   * @default {120_000}
   */
  readonly tombstoneMs?: number | undefined;
  /** Where time comes from. */
  readonly clock?: Clock | undefined;
}

interface Entry {
  readonly principal: string | undefined;
  attempt: number;
  generation: number;
}

/** What is remembered of a session that has ended. */
interface Tombstone {
  readonly until: number;
  readonly attempt: number;
  readonly onPurpose: boolean;
}

/** Tombstones that are kept; beyond, the oldest are forgotten. */
const MAX_TOMBSTONES = 10_000;

/**
 * Sessions in the memory of one process.
 *
 * @example Fewer sessions for each principal
 * ```ts
 * import { createWebSocketHandler, MemorySessionStore } from "@bowline/mcp-websocket/server";
 *
 * const store = new MemorySessionStore({ maxSessionsPerPrincipal: 2 });
 * await using _handler = createWebSocketHandler((session) => session.start(), { session: { store } });
 * ```
 */
export class MemorySessionStore implements SessionStore {
  readonly #maxSessions: number;
  readonly #maxPerPrincipal: number;
  readonly #tombstoneMs: number;
  readonly #clock: Clock;
  readonly #entries = new Map<string, Entry>();
  readonly #counts = new Map<string, number>();
  /** Ended sessions and until when that is remembered, the oldest first. */
  readonly #tombstones = new Map<string, Tombstone>();
  /** Of all sessions, so that it rises although one is forgotten and made anew. */
  #generation = 0;

  /**
   * Makes an empty store.
   *
   * @param options Bounds.
   * @throws {RangeError} If a number is negative, or none.
   */
  constructor(options: MemorySessionStoreOptions = {}) {
    const {
      maxSessions = 10_000,
      maxSessionsPerPrincipal = 5,
      tombstoneMs = 120_000,
      clock = systemClock,
    } = options;
    for (
      const [name, value] of Object.entries({ maxSessions, maxSessionsPerPrincipal, tombstoneMs })
    ) {
      if (value >= 0) continue;
      throw new RangeError(
        `Cannot create store as "${name}" must not be negative: current value is ${value}`,
      );
    }
    this.#maxSessions = maxSessions;
    this.#maxPerPrincipal = maxSessionsPerPrincipal;
    this.#tombstoneMs = tombstoneMs;
    this.#clock = clock;
  }

  /** How many sessions there are. */
  get size(): number {
    return this.#entries.size;
  }

  /** See {@linkcode SessionStore}. */
  claim(claim: SessionClaim): ClaimOutcome {
    const entry = this.#entries.get(claim.key);
    return entry === undefined ? this.#create(claim) : this.#resume(entry, claim);
  }

  /** See {@linkcode SessionStore}. */
  end(key: string, generation: number, onPurpose: boolean): void {
    const entry = this.#entries.get(key);
    if (entry === undefined || entry.generation !== generation) return;
    this.#entries.delete(key);
    this.#count(entry.principal, -1);
    const until = this.#clock.now() + this.#tombstoneMs;
    this.#tombstones.set(key, { until, attempt: entry.attempt, onPurpose });
    this.#sweep();
  }

  #create({ key, principal, attempt, resume }: SessionClaim): ClaimOutcome {
    this.#sweep();
    const tombstone = this.#tombstones.get(key);
    if (tombstone?.onPurpose) return { type: "ended" };
    // A first hello that was stalled must not bring a session back that is no more.
    if (tombstone !== undefined && attempt <= tombstone.attempt) return { type: "stale" };
    if (resume) return { type: "unknown" };
    if (this.#entries.size >= this.#maxSessions) return { type: "full" };
    if (principal !== undefined && this.#countOf(principal) >= this.#maxPerPrincipal) {
      return { type: "crowded" };
    }
    const generation = ++this.#generation;
    this.#entries.set(key, { principal, attempt, generation });
    this.#count(principal, 1);
    return { type: "created", generation };
  }

  /** A late hello, whose dial was stalled, must not throw the live connection out. */
  #resume(entry: Entry, { principal, attempt }: SessionClaim): ClaimOutcome {
    if (entry.principal !== principal) return { type: "forbidden" };
    if (attempt <= entry.attempt) return { type: "stale" };
    entry.attempt = attempt;
    entry.generation = ++this.#generation;
    return { type: "resumed", generation: entry.generation };
  }

  #countOf(principal: string): number {
    return this.#counts.get(principal) ?? 0;
  }

  #count(principal: string | undefined, change: 1 | -1): void {
    if (principal === undefined) return;
    const count = this.#countOf(principal) + change;
    if (count === 0) this.#counts.delete(principal);
    else this.#counts.set(principal, count);
  }

  /** All are kept equally long: the oldest is the first to go. */
  #sweep(): void {
    const now = this.#clock.now();
    for (const [key, { until }] of this.#tombstones) {
      if (until > now && this.#tombstones.size <= MAX_TOMBSTONES) return;
      this.#tombstones.delete(key);
    }
  }
}
