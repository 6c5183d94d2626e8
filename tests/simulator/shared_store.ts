import type { Clock } from "../../protocol/clock.ts";
import { MemorySessionStore, type SessionStore } from "../../server/session_store.ts";
import type { Dice } from "./dice.ts";

/** A server that uses the store. */
interface User {
  readonly clock: Clock;
  lost?: (key: string, generation: number) => void;
}

/** A store that several servers share: it decides at once, and answers and tells the others later. */
export class SharedStore {
  readonly #memory: MemorySessionStore;
  readonly #users = new Set<User>();
  readonly #dice: Dice;
  readonly #delay: number;

  /**
   * @param clock Where time comes from.
   * @param dice How long things take.
   * @param delay How long they take at most, in milliseconds.
   */
  constructor(clock: Clock, dice: Dice, delay: number) {
    this.#memory = new MemorySessionStore({ clock });
    this.#dice = dice;
    this.#delay = delay;
  }

  /** The store as one server knows it; who has died hears no answers. */
  connect(clock: Clock): SessionStore {
    const user: User = { clock };
    this.#users.add(user);
    return {
      claim: (claim) => {
        const outcome = this.#memory.claim(claim);
        if (outcome.type === "resumed") this.#tell(claim.key, outcome.generation);
        if (this.#delay === 0) return outcome;
        return new Promise((resolve) => this.#later(user, () => resolve(outcome)));
      },
      end: (key, generation, onPurpose) => this.#memory.end(key, generation, onPurpose),
      watch: (lost) => {
        user.lost = lost;
        return () => this.#users.delete(user);
      },
    };
  }

  #tell(key: string, generation: number): void {
    for (const user of this.#users) this.#later(user, () => user.lost?.(key, generation));
  }

  #later({ clock }: User, task: () => void): void {
    clock.after(this.#dice.between(0, this.#delay), task);
  }
}
