import { ChaosConnection, type Tally } from "./chaos_connection.ts";
import { checkPlan, type Plan, type Planner } from "./chaos_plan.ts";

/** One port, or several that take turns. */
export type Target = number | readonly number[];

/** What happens to new connections while a link is frozen. */
export type Newcomers = "freeze" | "pass";

/** Options of {@linkcode ChaosLink.open}. */
export interface ChaosLinkOptions {
  /** What happens to each connection; nothing bad by default. */
  readonly plan?: Planner;
}

/** What a link has seen so far. */
export interface ChaosStats extends Readonly<Tally> {
  /** Connections that are open now. */
  readonly open: number;
}

/**
 * A TCP proxy that breaks connections in every way a network does.
 *
 * A connection is cut by closing both ends. Their peers read what was forwarded
 * and then an end, not a reset, as Deno ends the sending half first; what they
 * write fails. A peer that lags behind by more than the kernel's buffers may
 * lose the last bytes that were forwarded to it.
 */
export class ChaosLink implements AsyncDisposable {
  /** One port or several; for connections that are not forwarded yet. */
  target: Target;
  readonly #plan: Planner;
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #connections = new Set<ChaosConnection>();
  readonly #running = new Set<Promise<void>>();
  readonly #failures: unknown[] = [];
  readonly #tally: Tally = { accepted: 0, refused: 0, cuts: 0, up: 0, down: 0, swallowed: 0 };
  readonly #accepting: Promise<void>;
  #closing: Promise<void> | undefined;
  #isRefusing = false;
  #newcomers: Newcomers = "pass";
  #planned = 0;
  #turn = 0;

  private constructor(target: Target, plan: Planner) {
    this.target = target;
    this.#plan = plan;
    this.#accepting = this.#accept();
  }

  /** Listens on a port of its own. */
  static open(target: Target, options: ChaosLinkOptions = {}): ChaosLink {
    const { plan = () => ({}) } = options;
    return new ChaosLink(target, plan);
  }

  get port(): number {
    return this.#listener.addr.port;
  }

  get stats(): ChaosStats {
    return { ...this.#tally, open: this.#connections.size };
  }

  /** Where a WebSocket client dials. */
  url(path = "/mcp"): string {
    return `ws://127.0.0.1:${this.port}${path}`;
  }

  /** Cuts all present connections, frozen ones too; returns how many there were. */
  cut(): number {
    const count = this.#connections.size;
    for (const connection of this.#connections) connection.cut();
    return count;
  }

  /**
   * Makes all present connections half-open for good: neither side is told
   * anything any more, not even that the other has gone, but may go on writing.
   * Only `cut()` and `close()` end them.
   *
   * @param newcomers Whether connections to come freeze too, until `thaw()`, as if
   * the network were down; otherwise they pass, as when a router forgot the old ones.
   */
  freeze(newcomers: Newcomers = "freeze"): void {
    this.#newcomers = newcomers;
    for (const connection of this.#connections) connection.freeze();
  }

  /** Lets connections to come pass again. */
  thaw(): void {
    this.#newcomers = "pass";
  }

  /** Closes connections to come as soon as they are accepted, until `admit()`. */
  refuse(): void {
    this.#isRefusing = true;
  }

  /** Ends `refuse()`. */
  admit(): void {
    this.#isRefusing = false;
  }

  /** Forwards the connections that are held at present. */
  release(): void {
    for (const connection of this.#connections) connection.release();
  }

  /**
   * Closes the listener and all connections, and waits until nothing runs any more.
   *
   * @throws What a plan threw.
   */
  close(): Promise<void> {
    return this.#closing ??= this.#shutDown();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #shutDown(): Promise<void> {
    this.#listener.close();
    for (const connection of this.#connections) connection.close();
    await this.#accepting;
    await Promise.all(this.#running);
    if (this.#failures.length > 0) throw this.#failures[0];
  }

  async #accept(): Promise<void> {
    for (;;) {
      let client: Deno.TcpConn;
      try {
        client = await this.#listener.accept();
      } catch {
        if (this.#closing !== undefined) return;
        // A client that left already is no reason to stop listening.
        continue;
      }
      this.#take(client);
    }
  }

  #take(client: Deno.TcpConn): void {
    this.#tally.accepted++;
    const plan = this.#nextPlan();
    if (plan.refuse || this.#closing !== undefined) {
      this.#tally.refused++;
      client.close();
      return;
    }
    const connection = new ChaosConnection(client, plan, this.#tally);
    this.#connections.add(connection);
    if (this.#newcomers === "freeze") connection.freeze();
    const running = connection.run(() => this.#dial()).then(() => {
      this.#running.delete(running);
    });
    this.#running.add(running);
    connection.signal.addEventListener("abort", () => this.#connections.delete(connection));
  }

  /** Those refused or frozen anyway use up no plan, as their number is a matter of timing. */
  #nextPlan(): Plan {
    if (this.#isRefusing) return { refuse: true };
    if (this.#newcomers === "freeze") return {};
    try {
      const plan = this.#plan(this.#planned++);
      checkPlan(plan);
      return plan;
    } catch (error) {
      this.#failures.push(error);
      return { refuse: true };
    }
  }

  /** Connects to the target whose turn it is, or the next that can be reached. */
  async #dial(): Promise<Deno.TcpConn | undefined> {
    const ports = [this.target].flat();
    const first = this.#turn;
    for (let turn = first; turn < first + ports.length; turn++) {
      const port = ports[turn % ports.length] ?? 0;
      this.#turn = turn + 1;
      try {
        return await Deno.connect({ hostname: "127.0.0.1", port });
      } catch {
        // The next one, then.
      }
    }
    return undefined;
  }
}
