import { inflateRawSync } from "node:zlib";
import type { JsonRpcParams } from "../../protocol/jsonrpc.ts";
import { ChaosLink } from "./chaos_link.ts";
import type { Json, SeenClose } from "./json_socket.ts";

/** How a {@linkcode SessionPeer} behaves. */
export interface SessionPeerOptions {
  /** Sent with the upgrade. */
  readonly headers?: HeadersInit;
  /** What it says it takes. */
  readonly limits?: Json;
}

/** One connection of a {@linkcode SessionPeer}. */
interface Socket {
  readonly socket: WebSocket;
  readonly closed: Promise<SeenClose>;
}

/** Time for anything to come, in milliseconds. */
const PATIENCE = 5_000;
const LIMITS = { messageBytes: 64 * 2 ** 20, bufferBytes: 4 * 2 ** 20, bufferMessages: 4_096 };

/**
 * A client of sessions made by hand: it speaks raw text frames, and does what
 * no client should when it is told so. It dials through a link of its own, so
 * that its connections can be dropped or made half-open.
 */
export class SessionPeer implements AsyncDisposable {
  /** Its label. */
  session: string = crypto.randomUUID();
  /** Its secret. */
  token: string = mintToken();
  /** Rises with every hello. */
  attempt = 0;
  /** Whether a server has welcomed it. */
  wasWelcomed = false;
  /** Messages of the server so far. */
  received = 0;
  /** Whether it says so after each. */
  acks = true;
  /** Whether it answers pings. */
  pongs = true;
  /** Whether it closes its connection when it is told to leave. */
  leaves = true;
  /** Every frame that came in, on any connection; binary ones inflated. */
  readonly frames: string[] = [];
  /** Every binary frame that came in. */
  readonly binary: Uint8Array[] = [];
  readonly #options: SessionPeerOptions;
  readonly #link: ChaosLink;
  readonly #messages: Json[] = [];
  readonly #controls: Json[][] = [];
  /** Own messages that the server may not have. */
  #unacknowledged: string[] = [];
  #acknowledged = 0;
  #pieces = "";
  #sockets: Socket[] = [];
  #wake = Promise.withResolvers<void>();
  #nextId = 1;

  constructor(port: number, options: SessionPeerOptions = {}) {
    this.#link = ChaosLink.open(port);
    this.#options = options;
  }

  /** The present connection. */
  get socket(): WebSocket {
    return this.#present.socket;
  }

  /** How the present connection was closed, as it is seen here. */
  get closed(): Promise<SeenClose> {
    return this.#present.closed;
  }

  /** Messages that came in and were not taken yet. */
  get waiting(): number {
    return this.#messages.length;
  }

  /** Dials anew; the older connections stay as they are, and are not read any more. */
  async dial(): Promise<void> {
    const { headers = {} } = this.#options;
    const socket = new WebSocket(this.#link.url(), { protocols: ["bowline.v1"], headers });
    socket.binaryType = "arraybuffer";
    const closed = new Promise<SeenClose>((resolve) => {
      socket.onclose = ({ code, reason }) => {
        resolve({ code, reason });
        this.#tell();
      };
    });
    await new Promise<void>((resolve, reject) => {
      socket.onopen = () => resolve();
      socket.onerror = (event) => reject(new Error((event as ErrorEvent).message));
    });
    socket.onerror = () => {};
    this.#pieces = "";
    this.#sockets.push({ socket, closed });
    socket.onmessage = ({ data }) => {
      if (this.socket === socket) this.#read(data);
    };
  }

  /** Says hello on the present connection. */
  hello(changes: Json = {}): void {
    this.say("hello", {
      session: this.session,
      token: this.token,
      attempt: ++this.attempt,
      resume: this.wasWelcomed,
      received: this.received,
      limits: this.#options.limits ?? LIMITS,
      accept: [],
      promptAck: false,
      client: { name: "peer", version: "1" },
      ...changes,
    });
  }

  /** Dials, says hello and returns the welcome; what the server lacks is sent again. */
  async open(changes: Json = {}): Promise<Json> {
    await this.dial();
    this.hello(changes);
    const welcome = await this.control("welcome");
    this.welcomed(welcome);
    return welcome;
  }

  /** Goes on as a welcome says. */
  welcomed({ resumed, received }: Json): void {
    this.wasWelcomed = true;
    if (!resumed) return;
    this.#acknowledge(received);
    for (const text of this.#unacknowledged) this.socket.send(text);
  }

  /** Becomes somebody whom no server knows. */
  renew(): void {
    this.session = crypto.randomUUID();
    this.token = mintToken();
    this.attempt = this.received = this.#acknowledged = 0;
    this.#unacknowledged = [];
    this.wasWelcomed = false;
  }

  /** Sends a control frame. */
  say(...frame: unknown[]): void {
    this.socket.send(JSON.stringify(frame));
  }

  /** Sends any frame, uncounted. */
  write(frame: string | Uint8Array<ArrayBuffer>): void {
    this.socket.send(frame);
  }

  /** Sends a message that counts, unless it has no connection: then later. */
  send(message: unknown): void {
    const text = typeof message === "string" ? message : JSON.stringify(message);
    this.#unacknowledged.push(text);
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(text);
  }

  /** Sends a request and returns its id. */
  ask(method: string, params?: JsonRpcParams): number {
    const id = this.#nextId++;
    this.send({ jsonrpc: "2.0", id, method, params });
    return id;
  }

  /** The next message that came in or will come in. */
  async next(): Promise<Json> {
    await this.#until(() => this.#messages.length > 0, "message");
    return this.#messages.shift();
  }

  /** Sends a request and returns the next message, which has to be its answer. */
  async request(method: string, params?: JsonRpcParams): Promise<Json> {
    const id = this.ask(method, params);
    const answer = await this.next();
    if (answer.id !== id) throw new Error(`Not the answer: ${JSON.stringify(answer)}`);
    return answer;
  }

  /** What follows the name in the next control frame of that name, its first element. */
  async control(name: string): Promise<Json> {
    const find = () => this.#controls.findIndex((frame) => frame[0] === name);
    await this.#until(() => find() >= 0, name);
    const [frame = []] = this.#controls.splice(find(), 1);
    return frame[1];
  }

  /** Acknowledges what came in so far. */
  ack(): void {
    this.say("ack", this.received);
  }

  /** How often the server has said a control frame that was not taken yet. */
  count(name: string): number {
    return this.#controls.filter((frame) => frame[0] === name).length;
  }

  /** Breaks all connections, without a closing handshake. */
  async drop(): Promise<void> {
    this.#link.cut();
    await this.closed;
  }

  /** Makes the present connections half-open: neither side is told anything. */
  freeze(): void {
    this.#link.freeze("pass");
  }

  /** Says goodbye and returns how many messages the server has. */
  async bye(): Promise<number> {
    this.say("bye", this.#acknowledged + this.#unacknowledged.length);
    const received = await this.control("bye");
    await this.closed;
    return received;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#link.close();
    await Promise.all(this.#sockets.map(({ closed }) => closed));
  }

  get #present(): Socket {
    const socket = this.#sockets.at(-1);
    if (socket === undefined) throw new Error("It has not dialled yet");
    return socket;
  }

  #read(frame: string | ArrayBuffer): void {
    const data = typeof frame === "string" ? frame : this.#inflate(new Uint8Array(frame));
    this.frames.push(data);
    if (data.startsWith("[")) this.#steer(JSON.parse(data));
    else if (data.startsWith("+")) this.#pieces += data.slice(1);
    else if (data.startsWith("=")) {
      const text = this.#pieces + data.slice(1);
      this.#pieces = "";
      this.#take(text);
    } else for (const text of data.split("\n")) this.#take(text);
    this.#tell();
  }

  #inflate(frame: Uint8Array): string {
    if (frame[0] !== 1) throw new TypeError(`Unknown kind of frame: ${frame[0]}`);
    this.binary.push(frame);
    return new TextDecoder().decode(inflateRawSync(frame.subarray(1)));
  }

  #take(text: string): void {
    this.#messages.push(JSON.parse(text));
    this.received++;
    if (this.acks) this.ack();
  }

  #steer(frame: Json[]): void {
    const [name, first, second] = frame;
    this.#controls.push(frame);
    if (name === "ack") this.#acknowledge(first);
    else if (name === "ping") {
      this.#acknowledge(second);
      if (this.pongs) this.say("pong", first, this.received);
    } else if ((name === "end" || name === "bye") && this.leaves) this.socket.close();
  }

  #acknowledge(count: number): void {
    this.#unacknowledged.splice(0, count - this.#acknowledged);
    this.#acknowledged = Math.max(this.#acknowledged, count);
  }

  async #until(condition: () => boolean, what: string): Promise<void> {
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(() => {
      const last = JSON.stringify(this.frames.slice(-3).map((frame) => frame.slice(0, 200)));
      late.reject(new Error(`No ${what} came; the last frames: ${last}`));
    }, PATIENCE);
    try {
      while (!condition()) await Promise.race([this.#wake.promise, late.promise]);
    } finally {
      clearTimeout(timer);
    }
  }

  #tell(): void {
    this.#wake.resolve();
    this.#wake = Promise.withResolvers<void>();
  }
}

/** 256 bits from the CSPRNG. */
export function mintToken(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(32));
  return bytes.toBase64({ alphabet: "base64url", omitPadding: true });
}
