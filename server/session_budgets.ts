import { SessionBudget } from "./session_budget.ts";

/** A budget that sessions of one principal share. */
interface Share {
  readonly budget: SessionBudget;
  sessions: number;
}

/** The room for what sessions hold: of all together, and of each principal's. */
export class SessionBudgets {
  /** The room of all sessions. */
  readonly total: SessionBudget;
  readonly #maxPerPrincipal: number;
  readonly #shares = new Map<string, Share>();

  /**
   * @param maxTotal How many bytes all sessions may hold.
   * @param maxPerPrincipal How many of them those of one principal.
   */
  constructor(maxTotal: number, maxPerPrincipal: number) {
    this.total = new SessionBudget(maxTotal);
    this.#maxPerPrincipal = maxPerPrincipal;
  }

  /** How many principals have sessions. */
  get size(): number {
    return this.#shares.size;
  }

  /** The room for one more session; to be given back when it has ended. */
  take(principal: string | undefined): SessionBudget {
    if (principal === undefined) return this.total;
    let share = this.#shares.get(principal);
    if (share === undefined) {
      share = { budget: new SessionBudget(this.#maxPerPrincipal, this.total), sessions: 0 };
      this.#shares.set(principal, share);
    }
    share.sessions++;
    return share.budget;
  }

  /** Notes that a session of the principal has ended. */
  giveBack(principal: string | undefined): void {
    const share = principal === undefined ? undefined : this.#shares.get(principal);
    if (share !== undefined && --share.sessions === 0) this.#shares.delete(principal ?? "");
  }
}
