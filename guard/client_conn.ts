import { Intake } from "./intake.ts";
import type { TlsTerminator } from "./tls_terminator.ts";

/** A client's connection, as far as the guard uses it. */
export interface ClientConn {
  /** Reads what is there; `null` at the end. */
  read(buffer: Uint8Array): Promise<number | null>;
  /** Writes some of the bytes. */
  write(bytes: Uint8Array): Promise<number>;
  /** Says that no more will be written. */
  closeWrite(): Promise<void>;
  /** Ends it at once, whatever the client does. Closing twice is fine. */
  close(): void;
  /** Resolves once nothing of it is left. */
  readonly finished: Promise<void>;
}

/** Closes a connection that may be closed already. */
export function hangUp(connection: Pick<Deno.Conn, "close"> | undefined): void {
  try {
    connection?.close();
  } catch {
    // It is.
  }
}

/** A client that speaks plain text. */
export class PlainClient implements ClientConn {
  readonly finished: Promise<void> = Promise.resolve();
  readonly #connection: Deno.Conn;

  /** @param connection The connection that was accepted. */
  constructor(connection: Deno.Conn) {
    this.#connection = connection;
  }

  read(buffer: Uint8Array): Promise<number | null> {
    return this.#connection.read(buffer);
  }

  write(bytes: Uint8Array): Promise<number> {
    return this.#connection.write(bytes);
  }

  closeWrite(): Promise<void> {
    return this.#connection.closeWrite();
  }

  close(): void {
    hangUp(this.#connection);
  }
}

/**
 * A client that speaks TLS. It is accepted as bare TCP, and its bytes are
 * carried through a {@linkcode TlsTerminator}, for one reason: Deno does not
 * give a TLS connection up at `close()` while its peer neither reads nor
 * finishes the handshake. A bare TCP connection is gone at once, and the TLS
 * connection with it, as its own peer is the guard.
 */
export class TlsClient implements ClientConn {
  readonly finished: Promise<void>;
  readonly #outer: Deno.Conn;
  readonly #terminator: TlsTerminator;
  readonly #ready: Promise<Deno.TlsConn>;
  #dialled: Deno.TcpConn | undefined;
  #tls: Deno.TlsConn | undefined;
  #isClosed = false;

  /**
   * @param outer The connection that was accepted.
   * @param terminator What takes TLS off it.
   */
  constructor(outer: Deno.Conn, terminator: TlsTerminator) {
    this.#outer = outer;
    this.#terminator = terminator;
    const dialled = this.#dial();
    this.#ready = dialled.then((inner) => this.#claim(inner));
    this.finished = dialled.then((inner) => this.#carry(inner)).catch(() => this.close());
    // Whoever reads or writes is told.
    this.#ready.catch(() => this.close());
  }

  async read(buffer: Uint8Array): Promise<number | null> {
    return await (await this.#ready).read(buffer);
  }

  async write(bytes: Uint8Array): Promise<number> {
    return await (await this.#ready).write(bytes);
  }

  async closeWrite(): Promise<void> {
    await (await this.#ready).closeWrite();
  }

  close(): void {
    this.#isClosed = true;
    hangUp(this.#outer);
    if (this.#dialled !== undefined) this.#terminator.waive(this.#dialled.localAddr.port);
    hangUp(this.#dialled);
    hangUp(this.#tls);
  }

  async #dial(): Promise<Deno.TcpConn> {
    const dialled = await this.#terminator.dial();
    if (this.#isClosed) {
      hangUp(dialled);
      throw new Deno.errors.Interrupted("The connection was closed");
    }
    return this.#dialled = dialled;
  }

  async #claim(dialled: Deno.TcpConn): Promise<Deno.TlsConn> {
    const tls = await this.#terminator.claim(dialled.localAddr.port);
    if (this.#isClosed) hangUp(tls);
    return this.#tls = tls;
  }

  /** Carries ciphertext both ways until both ends have said everything. */
  async #carry(dialled: Deno.TcpConn): Promise<void> {
    await Promise.all([carry(this.#outer, dialled), carry(dialled, this.#outer)]);
    hangUp(this.#outer);
    hangUp(dialled);
  }
}

async function carry(from: Deno.Conn, to: Deno.Conn): Promise<void> {
  const intake = new Intake();
  for (let chunk = await intake.read(from); chunk !== null; chunk = await intake.read(from)) {
    for (let done = 0; done < chunk.length;) done += await to.write(chunk.subarray(done));
  }
  await to.closeWrite();
}
