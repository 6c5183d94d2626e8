import type { ClientConn } from "./client_conn.ts";
import type { EndCause } from "./end_cause.ts";
import { type FrameBreach, FrameMeter } from "./frame_meter.ts";
import type { Intake } from "./intake.ts";
import type { GuardSettings } from "./options.ts";
import { Outlet } from "./outlet.ts";

/** What a tunnel joins, and whom it tells. */
export interface TunnelEnds {
  /** The client. */
  readonly client: ClientConn;
  /** The server. */
  readonly server: Deno.Conn;
  /** Reads from the client. */
  readonly fromClient: Intake;
  /** Reads from the server. */
  readonly fromServer: Intake;
  /** Writes to the client. */
  readonly toClient: Outlet;
  /** The bounds. */
  readonly settings: GuardSettings;
  /** Told by how much the bytes of unfinished messages have changed. */
  held(change: number): void;
  /** Gives the client a moment to leave. */
  leave(cause: EndCause): void;
  /** Ends both sides at once. */
  kill(cause: EndCause): void;
}

/**
 * Carries the bytes of a WebSocket both ways. Each direction reads only when
 * everything before was taken, so that a side that does not read makes the
 * other wait, not this process grow.
 */
export class Tunnel {
  readonly #ends: TunnelEnds;
  readonly #toServer: Outlet;
  readonly #meter: FrameMeter;
  #heardAt: number;
  /** Since when a message is unfinished. */
  #messageSince: number | undefined;
  #messages = 0;
  #heldBytes = 0;
  #isDeaf = false;

  /** @param ends What is joined. */
  constructor(ends: TunnelEnds) {
    const { server, settings } = ends;
    this.#ends = ends;
    this.#toServer = new Outlet(server, settings.clock);
    this.#meter = new FrameMeter(settings);
    this.#heardAt = settings.clock.now();
  }

  /** Bytes that have come of a message that has not ended. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** Forgets what the client has left unfinished. */
  release(): void {
    this.#isDeaf = true;
    this.#hold(0);
  }

  /**
   * Carries bytes until both sides have ended; never rejects.
   *
   * @param fromClient What the client has sent already.
   * @param fromServer What the server has sent already.
   */
  async run(fromClient: Uint8Array, fromServer: Uint8Array): Promise<void> {
    const directions = [this.#carryUp(fromClient), this.#carryDown(fromServer)];
    await Promise.all(directions.map((one) => one.catch(() => this.#ends.kill("done"))));
  }

  /**
   * Why the client is to be cut off, if it is.
   *
   * @param now The current time, in milliseconds.
   */
  overdue(now: number): EndCause | undefined {
    const { writeTimeout, messageTimeout, idleTimeout } = this.#ends.settings;
    const { waitingSince, yieldedAt } = this.#ends.toClient;
    const stuckSince = Math.min(waitingSince ?? now, this.#toServer.waitingSince ?? now);
    if (now - stuckSince > writeTimeout) return "writeTimeout";
    if (now - (this.#messageSince ?? now) > messageTimeout) return "messageTimeout";
    // Its answers to pings may stand behind what is waiting for it.
    if (idleTimeout === false || waitingSince !== undefined) return undefined;
    return now - Math.max(this.#heardAt, yieldedAt) > idleTimeout ? "idleTimeout" : undefined;
  }

  async #carryUp(first: Uint8Array): Promise<void> {
    const { client, server, fromClient, settings } = this.#ends;
    let chunk: Uint8Array | null = first;
    while (chunk !== null) {
      this.#heardAt = settings.clock.now();
      // What comes after the end is read all the same: else the client's kernel keeps the answer.
      if (!this.#isDeaf) await this.#judge(chunk);
      chunk = await fromClient.read(client);
    }
    this.#ends.leave("done");
    await server.closeWrite();
  }

  async #carryDown(first: Uint8Array): Promise<void> {
    const { client, server, fromServer, toClient } = this.#ends;
    let chunk: Uint8Array | null = first;
    while (chunk !== null) {
      await toClient.write(chunk);
      // A reset is an end too: what was sent before has been read.
      chunk = await fromServer.read(server).catch(() => null);
    }
    this.#isDeaf = true;
    this.#ends.leave("done");
    await client.closeWrite();
  }

  async #judge(chunk: Uint8Array): Promise<void> {
    const breach = this.#meter.push(chunk);
    if (breach !== undefined) return await this.#reject(breach, chunk);
    this.#hold(this.#meter.unfinishedBytes);
    this.#watchMessage();
    // Whoever has said goodbye has nothing more to say.
    if (this.#meter.isClosed) this.#isDeaf = true;
    await this.#tell(chunk);
  }

  #watchMessage(): void {
    const { isIdle, messages } = this.#meter;
    if (isIdle) this.#messageSince = undefined;
    else if (this.#messageSince === undefined || messages !== this.#messages) {
      this.#messageSince = this.#heardAt;
    }
    this.#messages = messages;
  }

  /**
   * Ends the client. The server is told in its name, and answers with the
   * code: only the server knows where its own frames end.
   */
  async #reject({ cause, code, at }: FrameBreach, chunk: Uint8Array): Promise<void> {
    this.#isDeaf = true;
    this.#hold(0);
    // Part of the frame is out already.
    if (at === undefined) return this.#ends.kill(cause);
    this.#ends.leave(cause);
    await this.#tell(chunk.subarray(0, at));
    await this.#tell(closeFrame(code));
  }

  async #tell(chunk: Uint8Array): Promise<void> {
    try {
      await this.#toServer.write(chunk);
    } catch {
      // It has left; what it said before may still be on its way to the client.
      this.#isDeaf = true;
      this.#ends.leave("done");
    }
  }

  #hold(bytes: number): void {
    const change = bytes - this.#heldBytes;
    this.#heldBytes = bytes;
    if (change !== 0) this.#ends.held(change);
  }
}

/** A close frame as a client sends it, masked with zeros (RFC 6455, 5.3). */
function closeFrame(code: number): Uint8Array {
  return new Uint8Array([0x88, 0x82, 0, 0, 0, 0, code >> 8, code & 0xff]);
}
