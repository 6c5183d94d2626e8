import { OPCODES, type RawFrame } from "./raw_socket.ts";
import type { Json } from "./json_socket.ts";

/** What RFC 6455, 1.3, adds to the client's key. */
const HANDSHAKE_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/** What a server does with one connection; when it is done, the connection is cut. */
export type Script = (visit: Visit) => Promise<void> | void;

/** Thrown in a script when the client has gone. */
export class VisitorGone extends Error {}

/** One connection of a client, from its first byte on. */
export class Visit {
  /** 1 for the first connection of the server. */
  readonly number: number;
  /** The upgrade request, as soon as it has been read. */
  request = "";
  readonly #connection: Deno.Conn;
  #received: Uint8Array = new Uint8Array();

  constructor(connection: Deno.Conn, number: number) {
    this.#connection = connection;
    this.number = number;
  }

  /** A header of the upgrade request. */
  header(name: string): string | undefined {
    return new RegExp(`^${name}: (.*)\r$`, "im").exec(this.request)?.[1];
  }

  async write(data: string | Uint8Array): Promise<void> {
    let rest = typeof data === "string" ? new TextEncoder().encode(data) : data;
    try {
      while (rest.length > 0) rest = rest.subarray(await this.#connection.write(rest));
    } catch {
      throw new VisitorGone();
    }
  }

  async readRequest(): Promise<string> {
    while (!this.request.endsWith("\r\n\r\n")) {
      this.request += new TextDecoder().decode(await this.#take(1));
    }
    return this.request;
  }

  /** Refuses the upgrade. */
  async refuse(status: number): Promise<void> {
    await this.readRequest();
    await this.write(`HTTP/1.1 ${status} No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`);
  }

  /** Completes the upgrade; by default with `mcp`, with `""` without a subprotocol. */
  async accept(protocol = "mcp"): Promise<void> {
    await this.readRequest();
    const key = this.header("sec-websocket-key") ?? "";
    const digest = await crypto.subtle.digest(
      "SHA-1",
      new TextEncoder().encode(key + HANDSHAKE_GUID),
    );
    await this.write([
      "HTTP/1.1 101 Switching Protocols",
      "Upgrade: websocket",
      "Connection: Upgrade",
      `Sec-WebSocket-Accept: ${new Uint8Array(digest).toBase64()}`,
      ...(protocol === "" ? [] : [`Sec-WebSocket-Protocol: ${protocol}`]),
      "\r\n",
    ].join("\r\n"));
  }

  async sendFrame(opcode: number, payload: string | Uint8Array): Promise<void> {
    const data = typeof payload === "string" ? new TextEncoder().encode(payload) : payload;
    await this.write(new Uint8Array([...frameHead(0x80 | opcode, data.length), ...data]));
  }

  /** Sends a text frame. */
  async sendText(text: string): Promise<void> {
    await this.sendFrame(OPCODES.TEXT, text);
  }

  /** Sends a message, with `jsonrpc` filled in. */
  async send(message: object): Promise<void> {
    await this.sendText(JSON.stringify({ jsonrpc: "2.0", ...message }));
  }

  /** Answers a request. */
  async answer({ id }: Json, result: object = {}): Promise<void> {
    await this.send({ id, result });
  }

  /** Closes with a code, and waits until the client has answered that. */
  async close(code: number, reason = ""): Promise<void> {
    const text = new TextEncoder().encode(reason);
    await this.sendFrame(
      OPCODES.CLOSE,
      new Uint8Array([code >> 8, code & 255, ...text]),
    );
    while ((await this.readFrame()).opcode !== OPCODES.CLOSE);
  }

  async readFrame(): Promise<RawFrame> {
    const [first = 0, second = 0] = await this.#take(2);
    let length = second & 0x7f;
    if (length >= 126) {
      const bytes = await this.#take(length === 126 ? 2 : 8);
      length = bytes.reduce((sum, byte) => sum * 256 + byte, 0);
    }
    const mask = (second & 0x80) === 0 ? new Uint8Array(4) : await this.#take(4);
    const masked = await this.#take(length);
    const payload = masked.map((byte, at) => byte ^ (mask[at % 4] ?? 0));
    return { opcode: first & 0x0f, payload };
  }

  /** The next message. */
  async next(): Promise<Json> {
    const frame = await this.readFrame();
    if (frame.opcode === OPCODES.CLOSE) throw new VisitorGone();
    return JSON.parse(new TextDecoder().decode(frame.payload));
  }

  /** The next message of a method; others are skipped. */
  async nextOf(method: string): Promise<Json> {
    for (;;) {
      const message = await this.next();
      if (message.method === method) return message;
    }
  }

  /** The code with which the client closes; what else it sends is skipped. The close is answered. */
  async closeCode(): Promise<number> {
    for (;;) {
      const { opcode, payload } = await this.readFrame();
      if (opcode !== OPCODES.CLOSE) continue;
      await this.sendFrame(OPCODES.CLOSE, payload);
      return (payload[0] ?? 0) * 256 + (payload[1] ?? 0);
    }
  }

  /** Resolves when the client has gone; its close is answered, all else is read and forgotten. */
  async end(): Promise<void> {
    try {
      await this.closeCode();
      for (;;) await this.#take(1);
    } catch {
      // Gone.
    }
  }

  /** Resolves when the client has gone; nothing it says is answered. */
  async silence(): Promise<void> {
    const buffer = new Uint8Array(65_536);
    try {
      while (await this.#connection.read(buffer) !== null);
    } catch {
      // Reset.
    }
  }

  /** Cuts the connection. */
  cut(): void {
    try {
      this.#connection.close();
    } catch {
      // Cut already.
    }
  }

  async #take(length: number): Promise<Uint8Array> {
    while (this.#received.length < length) {
      const buffer = new Uint8Array(65_536);
      const count = await this.#connection.read(buffer).catch(() => null);
      if (count === null) throw new VisitorGone();
      const joined = new Uint8Array(this.#received.length + count);
      joined.set(this.#received);
      joined.set(buffer.subarray(0, count), this.#received.length);
      this.#received = joined;
    }
    const taken = this.#received.slice(0, length);
    this.#received = this.#received.slice(length);
    return taken;
  }
}

/**
 * A server that does to each connection what the test's script says, byte by
 * byte where it has to. What a script throws is thrown by the disposal.
 */
export class ScriptedServer implements AsyncDisposable {
  readonly #listener: Deno.Listener<Deno.Conn>;
  readonly #visits = new Set<Visit>();
  readonly #scripts: Promise<void>[] = [];
  readonly #failures: unknown[] = [];
  readonly #serving: Promise<void>;
  #count = 0;

  constructor(
    script: Script,
    options: { listener?: Deno.Listener<Deno.Conn>; scheme?: "ws" | "wss" } = {},
  ) {
    this.#listener = options.listener ?? Deno.listen({ hostname: "127.0.0.1", port: 0 });
    this.url = `${options.scheme ?? "ws"}://127.0.0.1:${this.port}/mcp`;
    this.#serving = this.#serve(script);
  }

  readonly url: string;

  get port(): number {
    return (this.#listener.addr as Deno.NetAddr).port;
  }

  /** Connections so far. */
  get visits(): number {
    return this.#count;
  }

  /** Resolves when all that has connected so far is gone. */
  async allGone(): Promise<void> {
    await Promise.all(this.#scripts);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    await this.#serving;
    for (const visit of this.#visits) visit.cut();
    await this.allGone();
    if (this.#failures.length > 0) throw this.#failures[0];
  }

  async #serve(script: Script): Promise<void> {
    for (;;) {
      let connection: Deno.Conn;
      try {
        connection = await this.#listener.accept();
      } catch (error) {
        if (error instanceof Deno.errors.BadResource) return;
        // A handshake that failed is no reason to stop listening.
        continue;
      }
      const visit = new Visit(connection, ++this.#count);
      this.#visits.add(visit);
      this.#scripts.push(this.#run(script, visit));
    }
  }

  async #run(script: Script, visit: Visit): Promise<void> {
    try {
      await script(visit);
    } catch (error) {
      if (!(error instanceof VisitorGone)) this.#failures.push(error);
    } finally {
      visit.cut();
      this.#visits.delete(visit);
    }
  }
}

/** The head of an unmasked frame. */
function frameHead(first: number, length: number): number[] {
  if (length < 126) return [first, length];
  if (length < 65_536) return [first, 126, length >> 8, length & 255];
  const bytes = Array.from({ length: 8 }, (_, at) => Math.floor(length / 256 ** (7 - at)) & 255);
  return [first, 127, ...bytes];
}

/** What a legacy server answers to `initialize`. */
export const LEGACY_RESULT: Json = {
  protocolVersion: "2025-11-25",
  capabilities: { tools: {}, resources: {} },
  serverInfo: { name: "scripted", version: "1.0.0" },
};

/**
 * Plays a small legacy server until the client goes: `initialize` is answered,
 * unknown to it is `server/discover`, everything else gives `{}`. The ping
 * that comes before `notifications/initialized` is answered in silence.
 *
 * @param visit The connection; its upgrade is accepted here.
 * @param heard Told of each message; returns `true` if it has dealt with it.
 */
export async function playLegacy(
  visit: Visit,
  heard: (message: Json) => unknown = () => {},
): Promise<void> {
  await visit.accept();
  let isInitialized = false;
  for (;;) {
    const frame = await visit.readFrame();
    if (frame.opcode === OPCODES.CLOSE) {
      await visit.sendFrame(OPCODES.CLOSE, frame.payload);
      return;
    }
    const message = JSON.parse(new TextDecoder().decode(frame.payload));
    isInitialized ||= message.method === "notifications/initialized";
    if (message.method === "ping" && message.id < 0 && !isInitialized) {
      await visit.answer(message);
      continue;
    }
    if (await heard(message) === true || message.id === undefined) continue;
    if (message.method === undefined) continue;
    if (message.method === "initialize") await visit.answer(message, LEGACY_RESULT);
    else if (message.method === "server/discover") {
      await visit.send({ id: message.id, error: { code: -32601, message: "Method not found" } });
    } else await visit.answer(message);
  }
}
