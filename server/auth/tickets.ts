import { MCPCapacityError } from "../../protocol/errors.ts";
import { isPrincipal, type Principal } from "./principal.ts";
import { digestKey } from "./secrets.ts";

/** Options of {@linkcode Tickets}. */
export interface TicketsOptions {
  /**
   * How long a ticket is good for, in milliseconds.
   *
   * @default {15_000}
   */
  readonly ttl?: number | undefined;
  /**
   * How many tickets may be open.
   *
   * @default {10_000}
   */
  readonly maxTickets?: number | undefined;
  /**
   * How many of them one principal may have.
   *
   * @default {32}
   */
  readonly maxTicketsPerPrincipal?: number | undefined;
  /** The current time, in milliseconds since 1970. */
  readonly now?: (() => number) | undefined;
  /** Fills bytes with what nobody can guess. */
  readonly random?: ((bytes: Uint8Array<ArrayBuffer>) => Uint8Array) | undefined;
}

/** Options of {@linkcode Tickets.mint}. */
export interface MintOptions {
  /** How long the ticket is good for, in milliseconds; at most what all are. */
  readonly ttl?: number | undefined;
}

interface Ticket {
  readonly principal: Principal;
  readonly expiresAt: number;
}

/** 256 bits. */
const BYTES = 32;
/** 256 bits in base64url, without padding. */
const TICKET_REGEXP = /^[A-Za-z0-9_-]{43}$/;

/**
 * Tickets that let a client in once, within seconds: for web pages and other
 * clients that can send no headers, or whose subprotocols get lost or logged on
 * the way. A page asks a route of yours, where it is known by its cookie, and
 * dials with what it gets: `wss://…/mcp?ticket=…`.
 *
 * @example A route that hands out tickets
 * ```ts
 * import { type Principal, Tickets } from "@bowline/mcp-websocket/server";
 *
 * const tickets = new Tickets();
 *
 * function handTicket(user: Principal): Response {
 *   return Response.json({ ticket: tickets.mint(user) }, {
 *     headers: { "Cache-Control": "no-store" },
 *   });
 * }
 * handTicket({ id: "ada" });
 * ```
 */
export class Tickets {
  readonly #ttl: number;
  readonly #maxTickets: number;
  readonly #maxPerPrincipal: number;
  readonly #now: () => number;
  readonly #random: (bytes: Uint8Array<ArrayBuffer>) => Uint8Array;
  /** By the SHA-256 of the ticket, the oldest first. */
  readonly #open = new Map<string, Ticket>();
  readonly #counts = new Map<string, number>();

  /**
   * Makes an issuer without tickets.
   *
   * @param options Bounds.
   * @throws {RangeError} If a number is not positive.
   */
  constructor(options: TicketsOptions = {}) {
    const {
      ttl = 15_000,
      maxTickets = 10_000,
      maxTicketsPerPrincipal = 32,
      now = Date.now,
      random = (bytes) => crypto.getRandomValues(bytes),
    } = options;
    for (const [name, value] of Object.entries({ ttl, maxTickets, maxTicketsPerPrincipal })) {
      if (value > 0 && Number.isFinite(value)) continue;
      throw new RangeError(
        `Cannot create tickets as "${name}" must be positive: current value is ${value}`,
      );
    }
    this.#ttl = ttl;
    this.#maxTickets = maxTickets;
    this.#maxPerPrincipal = maxTicketsPerPrincipal;
    this.#now = now;
    this.#random = random;
  }

  /** How many tickets are kept; of those that have expired, some may still be. */
  get size(): number {
    return this.#open.size;
  }

  /**
   * Makes a ticket.
   *
   * @param principal Whom it lets in.
   * @param options How long it is good for.
   * @returns The ticket: 256 bits in base64url. A secret until it is used.
   * @throws {TypeError} If the principal is none.
   * @throws {RangeError} If it should be good for longer than all others, or not at all.
   * @throws {MCPCapacityError} If there are too many tickets, in all or of the principal.
   */
  mint(principal: Principal, options: MintOptions = {}): string {
    const { ttl = this.#ttl } = options;
    if (!isPrincipal(principal)) {
      throw new TypeError('Cannot mint ticket as its principal must have an "id": there is none');
    }
    if (!(ttl > 0 && ttl <= this.#ttl)) {
      throw new RangeError(
        `Cannot mint ticket as "ttl" must be in (0, ${this.#ttl}]: current value is ${ttl}`,
      );
    }
    this.#sweep();
    this.#checkRoom(principal.id);
    const ticket = this.#random(new Uint8Array(BYTES)).toBase64({
      alphabet: "base64url",
      omitPadding: true,
    });
    this.#open.set(digestKey(ticket), {
      principal: { ...principal },
      expiresAt: this.#now() + ttl,
    });
    this.#count(principal.id, 1);
    return ticket;
  }

  /**
   * Takes a ticket; it is worth nothing from now on.
   *
   * @param ticket What a client has shown.
   * @returns Whom it lets in; `undefined` if it is unknown, used or expired.
   */
  redeem(ticket: string): Principal | undefined {
    if (!TICKET_REGEXP.test(ticket)) return undefined;
    const key = digestKey(ticket);
    const found = this.#open.get(key);
    if (found === undefined) return undefined;
    this.#drop(key, found);
    return found.expiresAt > this.#now() ? found.principal : undefined;
  }

  #checkRoom(id: string): void {
    if (this.#open.size >= this.#maxTickets) throw full("open", this.#maxTickets);
    if (this.#countOf(id) < this.#maxPerPrincipal) return;
    throw full("open for this principal", this.#maxPerPrincipal);
  }

  /** From the oldest on, up to one that is still good: no timer, and no long walk. */
  #sweep(): void {
    const now = this.#now();
    for (const [key, ticket] of this.#open) {
      if (ticket.expiresAt > now) return;
      this.#drop(key, ticket);
    }
  }

  #drop(key: string, { principal }: Ticket): void {
    this.#open.delete(key);
    this.#count(principal.id, -1);
  }

  #countOf(id: string): number {
    return this.#counts.get(id) ?? 0;
  }

  #count(id: string, change: 1 | -1): void {
    const count = this.#countOf(id) + change;
    if (count === 0) this.#counts.delete(id);
    else this.#counts.set(id, count);
  }
}

function full(which: string, limit: number): MCPCapacityError {
  return new MCPCapacityError(`Cannot mint ticket as ${limit} are ${which} already`, limit);
}
