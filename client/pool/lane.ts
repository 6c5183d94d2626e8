import type { Member } from "./member.ts";
import { type Rank, RANKS } from "./rank.ts";

/** Connections that are equal to a request, and the choice among them. */
export class Lane {
  readonly #maxPending: number;
  #members: readonly Member[] = [];
  /** Where the next choice begins, so that equals take turns. */
  #next = 0;

  /** @param maxPending Requests that one connection may have in flight. */
  constructor(maxPending: number) {
    this.#maxPending = maxPending;
  }

  /** The connections in rotation. */
  get members(): readonly Member[] {
    return this.#members;
  }

  set members(members: readonly Member[]) {
    this.#members = members;
  }

  /**
   * The connection for the next request: of the healthiest with room the one
   * with the fewest requests in flight.
   *
   * @param lost One that is not wanted, nor another to its endpoint if there are others.
   * @returns `undefined` if none is usable, or all are full.
   */
  pick(lost?: Member): Member | undefined {
    if (lost === undefined) return this.#pick(isAny);
    return this.#pick(({ endpoint }) => endpoint !== lost.endpoint) ??
      this.#pick((member) => member !== lost);
  }

  #pick(isWanted: (member: Member) => boolean): Member | undefined {
    const members = this.#members;
    let best: Member | undefined;
    let bestRank: Rank = RANKS.UNUSABLE;
    let bestPending = 0;
    let bestIndex = 0;
    for (let step = 0; step < members.length; step++) {
      const index = (this.#next + step) % members.length;
      const member = members[index];
      if (member === undefined || !isWanted(member)) continue;
      const { rank, pending } = member;
      if (rank === RANKS.UNUSABLE || pending >= this.#maxPending) continue;
      if (rank > bestRank || (rank === bestRank && pending >= bestPending)) continue;
      best = member;
      bestRank = rank;
      bestPending = pending;
      bestIndex = index;
    }
    if (best !== undefined) this.#next = bestIndex + 1;
    return best;
  }

  /** How many connections are usable, with room or without. */
  get usable(): number {
    let count = 0;
    for (const { rank } of this.#members) if (rank !== RANKS.UNUSABLE) count++;
    return count;
  }
}

function isAny(): boolean {
  return true;
}
