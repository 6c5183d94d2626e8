/** A TCP proxy on this machine that counts bytes, and breaks when it is told to. */
export class Proxy implements AsyncDisposable {
  /** Bytes from clients to the server. */
  up = 0;
  /** Bytes from the server to clients. */
  down = 0;
  /** Whether what clients send is read and forgotten, until the next {@linkcode cut}. */
  swallows = false;
  readonly #url: URL;
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #connections = new Set<Deno.TcpConn>();
  readonly #running = new Set<Promise<void>>();

  /** @param url Where a server listens. */
  constructor(url: string) {
    this.#url = new URL(url);
    this.#run(this.#accept());
  }

  /** Where clients dial. */
  get url(): string {
    const url = new URL(this.#url);
    url.port = String(this.#listener.addr.port);
    return url.href;
  }

  /** Closes all connections; those to come pass. */
  cut(): void {
    this.swallows = false;
    for (const connection of this.#connections) connection.close();
    this.#connections.clear();
  }

  /** Ends the proxy and everything on it. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    this.cut();
    while (this.#running.size > 0) await Promise.all(this.#running);
  }

  async #accept(): Promise<void> {
    for await (const client of this.#listener) this.#run(this.#forward(client));
  }

  async #forward(client: Deno.TcpConn): Promise<void> {
    this.#connections.add(client);
    const server = await Deno.connect({ hostname: "127.0.0.1", port: Number(this.#url.port) });
    if (!this.#connections.has(client)) return server.close();
    this.#connections.add(server);
    await Promise.all([this.#pipe("up", client, server), this.#pipe("down", server, client)]);
    for (const connection of [client, server]) {
      if (this.#connections.delete(connection)) connection.close();
    }
  }

  async #pipe(way: "up" | "down", from: Deno.TcpConn, to: Deno.TcpConn): Promise<void> {
    const buffer = new Uint8Array(64 * 1024);
    to.setNoDelay();
    for (let count = await from.read(buffer); count !== null; count = await from.read(buffer)) {
      this[way] += count;
      if (way === "up" && this.swallows) continue;
      for (let start = 0; start < count;) start += await to.write(buffer.subarray(start, count));
    }
    await to.closeWrite();
  }

  /** What fails was cut. */
  #run(task: Promise<void>): void {
    const running = task.catch(() => {}).finally(() => this.#running.delete(running));
    this.#running.add(running);
  }
}
