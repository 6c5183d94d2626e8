import type { Json, SeenClose } from "../../support/json_socket.ts";
import { OPCODES, type ResponseHead, UPGRADE_HEADERS } from "../../support/raw_socket.ts";
import { mintToken } from "../../support/session_peer.ts";
import { frameBytes, type FrameOptions } from "./frames.ts";

/** Headers of a request; a list repeats the header. */
export type RawHeaders = Readonly<Record<string, string | readonly string[]>>;

/** What it says it takes. */
const LIMITS = { messageBytes: 64 * 2 ** 20, bufferBytes: 4 * 2 ** 20, bufferMessages: 4_096 };
/** What is read at once, in bytes. */
const CHUNK = 64 * 1024;

/** The text of an upgrade request: what every correct one says, with changes. */
export function handshakeText(headers: RawHeaders = {}, line = "GET /mcp HTTP/1.1"): string {
  const lines = Object.entries({ ...UPGRADE_HEADERS, ...headers }).flatMap(([name, value]) =>
    [value].flat().map((one) => `${name}: ${one}`)
  );
  return [line, ...lines, "", ""].join("\r\n");
}

/** A TCP peer that speaks HTTP and WebSocket by hand, and reads only when it is told to. */
export class Intruder implements Disposable {
  readonly #connection: Deno.Conn;
  readonly #record: (text: string) => void;
  #received = new Uint8Array();
  #isClosed = false;

  /** What it says to resume a session; a secret. */
  token: string = mintToken();

  constructor(connection: Deno.Conn, record: (text: string) => void = () => {}) {
    this.#connection = connection;
    this.#record = record;
  }

  /** Sends an upgrade request, and reads the answer. */
  async upgrade(headers: RawHeaders = {}, line?: string): Promise<ResponseHead> {
    await this.write(handshakeText(headers, line));
    return await this.readHead();
  }

  /** Upgrades, and fails if that is refused. */
  async open(protocol: "mcp" | "bowline.v1" = "mcp", headers: RawHeaders = {}): Promise<this> {
    const { status } = await this.upgrade({ "Sec-WebSocket-Protocol": protocol, ...headers });
    if (status !== 101) throw new Error(`Refused with ${status}`);
    return this;
  }

  /** Upgrades, says hello and returns the first answer: `welcome` or `end`. */
  async openSession(changes: Json = {}, headers: RawHeaders = {}): Promise<Json> {
    await this.open("bowline.v1", headers);
    await this.hello(changes);
    return JSON.parse(await this.readText());
  }

  /** Says hello. */
  async hello(changes: Json = {}): Promise<void> {
    await this.say("hello", {
      session: crypto.randomUUID(),
      token: this.token,
      attempt: 1,
      resume: false,
      received: 0,
      limits: LIMITS,
      accept: [],
      promptAck: false,
      client: { name: "intruder", version: "1" },
      ...changes,
    });
  }

  /** Writes everything. */
  async write(data: string | Uint8Array): Promise<void> {
    let rest = typeof data === "string" ? new TextEncoder().encode(data) : data;
    while (rest.length > 0) rest = rest.subarray(await this.#connection.write(rest));
  }

  /** Writes everything, and returns whether the server took it. */
  async offer(data: string | Uint8Array): Promise<boolean> {
    try {
      await this.write(data);
      return true;
    } catch {
      return false;
    }
  }

  /** Sends one frame. */
  async send(options: FrameOptions): Promise<void> {
    await this.write(frameBytes(options));
  }

  /** Sends one message in one text frame. */
  async text(payload: string): Promise<void> {
    await this.send({ payload });
  }

  /** Sends one JSON-RPC message. */
  async message(message: Json): Promise<void> {
    await this.text(JSON.stringify({ jsonrpc: "2.0", ...message }));
  }

  /** Sends a control frame. */
  async say(...frame: unknown[]): Promise<void> {
    await this.text(JSON.stringify(frame));
  }

  /** Reads the head of an HTTP response. */
  async readHead(): Promise<ResponseHead> {
    let end = -1;
    const decode = () => new TextDecoder().decode(this.#received);
    while ((end = decode().indexOf("\r\n\r\n")) < 0) await this.#read();
    const text = new TextDecoder().decode(this.#take(end + 4));
    const [first = "", ...lines] = text.trimEnd().split("\r\n");
    const headers = new Headers(lines.map((line) => {
      const colon = line.indexOf(":");
      return [line.slice(0, colon), line.slice(colon + 1).trim()] as [string, string];
    }));
    return { status: Number(first.split(" ")[1]), headers };
  }

  /** Reads one frame; pings are not answered. */
  async readFrame(): Promise<{ readonly opcode: number; readonly payload: Uint8Array }> {
    const [first = 0, second = 0] = await this.#exactly(2);
    let length = second & 0x7f;
    if (length === 126) length = new DataView((await this.#exactly(2)).buffer).getUint16(0);
    else if (length === 127) {
      length = Number(new DataView((await this.#exactly(8)).buffer).getBigUint64(0));
    }
    return { opcode: first & 0x0f, payload: await this.#exactly(length) };
  }

  /** Reads until a text frame comes. */
  async readText(): Promise<string> {
    for (;;) {
      const { opcode, payload } = await this.readFrame();
      if (opcode === OPCODES.TEXT) return new TextDecoder().decode(payload);
      if (opcode === OPCODES.CLOSE) throw new Error(`Closed: ${JSON.stringify(closeOf(payload))}`);
    }
  }

  /** Reads until a message with this id comes; in a session, control frames are passed over. */
  async readAnswer(id: unknown): Promise<Json> {
    for (;;) {
      const text = await this.readText();
      if (!text.startsWith("{")) continue;
      const answer = text.split("\n").map((line) => JSON.parse(line)).find((one) => one.id === id);
      if (answer !== undefined) return answer;
    }
  }

  /** Reads until the connection ends. Returns the close frame; code 0 where there was none. */
  async readEnd(): Promise<SeenClose> {
    let close = { code: 0, reason: "" };
    try {
      for (;;) {
        const { opcode, payload } = await this.readFrame();
        if (opcode !== OPCODES.CLOSE) continue;
        close = closeOf(payload);
        await this.send({ opcode: OPCODES.CLOSE, payload });
      }
    } catch {
      // It has ended, in whatever way.
    }
    return close;
  }

  /** Hangs up. Doing so twice is fine. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    try {
      this.#connection.close();
    } catch {
      // The runtime was first.
    }
  }

  [Symbol.dispose](): void {
    this.close();
  }

  async #exactly(length: number): Promise<Uint8Array<ArrayBuffer>> {
    while (this.#received.length < length) await this.#read(length - this.#received.length);
    return this.#take(length);
  }

  #take(length: number): Uint8Array<ArrayBuffer> {
    const taken = this.#received.slice(0, length);
    this.#received = this.#received.subarray(length);
    return taken;
  }

  async #read(wanted = CHUNK): Promise<void> {
    const buffer = new Uint8Array(Math.max(wanted, CHUNK));
    let size = 0;
    while (size === 0 || size < Math.min(wanted, buffer.length) && wanted > CHUNK) {
      const count = await this.#connection.read(buffer.subarray(size));
      if (count === null) throw new Error("The server has hung up");
      size += count;
    }
    const chunk = buffer.subarray(0, size);
    this.#record(new TextDecoder().decode(chunk.subarray(0, CHUNK)));
    const all = new Uint8Array(this.#received.length + size);
    all.set(this.#received);
    all.set(chunk, this.#received.length);
    this.#received = all;
  }
}

function closeOf(payload: Uint8Array): SeenClose {
  const [high = 0, low = 0] = payload;
  return { code: high * 256 + low, reason: new TextDecoder().decode(payload.subarray(2)) };
}
