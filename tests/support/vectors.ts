import { assert, assertEquals } from "@std/assert";
import { Connector } from "../../client/connector.ts";
import { parseEndpoint } from "../../client/endpoint.ts";
import type { LiveConnection } from "../../client/live_connection.ts";
import { type Loss, lossError } from "../../client/recovery.ts";
import { type ResolvedOptions, resolveOptions } from "../../client/resolved_options.ts";
import { SessionConnection } from "../../client/session_connection.ts";
import type { Channel, ChannelSink } from "../../protocol/channel.ts";
import { CLOSE_CODES } from "../../protocol/close_codes.ts";
import { MCPConnectionError } from "../../protocol/errors.ts";
import type { JsonRpcMessage } from "../../protocol/jsonrpc.ts";
import { Link } from "../../protocol/link.ts";
import { PlainChannel } from "../../protocol/plain_channel.ts";
import type { Goaway } from "../../protocol/session/control.ts";
import type { SessionLimits } from "../../protocol/session/limits.ts";
import type { Outgoing } from "../../protocol/session/outgoing.ts";
import { snapshotRequest } from "../../server/request.ts";
import { SessionHost, type Unidentified } from "../../server/session_host.ts";
import { resolveSessionOptions } from "../../server/session_options.ts";
import { MemorySessionStore } from "../../server/session_store.ts";
import type { Visitor } from "../../server/visitor.ts";
import { setGlobal } from "./globals.ts";
import { ManualClock } from "./manual_clock.ts";

/** What a vector holds where anything may be. */
export type Value =
  | null
  | boolean
  | number
  | string
  | readonly Value[]
  | { readonly [name: string]: Value };

/** What is fixed before a vector begins; what is left out is the end's own choice. */
export interface Settings {
  readonly limits?: Partial<SessionLimits>;
  readonly offers?: readonly string[];
  readonly require?: "bowline.v1";
  readonly windowMs?: number;
  readonly pingMs?: number;
  readonly waitingMessages?: number;
  readonly maxSessions?: number;
  readonly maxSessionsPerPrincipal?: number;
  readonly credentials?: Readonly<Record<string, string>>;
  readonly listens?: boolean;
  readonly accept?: readonly string[];
}

/** One step; its first member says which. */
export type Step = { readonly [name: string]: Value };

/** Frames in, frames out. */
export interface Vector {
  readonly name: string;
  readonly section: string;
  readonly end: "client" | "server";
  readonly settings?: Settings;
  readonly steps: readonly Step[];
}

/** What a close code means, said in three ways. */
export interface VerdictRow {
  readonly code: number;
  readonly cause: string;
  readonly end: string;
  readonly closed: string;
  readonly unwelcomed: string;
}

/** The whole file. */
export interface VectorFile {
  readonly about: readonly string[];
  readonly matchers: { readonly [name: string]: string };
  readonly steps: { readonly [name: string]: string };
  readonly verdicts: readonly VerdictRow[];
  readonly vectors: readonly Vector[];
}

/** What an end said on one socket. */
type Said = { readonly frame: string } | { readonly close: number | null };

/** A slow socket holds this much: pieces wait for it, small frames do not. */
const SLOW_BYTES = 600 * 1024;
/** No frame is larger. */
const MAX_FRAME_BYTES = 128 * 1024;
const LIMITS: SessionLimits = {
  messageBytes: 2 ** 20,
  bufferBytes: 2 ** 20,
  bufferMessages: 1_024,
};

/** A WebSocket without a network. */
class FakeSocket extends EventTarget {
  static readonly OPEN = 1;
  readonly said: Said[] = [];
  readonly offers: readonly string[];
  readyState = 0;
  protocol = "";
  /** Frames that it takes before it is slow. */
  patience: number = Infinity;
  readonly #isServer: boolean;

  constructor(offers: readonly string[], isServer: boolean) {
    super();
    this.offers = offers;
    this.#isServer = isServer;
  }

  get bufferedAmount(): number {
    return this.patience <= 0 ? SLOW_BYTES : 0;
  }

  open(protocol: string): void {
    this.protocol = protocol;
    this.readyState = 1;
    this.dispatchEvent(new Event("open"));
  }

  send(frame: string): void {
    // Asks how far the peer is: an end may at any time.
    if (frame.startsWith('["ping","ack",')) return;
    this.patience--;
    this.said.push({ frame });
  }

  close(code?: number): void {
    const mayClose = code === undefined || code === 1000 || code >= 3000 || this.#isServer;
    if (!mayClose) throw new DOMException("Not for clients", "InvalidAccessError");
    if (this.readyState > 1) return;
    this.readyState = 2;
    this.said.push({ close: code ?? null });
  }

  drop(code: number): void {
    this.readyState = 3;
    this.dispatchEvent(new CloseEvent("close", { code }));
  }

  asWebSocket(): WebSocket {
    return this as unknown as WebSocket;
  }
}

/** One of our ends, as a vector drives it. */
interface End extends Disposable {
  readonly clock: ManualClock;
  readonly delivered: Value[];
  readonly told: { readonly [name: string]: Value }[];
  open(step: Step): Promise<FakeSocket>;
  send(message: JsonRpcMessage, text: string, settled?: (error?: Error) => void): void;
  listen(): void;
  leave(): void;
  retire(afterMs: number, reason: string): void;
}

/** The dialling end: what a transport does with a `Connector`, without its pauses. */
class ClientUnderTest implements End {
  readonly clock = new ManualClock();
  readonly delivered: Value[] = [];
  readonly told: { readonly [name: string]: Value }[] = [];
  readonly #options: ResolvedOptions;
  readonly #connector: Connector;
  readonly #dialled: FakeSocket[] = [];
  readonly #global: Disposable;
  readonly #pending: (() => boolean)[] = [];
  #connection: LiveConnection | undefined;

  constructor({ limits, offers, require, accept }: Settings) {
    const { messageBytes, bufferBytes, bufferMessages } = { ...LIMITS, ...limits };
    this.#options = resolveOptions({
      clock: this.clock,
      session: { bufferBytes, bufferMessages },
      maxReceiveBytes: messageBytes,
      compression: accept !== undefined && { loopback: true },
      ...(offers && { protocols: offers }),
      ...(require && { require }),
    });
    const dialled = this.#dialled;
    const dial = function (_url: string, offers: string[]): FakeSocket {
      const socket = new FakeSocket(offers, false);
      dialled.push(socket);
      return socket;
    };
    this.#global = setGlobal("WebSocket", Object.assign(dial, { OPEN: 1 }));
    this.#connector = this.#createConnector();
  }

  async open(step: Step): Promise<FakeSocket> {
    const { offers, selects = "bowline.v1" } = step;
    const isFirst = this.#dialled.length === 0;
    const opening = this.#connector.open(new AbortController().signal);
    await settle();
    const socket = this.#dialled.at(-1);
    assert(socket !== undefined);
    if (offers !== undefined) assertEquals(socket.offers, offers, "offered subprotocols");
    opening.then(
      ({ connection }) => this.#attach(connection, isFirst),
      (error) => this.#tellLoss(error instanceof MCPConnectionError ? error.verdict : undefined),
    );
    socket.open(String(selects));
    return socket;
  }

  send(message: JsonRpcMessage, text: string, settled?: (error?: Error) => void): void {
    const go = () => {
      const connection = this.#connection;
      if (connection === undefined) return false;
      const isOpen = !(connection instanceof SessionConnection) || this.#isOpen;
      if (!isOpen && !connection.mayRide(message, text)) return false;
      connection.send(text, message, settled);
      return true;
    };
    if (!go()) this.#pending.push(go);
  }

  listen(): void {}

  leave(): void {
    const connection = this.#connection;
    this.#connection = undefined;
    connection?.close().then(() => this.told.push({ type: "ended" }));
  }

  retire(): void {
    throw new TypeError("A client does not retire");
  }

  [Symbol.dispose](): void {
    this.#connection = undefined;
    this.#connector.release()?.end(new Error("The vector is over"));
    this.#global[Symbol.dispose]();
  }

  get #isOpen(): boolean {
    return this.#connector.session?.isOpen === true;
  }

  #createConnector(): Connector {
    const context = {
      endpoint: parseEndpoint("ws://127.0.0.1/mcp"),
      options: () => this.#options,
      sink: {
        frame: () => {},
        message: (message: JsonRpcMessage) => this.delivered.push(copy(message)),
        fault: () => {},
        goaway: (goaway: Goaway, from: LiveConnection) => {
          if (from === this.#connection) this.told.push({ type: "goaway", ...plain(goaway) });
        },
      },
      onResumed: () => this.told.push({ type: "resumed" }),
      onSessionLost: (reason: string) => this.told.push({ type: "sessionlost", reason }),
      onPoisoned: ({ settled }: Outgoing) => settled?.(new Error("It never gets through")),
      onTaken: () => {
        this.#connection = undefined;
      },
    };
    return new Connector(context);
  }

  /** What the first connection becomes, its greeting tells; any other is usable at once. */
  #attach(connection: LiveConnection, isFirst: boolean): void {
    this.#connection = connection;
    connection.lost.then((loss) => this.#lost(connection, loss));
    if (!(connection instanceof SessionConnection)) {
      this.told.push({ type: "plain" });
      return this.#flush();
    }
    const { heartbeat } = this.#options;
    const pings = { pinged() {}, ponged() {}, missed() {} };
    if (heartbeat) connection.watch({ heartbeat, question: () => undefined, pings });
    if (!isFirst) return this.#opened();
    connection.greeting.then(({ type }) => {
      if (type === "open") this.#opened();
    });
  }

  #opened(): void {
    if (this.told.at(-1)?.type !== "resumed") this.told.push({ type: "open" });
    this.#flush();
  }

  #flush(): void {
    for (const go of this.#pending.splice(0)) go();
  }

  #lost(connection: LiveConnection, loss: Loss): void {
    if (this.#connection !== connection) return;
    this.#connection = undefined;
    this.#tellLoss(loss);
    this.#connector.detach();
    if (loss.pace === "never") this.#connector.release()?.end(lossError(loss));
  }

  #tellLoss(loss: Partial<Loss> | undefined): void {
    const { code = 0, cause = "", pace = "", retryAfter = 0 } = loss ?? {};
    this.told.push({ type: "lost", code, cause, pace, retryAfterMs: retryAfter });
  }
}

/** The accepting end. */
class ServerUnderTest implements End {
  readonly clock = new ManualClock();
  readonly delivered: Value[] = [];
  readonly told: { readonly [name: string]: Value }[] = [];
  readonly #host: SessionHost;
  readonly #listens: boolean;
  #channel: Channel | undefined;

  constructor(settings: Settings) {
    const { windowMs = 120_000, pingMs = 25_000, waitingMessages = 16_384 } = settings;
    const { maxSessions = 100, maxSessionsPerPrincipal = 5, listens = true } = settings;
    const { messageBytes, bufferBytes, bufferMessages } = { ...LIMITS, ...settings.limits };
    const { clock } = this;
    this.#listens = listens;
    const store = new MemorySessionStore({
      clock,
      maxSessions,
      maxSessionsPerPrincipal,
      tombstoneMs: windowMs,
    });
    const options = {
      window: windowMs,
      bufferMessages,
      bufferBytes,
      maxWaitingMessages: waitingMessages,
      pingInterval: pingMs,
      compression: { receive: settings.accept !== undefined },
      store,
    };
    this.#host = new SessionHost({
      settings: resolveSessionOptions(options, messageBytes, () => {}, () => {}),
      maxSessions,
      maxSessionsPerPrincipal: 5,
      server: { name: "vectors", version: "1" },
      clock,
      events: {
        identify: (visitor, token) => identify(visitor, token, settings.credentials),
        findCrowd: () => undefined,
        open: (open) => ({ serve: this.#serve(open(this.#createSink())), resumed: () => {} }),
        plain: (link, _visitor, frames) => this.#servePlain(link, frames),
        failed: (error) => this.told.push({ type: "failed", reason: error.message }),
        log: () => {},
      },
    });
  }

  open({ principal }: Step): Promise<FakeSocket> {
    const socket = new FakeSocket([], true);
    socket.open("bowline.v1");
    const link = new Link(
      socket.asWebSocket(),
      { frame: () => {}, closed: () => {} },
      this.clock,
    );
    this.#host.receive(link, {
      request: snapshotRequest(new Request("http://server.example/mcp")),
      principal: principal === undefined ? undefined : { id: String(principal) },
      authInfo: undefined,
      place: { authenticated() {}, release() {}, handleEvent() {} },
    });
    return Promise.resolve(socket);
  }

  send(message: JsonRpcMessage, text: string, settled?: (error?: Error) => void): void {
    const options = settled && { delivered: true };
    const sent = this.#channel?.send(text, message, options);
    if (settled !== undefined) sent?.then(() => settled(), settled);
  }

  listen(): void {
    this.#channel?.listen();
  }

  leave(): void {
    this.#channel?.close(1000, "Done");
  }

  retire(afterMs: number, reason: string): void {
    this.#channel?.retire(afterMs, reason);
  }

  [Symbol.dispose](): void {
    this.#channel?.close(1001, "The vector is over");
  }

  #createSink(): ChannelSink {
    return {
      message: (message) => this.delivered.push(copy(message)),
      fault: () => {},
      closed: ({ code }) => this.told.push({ type: "ended", code }),
    };
  }

  #serve(channel: Channel): () => void {
    this.#channel = channel;
    return () => {
      this.told.push({ type: "open" });
      if (this.#listens) channel.listen();
    };
  }

  #servePlain(link: Link, frames: readonly string[]): void {
    const { clock } = this;
    const bounds = {
      end: "server",
      maxSendBytes: 2 ** 20,
      maxReceiveBytes: 2 ** 20,
      clock,
    } as const;
    this.#channel = new PlainChannel(link, this.#createSink(), bounds, frames);
    this.told.push({ type: "plain" });
    this.#channel.listen();
  }
}

/** Whose a credential is, where one is asked for. */
function identify(
  visitor: Visitor,
  token = "",
  credentials?: Settings["credentials"],
): Visitor | Unidentified {
  if (credentials === undefined) return visitor;
  const id = credentials[token];
  return id === undefined
    ? { type: "refuse", code: CLOSE_CODES.UNAUTHENTICATED, reason: "The credential is unknown" }
    : { ...visitor, principal: { id } };
}

/** Runs one vector; the first step that does not fit is thrown. */
export async function runVector({ end, settings = {}, steps }: Vector): Promise<void> {
  using subject = end === "client" ? new ClientUnderTest(settings) : new ServerUnderTest(settings);
  const player = new Player(subject);
  for (const [index, step] of steps.entries()) {
    try {
      await player.play(step);
    } catch (cause) {
      const text = cause instanceof Error ? cause.message : String(cause);
      throw new Error(`Step ${index}, ${JSON.stringify(step).slice(0, 300)}: ${text}`, { cause });
    }
  }
  player.finish();
}

/** Everything that was posted is done. */
async function settle(): Promise<void> {
  for (let i = 0; i < 3; i++) await new Promise<void>((resolve) => setImmediate(resolve));
}

/** Plays steps, and holds what came out against them. */
class Player {
  readonly #end: End;
  readonly #sockets = new Map<string, FakeSocket>();
  readonly #bound = new Map<string, Value>();
  readonly #begun = new Map<FakeSocket, string>();
  #last = "";
  /** Whether the turn goes on: what came out so far may be looked at later. */
  #isTurn = false;

  constructor(end: End) {
    this.#end = end;
  }

  async play(step: Step): Promise<void> {
    const [name = ""] = Object.keys(step);
    const value = step[name] ?? null;
    switch (name) {
      case "out":
        return this.#matchOut(this.#socketOf(step), value);
      case "closes":
        return this.#matchClose(this.#socketOf(step), value);
      case "delivers":
        for (let i = 0; i < Number(step.times ?? 1); i++) {
          this.#matchNext(this.#end.delivered, value, "message for the application");
        }
        return;
      case "event":
        return this.#matchEvent(value);
    }
    if (!this.#isTurn) this.finish();
    for (let i = 0; i < Number(step.times ?? 1); i++) await this.#feed(name, value, step);
    this.#isTurn = step.more === true;
    if (!this.#isTurn) await settle();
  }

  /** Nothing came out but what was expected. */
  finish(): void {
    for (const [name, { said }] of this.#sockets) {
      const unexpected = name === this.#last ? said : said.filter((said) => !isHangUp(said));
      assertEquals(unexpected.map(show), [], `unexpected on socket "${name}"`);
    }
    assertEquals(this.#end.delivered.map(show), [], "unexpected messages for the application");
    assertEquals(this.#end.told.map(show), [], "unexpected events");
  }

  async #feed(name: string, value: Value, step: Step): Promise<void> {
    const end = this.#end;
    switch (name) {
      case "dial":
      case "connect":
        this.#last = String(value);
        this.#sockets.set(this.#last, await end.open(step));
        return;
      case "in":
        this.#socketOf(step).dispatchEvent(
          new MessageEvent("message", { data: this.#frameOf(value) }),
        );
        return;
      case "sends":
        return this.#send(value, step);
      case "drops":
        return this.#socketNamed(String(value)).drop(Number(step.code ?? 1006));
      case "waits":
        return end.clock.advance(Number(value));
      case "slow":
        this.#socketOf(step).patience = value === false ? Infinity : Number(value);
        return;
      case "listens":
        return end.listen();
      case "ends":
        return end.leave();
      case "retires":
        return end.retire(Number(step.afterMs), String(step.reason));
      default:
        throw new TypeError(`Unknown step "${name}"`);
    }
  }

  #send(value: Value, { as }: Step): void {
    const message = this.#resolve(value) as unknown as JsonRpcMessage;
    const { told } = this.#end;
    const settled = as === undefined ? undefined : (error?: Error) => {
      told.push({ type: error === undefined ? "confirmed" : "failed", as });
    };
    this.#end.send(message, JSON.stringify(message), settled);
  }

  #socketOf(step: Step): FakeSocket {
    return this.#socketNamed(typeof step.on === "string" ? step.on : this.#last);
  }

  #socketNamed(name: string): FakeSocket {
    const socket = this.#sockets.get(name);
    assert(socket !== undefined, `there is no socket "${name}"`);
    return socket;
  }

  /** A frame that comes in. */
  #frameOf(value: Value): string | ArrayBuffer {
    if (typeof value === "string") return value;
    if (Array.isArray(value)) return JSON.stringify(this.#resolve(value));
    const { $text, $messages, $binary } = value as { readonly [name: string]: Value };
    if (typeof $binary === "string") return Uint8Array.fromBase64($binary).buffer;
    if (Array.isArray($binary)) return Uint8Array.from($binary.map(Number)).buffer;
    if (Array.isArray($messages)) return this.#texts($messages).join("\n");
    if (Array.isArray($text)) return $text.map((part) => this.#resolve(part)).join("");
    throw new TypeError(`No frame: ${show(value)}`);
  }

  #texts(messages: readonly Value[]): string[] {
    return messages.flatMap((message) => {
      const { $times } = (message ?? {}) as { readonly [name: string]: Value };
      if (!Array.isArray($times)) return JSON.stringify(this.#resolve(message));
      return Array<string>(Number($times[0])).fill(
        JSON.stringify(this.#resolve($times[1] ?? null)),
      );
    });
  }

  /** The value with what is generated, and what was bound, in its place. */
  #resolve(value: Value): Value {
    if (typeof value !== "object" || value === null) return value;
    if (Array.isArray(value)) return value.map((entry: Value) => this.#resolve(entry));
    const { $repeat, $use } = value as { readonly [name: string]: Value };
    if (Array.isArray($repeat)) return String($repeat[0]).repeat(Number($repeat[1]));
    if (typeof $use === "string") return this.#bound.get($use) ?? null;
    const entries = Object.entries(value).map(([name, entry]) => [name, this.#resolve(entry)]);
    return Object.fromEntries(entries);
  }

  /** Events of different types may come in any order. */
  #matchEvent(expected: Value): void {
    const { told } = this.#end;
    const { type } = expected as { readonly type: Value };
    const index = told.findIndex((event) => event.type === type);
    assert(index >= 0, `no such event among ${show(told)}`);
    assertEquals(this.#compare(told.splice(index, 1)[0], expected), undefined, "event");
  }

  #matchNext(queue: Value[], expected: Value, what: string): void {
    assert(queue.length > 0, `no ${what} came`);
    const fault = this.#compare(queue.shift(), expected);
    assertEquals(fault, undefined, what);
  }

  #matchClose({ said }: FakeSocket, expected: Value): void {
    assertEquals(said.shift(), { close: typeof expected === "number" ? expected : null });
  }

  #matchOut(socket: FakeSocket, expected: Value): void {
    if (typeof expected === "string") return assertEquals(this.#take(socket), expected);
    if (Array.isArray(expected)) {
      const frame = this.#take(socket);
      assert(frame.startsWith("["), `no control frame: ${frame.slice(0, 200)}`);
      return assertEquals(this.#compare(JSON.parse(frame), expected), undefined, frame);
    }
    const { $messages, $message, $begins, $ends, $like } = expected as {
      readonly [name: string]: Value;
    };
    if ($like !== undefined) {
      const line = this.#takeLine(socket);
      return assertEquals(this.#compare(JSON.parse(line), $like), undefined, line);
    }
    if (Array.isArray($messages)) return this.#matchMessages(socket, this.#texts($messages));
    if ($begins !== undefined) return this.#matchBegin(socket, this.#texts([$begins])[0]);
    if ($ends !== undefined) {
      const begun = this.#begun.get(socket) ?? "";
      return assertEquals(begun + this.#takePieces(socket), this.#texts([$ends])[0]);
    }
    const [text] = this.#texts([$message ?? null]);
    const isWhole = this.#peek(socket).startsWith("{");
    assertEquals(isWhole ? this.#take(socket) : this.#takePieces(socket), text);
  }

  #matchMessages(socket: FakeSocket, texts: readonly string[]): void {
    const lines: string[] = [];
    while (lines.length < texts.length) {
      const frame = this.#take(socket);
      assert(frame.startsWith("{"), `no message: ${frame.slice(0, 200)}`);
      lines.push(...frame.split("\n"));
    }
    assertEquals(lines, texts);
  }

  #matchBegin(socket: FakeSocket, text = ""): void {
    let begun = "";
    do {
      const frame = this.#take(socket);
      assert(frame.startsWith("+"), `no piece: ${frame.slice(0, 200)}`);
      begun += frame.slice(1);
    } while (this.#peek(socket).startsWith("+"));
    assert(text.startsWith(begun) && begun.length < text.length, "no beginning of the message");
    this.#begun.set(socket, begun);
  }

  #takePieces(socket: FakeSocket): string {
    let text = "";
    for (;;) {
      const frame = this.#take(socket);
      assert(/^[+=]./s.test(frame), `no piece: ${frame.slice(0, 200)}`);
      text += frame.slice(1);
      if (frame.startsWith("=")) return text;
    }
  }

  /** One message; others of its frame stay. */
  #takeLine(socket: FakeSocket): string {
    const frame = this.#take(socket);
    assert(frame.startsWith("{"), `no message: ${frame.slice(0, 200)}`);
    const end = frame.indexOf("\n");
    if (end < 0) return frame;
    socket.said.unshift({ frame: frame.slice(end + 1) });
    return frame.slice(0, end);
  }

  #peek({ said }: FakeSocket): string {
    const [next] = said;
    return next !== undefined && "frame" in next ? next.frame : "";
  }

  #take({ said }: FakeSocket): string {
    const next = said.shift();
    assert(next !== undefined, "nothing was written");
    assert("frame" in next, "the socket was closed instead");
    assert(next.frame.isWellFormed(), "a character was cut in two");
    const size = new TextEncoder().encode(next.frame).length;
    assert(size <= MAX_FRAME_BYTES, `a frame of ${size} bytes`);
    return next.frame;
  }

  /** Why a value is not what is expected. */
  #compare(actual: Value | undefined, expected: Value, path = ""): string | undefined {
    if (typeof expected !== "object" || expected === null) {
      return actual === expected ? undefined : differ(path, actual, expected);
    }
    if (Array.isArray(expected)) {
      if (!Array.isArray(actual) || actual.length !== expected.length) {
        return differ(path, actual, expected);
      }
      return first(expected, (entry, i) => this.#compare(actual[i], entry, `${path}[${i}]`));
    }
    const rule = expected as { readonly [name: string]: Value };
    if (Object.keys(rule).some((name) => name.startsWith("$"))) {
      return this.#matches(actual, rule) ? undefined : differ(path, actual, expected);
    }
    if (typeof actual !== "object" || actual === null) return differ(path, actual, expected);
    const members = actual as { readonly [name: string]: Value };
    return first(
      Object.entries(rule),
      ([name, entry]) => this.#compare(members[name], entry, `${path}.${name}`),
    );
  }

  #matches(actual: Value | undefined, rule: { readonly [name: string]: Value }): boolean {
    const { $any, $bind, $use, $other, $match, $absent, $repeat } = rule;
    if ($absent === true) return actual === undefined;
    if (actual === undefined) return false;
    const type = Array.isArray(actual) ? "array" : typeof actual;
    if ($any !== undefined && $any !== type) return false;
    if (typeof $match === "string" && !new RegExp($match, "u").test(String(actual))) return false;
    if ($repeat !== undefined && actual !== this.#resolve(rule)) return false;
    if (typeof $other === "string" && actual === this.#bound.get($other)) return false;
    if (typeof $use === "string" && actual !== this.#bound.get($use)) return false;
    if (typeof $bind === "string") this.#bound.set($bind, actual);
    return true;
  }
}

/** A socket that was left for another may be closed at any time. */
function isHangUp(said: Said): boolean {
  return "close" in said && said.close === null;
}

function first<T>(
  entries: readonly T[],
  check: (entry: T, index: number) => string | undefined,
): string | undefined {
  for (const [index, entry] of entries.entries()) {
    const fault = check(entry, index);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

function differ(path: string, actual: Value | undefined, expected: Value): string {
  return `${path || "it"} is ${show(actual)} and not ${show(expected)}`;
}

function show(value: unknown): string {
  return (JSON.stringify(value) ?? "undefined").slice(0, 300);
}

function copy(message: JsonRpcMessage): Value {
  return JSON.parse(JSON.stringify(message));
}

function plain(value: object): { readonly [name: string]: Value } {
  return JSON.parse(JSON.stringify(value));
}
