/** How many may come in. */
export interface GateLimits {
  /** Connections in all. */
  readonly maxConnections: number;
  /** Connections of one address. */
  readonly maxConnectionsPerAddress: number;
}

/** Why a connection is closed as soon as it is accepted. */
export type GateRefusal = "full" | "address";

/** The place of one connection. */
export interface Pass {
  /** Frees the place. Doing so twice is fine. */
  release(): void;
}

/** Counts connections, in all and by address. */
export class Gatekeeper {
  readonly #limits: GateLimits;
  readonly #byKey = new Map<string, number>();
  #connections = 0;

  /** @param limits How many may come in. */
  constructor(limits: GateLimits) {
    this.#limits = limits;
  }

  /** Connections that have a place. */
  get connections(): number {
    return this.#connections;
  }

  /** Addresses that are remembered. */
  get addresses(): number {
    return this.#byKey.size;
  }

  /**
   * Gives a place to a connection, or not.
   *
   * @param key What its address is counted by; `undefined` is not counted.
   * @returns The place, or why there is none.
   */
  admit(key: string | undefined): Pass | GateRefusal {
    const { maxConnections, maxConnectionsPerAddress } = this.#limits;
    if (this.#connections >= maxConnections) return "full";
    const count = key === undefined ? 0 : this.#byKey.get(key) ?? 0;
    if (count >= maxConnectionsPerAddress) return "address";
    this.#connections++;
    if (key !== undefined) this.#byKey.set(key, count + 1);
    return this.#pass(key);
  }

  #pass(key: string | undefined): Pass {
    let isTaken = true;
    return {
      release: () => {
        if (!isTaken) return;
        isTaken = false;
        this.#connections--;
        if (key !== undefined) this.#leave(key);
      },
    };
  }

  #leave(key: string): void {
    const count = (this.#byKey.get(key) ?? 1) - 1;
    if (count === 0) this.#byKey.delete(key);
    else this.#byKey.set(key, count);
  }
}
