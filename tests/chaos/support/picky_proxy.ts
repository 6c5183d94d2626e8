/** What the proxy refuses: one character again and again. */
export const REFUSED: string = "x".repeat(4_000);

/** So many bytes that repeat every four bytes are refused: masking does not hide them. */
const MAX_REPEATED = 256;
const BUFFER_BYTES = 65_536;

/** A TCP proxy that ends every connection on which a certain content passes, whatever it is for. */
export class PickyProxy implements AsyncDisposable {
  /** Connections that it has ended. */
  refusals = 0;
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #target: number;
  readonly #connections = new Set<Deno.TcpConn>();
  readonly #running: Promise<void>[] = [];

  /** @param target The port that it forwards to. */
  constructor(target: number) {
    this.#target = target;
    this.#running.push(this.#accept());
  }

  /** Where a WebSocket client dials. */
  get url(): string {
    return `ws://127.0.0.1:${this.#listener.addr.port}/mcp`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    for (const connection of this.#connections) connection.close();
    this.#connections.clear();
    await Promise.all(this.#running);
  }

  async #accept(): Promise<void> {
    try {
      for await (const client of this.#listener) this.#running.push(this.#serve(client));
    } catch {
      // It was closed.
    }
  }

  async #serve(client: Deno.TcpConn): Promise<void> {
    const target = await Deno.connect({ hostname: "127.0.0.1", port: this.#target });
    const pair = [client, target];
    for (const connection of pair) this.#connections.add(connection);
    const forwarded = [this.#forward(client, target), this.#forward(target, client)];
    await Promise.race(forwarded);
    for (const connection of pair) if (this.#connections.delete(connection)) connection.close();
    await Promise.all(forwarded);
  }

  async #forward(from: Deno.TcpConn, to: Deno.TcpConn): Promise<void> {
    const buffer = new Uint8Array(BUFFER_BYTES);
    let repeated = 0;
    const last = new Uint8Array(4);
    try {
      for (let count = await from.read(buffer); count !== null; count = await from.read(buffer)) {
        const bytes = buffer.subarray(0, count);
        for (const [index, byte] of bytes.entries()) {
          repeated = byte === last[index % 4] ? repeated + 1 : 0;
          last[index % 4] = byte;
          if (repeated < MAX_REPEATED) continue;
          this.refusals++;
          return;
        }
        for (let rest = bytes; rest.length > 0;) rest = rest.subarray(await to.write(rest));
      }
    } catch {
      // Gone or closed.
    }
  }
}
