import { OPCODES } from "./raw_socket.ts";
import type { Json } from "./json_socket.ts";
import { ScriptedServer, type Visit, VisitorGone } from "./scripted_server.ts";

/** What a server does with one connection; when it is done, the connection is cut. */
export type SessionScript = (visit: SessionVisit) => Promise<void> | void;

/** What a server says it takes. */
export const LIMITS: Json = { messageBytes: 1_048_576, bufferBytes: 1_048_576, bufferMessages: 64 };

/** One connection of a client that keeps sessions, from its first byte on. */
export class SessionVisit {
  /** The connection. */
  readonly visit: Visit;
  /** Every text frame that came in. */
  readonly frames: string[] = [];
  /** Messages that came in so far, in the whole session as far as the welcome knew. */
  received = 0;
  readonly #controls: Json[][] = [];
  readonly #messages: Json[] = [];
  #pieces = "";

  constructor(visit: Visit) {
    this.visit = visit;
  }

  /** 1 for the first connection of the server. */
  get number(): number {
    return this.visit.number;
  }

  /** Completes the upgrade, and returns the hello. */
  async greet(): Promise<Json> {
    await this.visit.accept("bowline.v1");
    return await this.control("hello");
  }

  /** Completes the upgrade, waits for the hello and welcomes it. */
  async open(changes: Json = {}): Promise<Json> {
    const hello = await this.greet();
    await this.welcome({ resumed: hello.attempt > 1, ...changes });
    return hello;
  }

  /** Says welcome. */
  async welcome(changes: Json = {}): Promise<void> {
    // A number of messages goes on where that of the connection before has ended.
    this.received += changes.received ?? 0;
    const terms = { windowMs: 60_000, limits: LIMITS, pingMs: 25_000, accept: [] };
    await this.say("welcome", { resumed: false, received: 0, ...terms, ...changes });
  }

  /** Sends a control frame. */
  async say(...frame: unknown[]): Promise<void> {
    await this.visit.sendText(JSON.stringify(frame));
  }

  /** Sends a message, with `jsonrpc` filled in. */
  async send(message: object): Promise<void> {
    await this.visit.send(message);
  }

  /** Answers a request. */
  async answer({ id }: Json, result: object = {}): Promise<void> {
    await this.send({ id, result });
  }

  /** Acknowledges all that came in so far. */
  async ack(): Promise<void> {
    await this.say("ack", this.received);
  }

  /** The next message that came in or will come in. */
  async next(): Promise<Json> {
    while (this.#messages.length === 0) await this.#read();
    return this.#messages.shift();
  }

  /** What follows the name in the next control frame of that name, its first element. */
  async control(name: string): Promise<Json> {
    for (;;) {
      const at = this.#controls.findIndex((frame) => frame[0] === name);
      if (at >= 0) return this.#controls.splice(at, 1)[0]?.[1];
      await this.#read();
    }
  }

  /** Closes with a code, and waits until the client has answered that. */
  async close(code: number, reason = ""): Promise<void> {
    await this.visit.close(code, reason);
  }

  /** Reads until the client has gone; its goodbye and its close are answered. */
  async end(): Promise<void> {
    try {
      await this.control("bye");
      await this.say("bye", this.received);
    } catch {
      // Gone without.
      return;
    }
    await this.visit.end();
  }

  /**
   * Plays a small legacy server until the client goes: `initialize` and
   * everything unknown is answered, and all is acknowledged.
   *
   * @param heard Told of each message; returns `true` if it has dealt with it.
   */
  async play(heard: (message: Json) => unknown = () => {}): Promise<void> {
    for (;;) {
      while (this.#messages.length === 0) {
        await this.#read();
        for (const [name, mark] of this.#controls.splice(0)) {
          if (name === "ping") await this.say("pong", mark, this.received);
          if (name !== "bye") continue;
          await this.say("bye", this.received);
          return await this.visit.end();
        }
      }
      const message = this.#messages.shift();
      await this.ack();
      if (await heard(message) === true) continue;
      if (message.id === undefined || message.method === undefined) continue;
      await this.answer(message, message.method === "initialize" ? RESULT : {});
    }
  }

  /** Reads a frame: a close is answered, and ends the script. */
  async #read(): Promise<void> {
    const { opcode, payload } = await this.visit.readFrame();
    if (opcode === OPCODES.CLOSE) {
      await this.visit.sendFrame(OPCODES.CLOSE, payload);
      throw new VisitorGone();
    }
    if (opcode !== OPCODES.TEXT) return;
    const frame = new TextDecoder().decode(payload);
    this.frames.push(frame);
    if (frame.startsWith("[")) return void this.#controls.push(JSON.parse(frame));
    if (frame.startsWith("{")) return frame.split("\n").forEach((text) => this.#take(text));
    this.#pieces += frame.slice(1);
    if (!frame.startsWith("=")) return;
    this.#take(this.#pieces);
    this.#pieces = "";
  }

  #take(text: string): void {
    this.received++;
    this.#messages.push(JSON.parse(text));
  }
}

/** What a small legacy server answers to `initialize`. */
const RESULT = {
  protocolVersion: "2025-11-25",
  capabilities: { tools: {}, resources: {} },
  serverInfo: { name: "scripted", version: "1.0.0" },
};

/**
 * A server of sessions that does to each connection what the test's script
 * says. What a script throws is thrown by the disposal.
 */
export class SessionServer implements AsyncDisposable {
  /** All connections so far. */
  readonly visits: SessionVisit[] = [];
  readonly #server: ScriptedServer;

  constructor(script: SessionScript, listener?: Deno.Listener<Deno.Conn>) {
    this.#server = new ScriptedServer(async (visit) => {
      const session = new SessionVisit(visit);
      this.visits.push(session);
      await script(session);
    }, listener === undefined ? {} : { listener });
  }

  /** Where a client dials. */
  get url(): string {
    return this.#server.url;
  }

  /** Where it listens. */
  get port(): number {
    return this.#server.port;
  }

  /** Resolves when all that has connected so far is gone. */
  async allGone(): Promise<void> {
    await this.#server.allGone();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server[Symbol.asyncDispose]();
  }
}
