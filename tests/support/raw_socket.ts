/** The head of an HTTP response. */
export interface ResponseHead {
  readonly status: number;
  readonly headers: Headers;
}

/** A frame as it came over the wire. */
export interface RawFrame {
  readonly opcode: number;
  readonly payload: Uint8Array;
}

/** Opcodes of RFC 6455, 5.2. */
export const OPCODES = { TEXT: 1, BINARY: 2, CLOSE: 8, PING: 9, PONG: 10 } as const;

/** The key of RFC 6455's own example. */
export const SAMPLE_KEY = "dGhlIHNhbXBsZSBub25jZQ==";

/** What every correct upgrade request says. */
export const UPGRADE_HEADERS: Readonly<Record<string, string>> = {
  "Host": "127.0.0.1",
  "Connection": "Upgrade",
  "Upgrade": "websocket",
  "Sec-WebSocket-Version": "13",
  "Sec-WebSocket-Key": SAMPLE_KEY,
};

/** A WebSocket peer made by hand: it does what no runtime's WebSocket would do. */
export class RawSocket implements Disposable {
  readonly #connection: Deno.TcpConn;
  #received = new Uint8Array();

  private constructor(connection: Deno.TcpConn) {
    this.#connection = connection;
  }

  static async connect(port: number): Promise<RawSocket> {
    return new RawSocket(await Deno.connect({ hostname: "127.0.0.1", port }));
  }

  /** Connects and sends a request; header values may be lists, for repeated headers. */
  static async request(
    port: number,
    headers: Readonly<Record<string, string | readonly string[]>>,
    line = "GET /mcp HTTP/1.1",
  ): Promise<{ socket: RawSocket; head: ResponseHead }> {
    const socket = await RawSocket.connect(port);
    const lines = Object.entries(headers).flatMap(([name, value]) =>
      [value].flat().map((one) => `${name}: ${one}`)
    );
    await socket.write([line, ...lines, "", ""].join("\r\n"));
    return { socket, head: await socket.readHead() };
  }

  async write(data: string | Uint8Array): Promise<void> {
    let rest = typeof data === "string" ? new TextEncoder().encode(data) : data;
    while (rest.length > 0) rest = rest.subarray(await this.#connection.write(rest));
  }

  /** Sends one frame, masked with zeros, as the payload stays readable then. */
  async writeFrame(opcode: number, payload: string | Uint8Array): Promise<void> {
    const data = typeof payload === "string" ? new TextEncoder().encode(payload) : payload;
    if (data.length > 65_535) throw new RangeError("Too large for this peer");
    const length = data.length < 126 ? [data.length] : [126, data.length >> 8, data.length & 255];
    const [first = 0, ...rest] = length;
    await this.write(
      new Uint8Array([0x80 | opcode, 0x80 | first, ...rest, 0, 0, 0, 0, ...data]),
    );
  }

  async readHead(): Promise<ResponseHead> {
    let text = "";
    while (!text.includes("\r\n\r\n")) {
      text += new TextDecoder().decode(await this.#take(1));
    }
    const [first = "", ...lines] = text.trimEnd().split("\r\n");
    const headers = new Headers(lines.map((line) => {
      const colon = line.indexOf(":");
      return [line.slice(0, colon), line.slice(colon + 1).trim()] as [string, string];
    }));
    return { status: Number(first.split(" ")[1]), headers };
  }

  async readFrame(): Promise<RawFrame> {
    const [first = 0, second = 0] = await this.#take(2);
    let length = second & 0x7f;
    if (length === 126) {
      const [high = 0, low = 0] = await this.#take(2);
      length = high * 256 + low;
    }
    return { opcode: first & 0x0f, payload: await this.#take(length) };
  }

  /** Reads until the other side has gone, in whatever way. */
  async awaitEnd(): Promise<void> {
    const buffer = new Uint8Array(4096);
    try {
      while (await this.#connection.read(buffer) !== null);
    } catch {
      // A reset is an end too.
    }
  }

  close(): void {
    try {
      this.#connection.close();
    } catch {
      // Closed already.
    }
  }

  [Symbol.dispose](): void {
    this.close();
  }

  async #take(length: number): Promise<Uint8Array> {
    while (this.#received.length < length) {
      const buffer = new Uint8Array(4096);
      const count = await this.#connection.read(buffer);
      if (count === null) throw new Error("The server has hung up");
      this.#received = new Uint8Array([...this.#received, ...buffer.subarray(0, count)]);
    }
    const taken = this.#received.slice(0, length);
    this.#received = this.#received.slice(length);
    return taken;
  }
}
