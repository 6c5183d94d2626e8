import { delay } from "@std/async";

/** Wait after `accept` has failed, in milliseconds. */
const BACKOFF = 50;
/** Accepted connections that nobody has claimed yet; more are somebody else's. */
const MAX_UNCLAIMED = 256;

/** Who waits for a connection to be accepted. */
interface Claim {
  readonly resolve: (connection: Deno.TlsConn) => void;
  readonly reject: (reason: unknown) => void;
}

/**
 * Takes TLS off connections, at a port of its own on the loopback interface.
 * A connection to it is known by the port that it comes from.
 */
export class TlsTerminator {
  readonly #listener: Deno.TlsListener;
  readonly #life = new AbortController();
  readonly #claims = new Map<number, Claim>();
  readonly #unclaimed = new Map<number, Deno.TlsConn>();
  readonly #accepting: Promise<void>;

  /**
   * @param cert The certificate chain, in PEM.
   * @param key Its private key, in PEM.
   */
  constructor(cert: string, key: string) {
    const where = { hostname: "127.0.0.1", port: 0 };
    this.#listener = Deno.listenTls({ ...where, cert, key, alpnProtocols: ["http/1.1"] });
    this.#accepting = this.#accept();
  }

  /** Connects to it. */
  async dial(): Promise<Deno.TcpConn> {
    const { hostname, port } = this.#listener.addr;
    const connection = await Deno.connect({ hostname, port });
    connection.setNoDelay();
    return connection;
  }

  /**
   * The other end of a connection, which speaks plain text. Its handshake is
   * still to come.
   *
   * @param port The local port of the end that was dialled.
   */
  claim(port: number): Promise<Deno.TlsConn> {
    const { promise, resolve, reject } = Promise.withResolvers<Deno.TlsConn>();
    const connection = this.#unclaimed.get(port);
    this.#unclaimed.delete(port);
    if (connection !== undefined) resolve(connection);
    else this.#claims.set(port, { resolve, reject });
    return promise;
  }

  /** Gives up a claim. Doing so twice is fine. */
  waive(port: number): void {
    this.#claims.get(port)?.reject(new Deno.errors.Interrupted("The connection was closed"));
    this.#claims.delete(port);
  }

  /** Closes the port. Closing twice is fine. */
  async close(): Promise<void> {
    if (!this.#life.signal.aborted) {
      this.#life.abort();
      this.#listener.close();
      for (const port of [...this.#claims.keys()]) this.waive(port);
      for (const connection of this.#unclaimed.values()) connection.close();
      this.#unclaimed.clear();
    }
    await this.#accepting;
  }

  async #accept(): Promise<void> {
    while (!this.#life.signal.aborted) {
      try {
        this.#hand(await this.#listener.accept());
      } catch {
        // Closed, or out of descriptors for a while.
        await delay(BACKOFF, { signal: this.#life.signal }).catch(() => {});
      }
    }
  }

  #hand(connection: Deno.TlsConn): void {
    const { port } = connection.remoteAddr;
    const claim = this.#claims.get(port);
    this.#claims.delete(port);
    if (claim !== undefined) return claim.resolve(connection);
    this.#unclaimed.set(port, connection);
    const [oldest] = this.#unclaimed.keys();
    if (oldest === undefined || this.#unclaimed.size <= MAX_UNCLAIMED) return;
    this.#unclaimed.get(oldest)?.close();
    this.#unclaimed.delete(oldest);
  }
}
