import { delay } from "@std/async/delay";
import type { Direction, Plan } from "./chaos_plan.ts";

/** What connections count, all in one. */
export interface Tally {
  /** Connections that came in, those refused included. */
  accepted: number;
  /** Connections closed at once: planned, told to, or because no target could be reached. */
  refused: number;
  /** Connections cut, by plan or by hand. */
  cuts: number;
  /** Bytes forwarded from clients to servers. */
  up: number;
  /** Bytes forwarded from servers to clients. */
  down: number;
  /** Bytes that disappeared in frozen connections. */
  swallowed: number;
}

/** Connects to a target, if one can be reached. */
export type Dial = () => Promise<Deno.TcpConn | undefined>;

const BUFFER_BYTES = 65_536;

/** How many pieces a second a throttled direction is forwarded in. */
const THROTTLED_PIECES = 50;

/** A client's connection and the one made for it. */
export class ChaosConnection {
  readonly #client: Deno.TcpConn;
  readonly #plan: Plan;
  readonly #tally: Tally;
  readonly #closed = new AbortController();
  readonly #released = Promise.withResolvers<void>();
  readonly #swallowing: Promise<void>[] = [];
  #target: Deno.TcpConn | undefined;
  #isFrozen = false;

  constructor(client: Deno.TcpConn, plan: Plan, tally: Tally) {
    this.#client = client;
    this.#plan = plan;
    this.#tally = tally;
  }

  /** Aborted when it was closed. */
  get signal(): AbortSignal {
    return this.#closed.signal;
  }

  /** Forwards until both sides are done or it is closed; never rejects. */
  async run(dial: Dial): Promise<void> {
    await this.#hold();
    if (!this.#isFrozen && !this.signal.aborted) await this.#connect(dial);
    await Promise.all(this.#swallowing);
    this.close();
  }

  release(): void {
    this.#released.resolve();
  }

  freeze(): void {
    if (this.#isFrozen) return;
    this.#isFrozen = true;
    this.release();
    this.#swallow(this.#client);
    if (this.#target !== undefined) this.#swallow(this.#target);
  }

  cut(): void {
    if (this.signal.aborted) return;
    this.#tally.cuts++;
    this.close();
  }

  close(): void {
    if (this.signal.aborted) return;
    this.#client.close();
    this.#target?.close();
    this.release();
    this.#closed.abort();
  }

  async #hold(): Promise<void> {
    await this.#sleep(this.#plan.delay ?? 0);
    if (this.#plan.hold) await this.#released.promise;
  }

  async #connect(dial: Dial): Promise<void> {
    const target = await dial();
    if (target === undefined) {
      if (this.#isFrozen || this.signal.aborted) return;
      this.#tally.refused++;
      return this.close();
    }
    if (this.signal.aborted) return target.close();
    this.#target = target;
    if (this.#isFrozen) return this.#swallow(target);
    await Promise.all([
      this.#pump("up", this.#client, target),
      this.#pump("down", target, this.#client),
    ]);
  }

  async #pump(direction: Direction, from: Deno.TcpConn, to: Deno.TcpConn): Promise<void> {
    try {
      to.setNoDelay();
      await this.#forward(direction, from, to);
    } catch {
      // One side has gone, which the other is told unless it is frozen.
      if (!this.#isFrozen) this.close();
    }
  }

  async #forward(direction: Direction, from: Deno.TcpConn, to: Deno.TcpConn): Promise<void> {
    const { latency = 0 } = this.#plan;
    const rate = this.#plan.throttle?.[direction] ?? Infinity;
    const piece = Math.min(Math.ceil(rate / THROTTLED_PIECES), BUFFER_BYTES);
    const buffer = new Uint8Array(piece);
    let remaining = this.#plan.cut?.[direction] ?? Infinity;
    // When the last piece has passed, at this rate.
    let passed = 0;

    while (remaining > 0) {
      // What is left to the kernel makes the close of a cut a reset.
      const count = await from.read(buffer.subarray(0, Math.min(remaining, piece)));
      if (count !== null) {
        passed = Math.max(passed, performance.now()) + count / rate * 1_000;
        await this.#sleep(Math.max(latency, passed - performance.now()));
      }
      let rest = buffer.subarray(0, count ?? 0);
      while (rest.length > 0 && !this.#isFrozen) {
        const written = await to.write(rest);
        this.#tally[direction] += written;
        remaining -= written;
        rest = rest.subarray(written);
      }
      this.#tally.swallowed += rest.length;
      if (this.#isFrozen) return;
      if (count === null) return await to.closeWrite();
    }
    this.cut();
  }

  /** Reads what one side sends, beside a pump that may be stuck with what it read before. */
  #swallow(from: Deno.TcpConn): void {
    this.#swallowing.push(this.#drain(from));
  }

  async #drain(from: Deno.TcpConn): Promise<void> {
    const buffer = new Uint8Array(BUFFER_BYTES);
    try {
      for (let count = await from.read(buffer); count !== null; count = await from.read(buffer)) {
        this.#tally.swallowed += count;
      }
    } catch {
      // Gone or closed.
    }
  }

  async #sleep(ms: number): Promise<void> {
    if (ms > 0) await delay(ms, { signal: this.signal }).catch(() => {});
  }
}
