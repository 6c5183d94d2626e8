import type { Clock, Timer } from "../../protocol/clock.ts";
import type { ClientIdentity } from "../visitor.ts";
import type { AuthOutcome } from "./gate.ts";

/** Judges a token that the client of one connection has sent; it never throws or rejects. */
export type JudgeOwnToken = (token: unknown) => AuthOutcome | Promise<AuthOutcome>;

/** Keeps the identity of one connection: until it expires, or is replaced by a fresh one. */
export class Renewal {
  readonly #judge: JudgeOwnToken | undefined;
  readonly #clock: Clock;
  #identity: ClientIdentity;
  #timer: Timer | undefined;
  #isJudging = false;
  #expired: (() => void) | undefined;

  /**
   * @param identity Whom the connection belongs to.
   * @param judge Judges a fresh token; without it, the identity holds for good.
   * @param clock Where time comes from, in milliseconds since 1970.
   */
  constructor(identity: ClientIdentity, judge: JudgeOwnToken | undefined, clock: Clock) {
    this.#identity = identity;
    this.#judge = judge;
    this.#clock = clock;
  }

  /** Whether a fresh token can be judged. */
  get isPossible(): boolean {
    return this.#judge !== undefined;
  }

  /** Whom the connection belongs to. */
  get identity(): ClientIdentity {
    return this.#identity;
  }

  /** Notes a fresh identity of the same principal. */
  replace(identity: ClientIdentity): void {
    this.#identity = identity;
    this.#arm();
  }

  /**
   * Watches over the time that the identity is good for.
   *
   * @param expired Called when it has ended and was not renewed.
   */
  watch(expired: () => void): void {
    if (this.#judge === undefined) return;
    this.#expired = expired;
    this.#arm();
  }

  /**
   * Judges a fresh token.
   *
   * @param token What the client has sent.
   * @returns Why it is not taken, in words fit for the client; `undefined` if it is.
   */
  async renew(token: unknown): Promise<string | undefined> {
    const judge = this.#judge;
    if (judge === undefined || this.#isJudging) return "No token can be judged now";
    this.#isJudging = true;
    try {
      const outcome = await judge(token);
      if (outcome.type === "refuse") return outcome.reason;
      if (outcome.principal.id !== this.#identity.principal?.id) {
        return "The token belongs to somebody else";
      }
      this.replace({ principal: outcome.principal, authInfo: outcome.authInfo });
      return undefined;
    } finally {
      this.#isJudging = false;
    }
  }

  /** Watches no longer. Stopping twice is fine. */
  stop(): void {
    this.#expired = undefined;
    this.#timer?.clear();
    this.#timer = undefined;
  }

  /** Timers cannot hold long times: those fire early, and are set again. */
  #arm(): void {
    this.#timer?.clear();
    this.#timer = undefined;
    const expiresAt = this.#identity.principal?.expiresAt;
    const expired = this.#expired;
    if (expiresAt === undefined || expired === undefined) return;
    const left = expiresAt - this.#clock.now();
    this.#timer = this.#clock.after(Math.max(left, 0), () => {
      if (this.#clock.now() < expiresAt) this.#arm();
      else expired();
    });
  }
}
