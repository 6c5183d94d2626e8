import type { JsonRpcParams } from "../../protocol/jsonrpc.ts";

/** How a socket was closed, as its other end saw it. */
export interface SeenClose {
  readonly code: number;
  readonly reason: string;
}

// deno-lint-ignore no-explicit-any -- tests look into whatever came in
export type Json = any;

/** The runtime's own WebSocket, with what comes in as JSON, in order. */
export class JsonSocket implements AsyncDisposable {
  readonly socket: WebSocket;
  readonly closed: Promise<SeenClose>;
  readonly #received: Json[] = [];
  #wake: (() => void) | undefined;
  #isClosed = false;
  #nextId = 1;

  private constructor(socket: WebSocket) {
    this.socket = socket;
    socket.onmessage = ({ data }) => {
      this.#received.push(JSON.parse(data));
      this.#wake?.();
    };
    this.closed = new Promise((resolve) => {
      socket.onclose = ({ code, reason }) => {
        this.#isClosed = true;
        this.#wake?.();
        resolve({ code, reason });
      };
    });
  }

  /** Dials and waits until the socket is open. */
  static async open(
    url: string,
    options: { protocols?: string[]; headers?: HeadersInit; client?: Deno.HttpClient } = {},
  ): Promise<JsonSocket> {
    const socket = new WebSocket(url, { protocols: ["mcp"], ...options });
    const wrapped = new JsonSocket(socket);
    await new Promise<void>((resolve, reject) => {
      socket.onopen = () => resolve();
      socket.onerror = (event) => reject(new Error((event as ErrorEvent).message));
    });
    socket.onerror = null;
    return wrapped;
  }

  send(message: unknown): void {
    this.socket.send(typeof message === "string" ? message : JSON.stringify(message));
  }

  /** The next message that came in or will come in. */
  async next(): Promise<Json> {
    while (this.#received.length === 0) {
      if (this.#isClosed) throw new Error("The socket was closed");
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
    return this.#received.shift();
  }

  /** Sends a request and returns its id. */
  ask(method: string, params?: JsonRpcParams): number {
    const id = this.#nextId++;
    this.send({ jsonrpc: "2.0", id, method, params });
    return id;
  }

  notify(method: string, params?: JsonRpcParams): void {
    this.send({ jsonrpc: "2.0", method, params });
  }

  /** Sends a request and returns the next message, which has to be its answer. */
  async request(method: string, params?: JsonRpcParams): Promise<Json> {
    const id = this.ask(method, params);
    const answer = await this.next();
    if (answer.id !== id) throw new Error(`Not the answer: ${JSON.stringify(answer)}`);
    return answer;
  }

  async close(): Promise<SeenClose> {
    this.socket.close();
    return await this.closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
