import { NOTE } from "./messages.ts";

/** A message, as far as the floor looks into it. */
interface FloorMessage {
  readonly id?: number;
  readonly method?: string;
  readonly params?: unknown;
  readonly result?: unknown;
}

/**
 * The server half of the floor: what Deno gives with one `JSON.parse` and one
 * `JSON.stringify` per message. It gives back the parameters of a request and
 * drops what has no id. It checks nothing, and no handler can fail.
 *
 * @param onSocket Given every socket that is open.
 * @returns The server, on a free port of this machine.
 */
export function serveFloor(
  onSocket?: (socket: WebSocket) => void,
): Deno.HttpServer<Deno.NetAddr> {
  const options = { port: 0, hostname: "127.0.0.1", onListen() {} };
  return Deno.serve(options, (request) => answer(request, onSocket));
}

/**
 * The same on a unix socket, which knows no Nagle and no delayed acknowledgement.
 *
 * @param path Where.
 * @returns The server.
 */
export function serveUnixFloor(path: string): Deno.HttpServer<Deno.UnixAddr> {
  return Deno.serve({ path, onListen() {} }, (request) => answer(request));
}

function answer(request: Request, onSocket?: (socket: WebSocket) => void): Response {
  const { socket, response } = Deno.upgradeWebSocket(request);
  if (onSocket !== undefined) socket.onopen = () => onSocket(socket);
  socket.onmessage = ({ data }) => {
    const { id, params }: FloorMessage = JSON.parse(data);
    if (id === undefined) return;
    socket.send(JSON.stringify({ jsonrpc: "2.0", id, result: params }));
  };
  return response;
}

/**
 * The client half of the floor. Requests are numbered, and answers find their
 * request in a `Map`: the least that lets many be in flight and settles the
 * right promise. No timeout, no cancelling, no error answers, no reconnecting,
 * no look at the buffer of the socket.
 */
export class FloorClient implements AsyncDisposable {
  /** Called for every message without an id. */
  onnote: (() => void) | undefined;
  readonly #socket: WebSocket;
  readonly #waiting = new Map<number, (result: unknown) => void>();
  #nextId = 1;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.onmessage = ({ data }) => {
      const { id, result }: FloorMessage = JSON.parse(data);
      if (id === undefined) return this.onnote?.();
      const resolve = this.#waiting.get(id);
      this.#waiting.delete(id);
      resolve?.(result);
    };
  }

  /**
   * Opens a socket, and nothing else.
   *
   * @param url Where to.
   * @param options What Deno's socket takes, such as a way around TCP.
   * @returns The client, as soon as the socket is open.
   * @throws {Error} If it does not open.
   */
  static open(url: string, options: WebSocketOptions = {}): Promise<FloorClient> {
    return new Promise((resolve, reject) => {
      const socket = new WebSocket(url, options);
      const client = new FloorClient(socket);
      socket.onopen = () => resolve(client);
      socket.onerror = () => reject(new Error(`Cannot open socket to ${url}`));
    });
  }

  /**
   * Sends a request.
   *
   * @param method The method.
   * @param params Its parameters.
   * @returns The result.
   */
  request(method: string, params: unknown): Promise<unknown> {
    return new Promise((resolve) => {
      const id = this.#nextId++;
      this.#waiting.set(id, resolve);
      this.#socket.send(JSON.stringify({ jsonrpc: "2.0", id, method, params }));
    });
  }

  /**
   * Sends a notification.
   *
   * @param params Its parameters.
   */
  notify(params: unknown): void {
    this.#socket.send(JSON.stringify({ jsonrpc: "2.0", method: NOTE, params }));
  }

  /** Closes the socket. */
  [Symbol.asyncDispose](): Promise<void> {
    return new Promise((resolve) => {
      this.#socket.onclose = () => resolve();
      this.#socket.close();
    });
  }
}
