import type { WebSocketServerTransport } from "./transport.ts";

/**
 * The place of one connection, from the moment it is accepted until it is taken.
 * It is taken or freed on every path.
 */
export interface Seat {
  /** Fills the place: the connection is open. */
  take(session: WebSocketServerTransport): void;
  /** Frees the place, if nobody has taken it. Doing so twice is fine. */
  free(): void;
}

/** What all connections of a handler are doing. */
export interface RegistryLevels {
  /** Those that speak plain MCP. */
  readonly plain: number;
  /** Requests that wait for their answer. */
  readonly running: number;
  /** Bytes that wait in sockets. */
  readonly bufferedAmount: number;
}

/** All connections of a handler, and what they have done. */
export class SessionRegistry {
  readonly #sessions = new Map<string, WebSocketServerTransport>();
  /** How many of the connections are whose. */
  readonly #counts = new Map<string, number>();
  #active = 0;
  #total = 0;
  #pastIn = 0;
  #pastOut = 0;

  /** The connections that are open, by id. */
  get sessions(): ReadonlyMap<string, WebSocketServerTransport> {
    return this.#sessions;
  }

  /** How many connections are open or being opened. */
  get active(): number {
    return this.#active;
  }

  /** How many connections were opened so far. */
  get total(): number {
    return this.#total;
  }

  /** How many messages came in, on all connections so far. */
  get messagesIn(): number {
    let sum = this.#pastIn;
    for (const session of this.#sessions.values()) sum += session.messagesIn;
    return sum;
  }

  /** How many messages went out, on all connections so far. */
  get messagesOut(): number {
    let sum = this.#pastOut;
    for (const session of this.#sessions.values()) sum += session.messagesOut;
    return sum;
  }

  /** What the connections are doing at the moment; those that are being opened are not in it. */
  levels(): RegistryLevels {
    let plain = 0;
    let running = 0;
    let bufferedAmount = 0;
    for (const session of this.#sessions.values()) {
      if (session.protocol === "mcp") plain++;
      running += session.running;
      bufferedAmount += session.bufferedAmount;
    }
    return { plain, running, bufferedAmount };
  }

  /** How many connections the owner has, open or being opened. */
  countOf(owner: string): number {
    return this.#counts.get(owner) ?? 0;
  }

  /**
   * Keeps a place for a connection that is about to open.
   *
   * @param owner Whom it belongs to, if anybody knows.
   */
  reserve(owner: string | undefined): Seat {
    let isOver = false;
    this.#active++;
    this.#count(owner, 1);
    return {
      take: (session) => {
        isOver = true;
        this.#total++;
        this.#sessions.set(session.id, session);
      },
      free: () => {
        if (!isOver) this.#free(owner);
        isOver = true;
      },
    };
  }

  /**
   * Frees the place of a connection that has ended. Sums stay true.
   *
   * @param session The connection; its owner is the one that the place was kept for.
   * @returns Whether it had one.
   */
  retire(session: WebSocketServerTransport): boolean {
    if (!this.#sessions.delete(session.id)) return false;
    this.#free(session.principal?.id);
    this.#pastIn += session.messagesIn;
    this.#pastOut += session.messagesOut;
    return true;
  }

  #free(owner: string | undefined): void {
    this.#active--;
    this.#count(owner, -1);
  }

  #count(owner: string | undefined, change: 1 | -1): void {
    if (owner === undefined) return;
    const count = this.countOf(owner) + change;
    if (count === 0) this.#counts.delete(owner);
    else this.#counts.set(owner, count);
  }
}
