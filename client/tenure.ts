import type { LiveConnection } from "./live_connection.ts";
import type { Loss } from "./recovery.ts";
import type { OpenConnection } from "./supervisor.ts";

/**
 * One connection after the other, without a gap between them: lost is only
 * the last one.
 */
export class Tenure implements OpenConnection {
  readonly #lost = Promise.withResolvers<Loss>();
  #connection: LiveConnection;

  /** @param first The first connection. */
  constructor(first: LiveConnection) {
    this.#connection = first;
    this.follow(first);
  }

  /** Resolves when a connection is lost and no other has taken its place. */
  get lost(): Promise<Loss> {
    return this.#lost.promise;
  }

  /** See {@linkcode OpenConnection}. */
  get hasProgressed(): boolean {
    return this.#connection.hasProgressed;
  }

  /** See {@linkcode OpenConnection}. */
  get wasWelcomed(): boolean {
    return this.#connection.wasWelcomed;
  }

  /** Puts a connection in the place of the present one. */
  follow(connection: LiveConnection): void {
    this.#connection = connection;
    connection.lost.then((loss) => {
      if (this.#connection === connection) this.#lost.resolve(loss);
    });
  }
}
