import { seededRandom } from "../support/random.ts";

/** Chance that depends on the seed alone. */
export class Dice {
  readonly #random: () => number;

  /** @param seed What it depends on. */
  constructor(seed: number) {
    this.#random = seededRandom(seed);
  }

  /** Whether something happens that happens with this probability. */
  happens(probability: number): boolean {
    return this.#random() < probability;
  }

  /** An integer from `low` up to `high`, both included. */
  between(low: number, high: number): number {
    return low + Math.floor(this.#random() * (high - low + 1));
  }

  /** As `between`, but small numbers are as likely as large ones by their logarithm. */
  skewed(low: number, high: number): number {
    return Math.floor(low * Math.exp(this.#random() * Math.log((high + 1) / low)));
  }

  /** One of the choices. */
  pick<T>(choices: readonly T[]): T {
    return choices[this.between(0, choices.length - 1)] as T;
  }
}
