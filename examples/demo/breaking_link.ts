import { delay } from "@std/async/delay";

/** How long bytes are under way, in milliseconds: what is when the link breaks is gone. */
const LATENCY = 15;

/** A TCP proxy on this machine that breaks when it is told to: the network between the two ends. */
export class BreakingLink implements AsyncDisposable {
  readonly #target: number;
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #connections = new Set<Deno.TcpConn>();
  readonly #running = new Set<Promise<unknown>>();
  #isDown = false;

  /** @param target The port that connections are forwarded to. */
  constructor(target: number) {
    this.#target = target;
    this.#run(this.#accept());
  }

  /** Where a client dials. */
  get url(): string {
    return `ws://127.0.0.1:${this.#listener.addr.port}/mcp`;
  }

  /** Whether connections pass. */
  get isUp(): boolean {
    return !this.#isDown;
  }

  /** Cuts all connections; those to come are closed at once, until {@linkcode mend}. */
  break(): void {
    this.#isDown = true;
    this.#cut();
  }

  /** Lets connections pass again. */
  mend(): void {
    this.#isDown = false;
  }

  /** Ends the link and everything on it. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    this.#cut();
    while (this.#running.size > 0) await Promise.all(this.#running);
  }

  #cut(): void {
    for (const connection of this.#connections) connection.close();
    this.#connections.clear();
  }

  async #accept(): Promise<void> {
    for await (const client of this.#listener) {
      if (this.#isDown) client.close();
      else this.#run(this.#forward(client));
    }
  }

  async #forward(client: Deno.TcpConn): Promise<void> {
    this.#connections.add(client);
    const server = await Deno.connect({ hostname: "127.0.0.1", port: this.#target });
    // The link may have broken meanwhile.
    if (!this.#connections.has(client)) return server.close();
    this.#connections.add(server);
    const pipes = [this.#pipe(client, server), this.#pipe(server, client)];
    // What only one side has ended is of no use any more.
    await Promise.race(pipes);
    this.#close(client);
    this.#close(server);
    await Promise.all(pipes);
  }

  async #pipe(from: Deno.TcpConn, to: Deno.TcpConn): Promise<void> {
    try {
      from.setNoDelay();
      const buffer = new Uint8Array(64 * 1024);
      for (let count = await from.read(buffer); count !== null; count = await from.read(buffer)) {
        await delay(LATENCY);
        for (let start = 0; start < count;) start += await to.write(buffer.subarray(start, count));
      }
    } catch {
      // It was cut.
    }
  }

  #close(connection: Deno.TcpConn): void {
    if (this.#connections.delete(connection)) connection.close();
  }

  #run(task: Promise<unknown>): void {
    const running = task.catch(() => {}).finally(() => this.#running.delete(running));
    this.#running.add(running);
  }
}
