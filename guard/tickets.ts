import { TICKET_HEADER } from "./request_head.ts";

/** What the guarded handler learns of a connection; `Deno.ServeHandlerInfo` has the same. */
export interface GuardedInfo {
  /** Where the client is. */
  readonly remoteAddr: Deno.NetAddr;
  /** Resolves when the answer was sent. */
  readonly completed: Promise<void>;
}

/** Answers requests behind a guard: `createWebSocketHandler().fetch` is one. */
export type GuardedFetch = (request: Request, info: GuardedInfo) => Response | Promise<Response>;

/** What Deno tells of a request that came through the guard. */
type InnerInfo = Pick<Deno.ServeHandlerInfo, "completed">;

/**
 * Tells the handler where a client is, though its connection comes from the
 * guard. Each request carries a number that nobody can guess and that is good
 * once; a client's own header of that name was left out before.
 */
export class Tickets {
  readonly #peers = new Map<string, Deno.NetAddr>();

  /** Tickets that were neither used nor revoked. */
  get open(): number {
    return this.#peers.size;
  }

  /** Gives out a ticket for a client. */
  issue(peer: Deno.NetAddr): string {
    const ticket = crypto.randomUUID();
    this.#peers.set(ticket, peer);
    return ticket;
  }

  /** Makes a ticket worthless. Doing so twice is fine. */
  revoke(ticket: string): void {
    this.#peers.delete(ticket);
  }

  /**
   * Lets a handler see the client's address, and only requests that came
   * through the guard.
   *
   * @param fetch The handler.
   * @returns What answers inside.
   */
  admit(
    fetch: GuardedFetch,
  ): (request: Request, info: InnerInfo) => Response | Promise<Response> {
    return (request, { completed }) => {
      const ticket = request.headers.get(TICKET_HEADER) ?? "";
      const remoteAddr = this.#peers.get(ticket);
      this.revoke(ticket);
      if (remoteAddr !== undefined) return fetch(request, { remoteAddr, completed });
      return new Response("This way in is closed\n", { status: 403 });
    };
  }
}
