import type { Channel, ChannelSink, OpenChannel } from "../../protocol/channel.ts";
import type { Clock } from "../../protocol/clock.ts";
import { guard, isPromiseLike } from "../../protocol/guard.ts";
import type { JsonRpcMessage } from "../../protocol/jsonrpc.ts";
import { CANCELLED } from "../../protocol/mcp.ts";
import type { CloseInfo } from "../../protocol/link.ts";
import type { RequestSnapshot } from "../../server/request.ts";
import { SessionHost } from "../../server/session_host.ts";
import { Application } from "./application.ts";
import { ProcessClock } from "./clock.ts";
import type { Conditions } from "./conditions.ts";
import type { Dice } from "./dice.ts";
import type { MessageMaker } from "./messages.ts";
import type { Connection } from "./network.ts";
import type { SharedStore } from "./shared_store.ts";
import { type SessionTruth, Stream, type Truth, type View } from "./truth.ts";
import { Violation } from "./violation.ts";
import { QuickLink } from "./quick_link.ts";

/** What a server process needs. */
export interface ServerOptions {
  readonly conditions: Conditions;
  readonly clock: Clock;
  readonly dice: Dice;
  readonly maker: MessageMaker;
  readonly truth: Truth;
  readonly store: SharedStore | undefined;
  /** The session that was asked for on a connection. */
  readonly sessionOf: (connection: Connection) => SessionTruth;
  readonly trace: (text: string) => void;
  /** Told what goes wrong where nobody can be thrown at. */
  readonly fail: (error: unknown) => void;
}

const NO_HEADERS = new Headers();

/** A server in a process of its own, which may die. */
export class Server {
  readonly clock: ProcessClock;
  readonly host: SessionHost;
  /** The sessions that live here, by the client's serial. */
  readonly sessions: Map<number, ServedSession> = new Map();
  readonly connections: Set<Connection> = new Set();
  readonly #options: ServerOptions;
  readonly #origins = new Map<RequestSnapshot, Connection>();
  isDead = false;

  constructor(options: ServerOptions) {
    const { conditions: { settings }, store, trace, fail } = options;
    this.#options = options;
    this.clock = new ProcessClock(options.clock);
    this.host = new SessionHost({
      settings: { ...settings, store: store?.connect(this.clock) },
      maxSessions: 1_000,
      maxSessionsPerPrincipal: 5,
      server: { name: "simulated", version: "1" },
      clock: this.clock,
      events: {
        identify: (visitor) => visitor,
        findCrowd: () => undefined,
        open: (channel, { request }) => ({
          serve: this.#open(channel, request),
          resumed: () => {},
        }),
        plain: () => {
          throw new Violation("A connection was taken for a plain one");
        },
        failed: fail,
        log: trace,
      },
    });
  }

  /** Takes a connection. */
  accept(connection: Connection): void {
    this.connections.add(connection);
    const request: RequestSnapshot = {
      method: "GET",
      url: "ws://simulated/mcp",
      path: "/mcp",
      headers: NO_HEADERS,
      remoteAddress: undefined,
    };
    this.#origins.set(request, connection);
    const place = { authenticated() {}, release() {}, handleEvent() {} };
    const visitor = { request, place, principal: undefined, authInfo: undefined };
    const socket = connection.server as unknown as WebSocket;
    this.host.receive(new QuickLink(socket, { frame() {}, closed() {} }, this.clock), visitor);
  }

  /** The newest session that lives here. */
  get present(): ServedSession | undefined {
    return [...this.sessions.values()].findLast(({ isOpen }) => isOpen);
  }

  /** Ends the process. Returns the connections that end with it. */
  kill(): Connection[] {
    this.isDead = true;
    this.clock.kill();
    for (const session of this.sessions.values()) session.die();
    // Whatever still arrives is read by nobody.
    for (const { server } of this.connections) server.readyState = 3;
    return [...this.connections];
  }

  #open(open: OpenChannel, request: RequestSnapshot | undefined): () => void {
    const connection = request && this.#origins.get(request);
    if (connection === undefined) throw new Violation("A session came from nowhere");
    const truth = this.#options.sessionOf(connection);
    const session = new ServedSession(truth, { ...this.#options, clock: this.clock });
    session.channel = open(session);
    // The newest is the last.
    this.sessions.delete(truth.serial);
    this.sessions.set(truth.serial, session);
    return () => session.serve();
  }
}

/** A session as a server's application knows it. */
export class ServedSession implements ChannelSink {
  readonly application: Application;
  /** What it gets. */
  readonly heard: View;
  /** What the client gets of it. */
  readonly told: View;
  channel: Channel | undefined;
  readonly #down: Stream;
  readonly #options: ServerOptions;
  readonly #isPolite: boolean;
  readonly #queue: JsonRpcMessage[] = [];
  #isWaiting = false;

  constructor(session: SessionTruth, options: ServerOptions) {
    const { truth, conditions, clock, dice, maker } = options;
    this.#options = options;
    this.heard = session.up.hear();
    const name = `session ${session.serial}, down`;
    this.#down = new Stream(truth, name, conditions.serverSizes);
    this.told = this.#down.hear();
    this.#isPolite = dice.happens(0.5);
    this.application = new Application({
      name: `server in session ${session.serial}`,
      clock,
      dice,
      maker,
      mayLackProgress: () => session.up.poisoned > 0,
      send: (message) => this.#send(message),
    });
  }

  get isOpen(): boolean {
    return !this.#down.isOver && this.channel?.isOpen === true;
  }

  /** Messages that wait here because there is no room in the session. */
  get queued(): number {
    return this.#queue.length;
  }

  /** Listens, as soon as the application has found the time. */
  serve(): void {
    const { clock, dice, conditions: { listenDelay } } = this.#options;
    const listen = () => this.channel?.listen();
    if (listenDelay > 0 && dice.happens(0.7)) clock.after(dice.between(0, listenDelay), listen);
    else listen();
  }

  /** See {@linkcode ChannelSink}. */
  message(message: JsonRpcMessage): void {
    // Nobody hears what is thrown in a microtask.
    guard(() => this.#receive(message), this.#options.fail);
  }

  /** See {@linkcode ChannelSink}. */
  fault(error: Error): void {
    if (/never got through/.test(error.message)) {
      this.told.poisoned++;
      this.#options.truth.totals.poisoned++;
    } else if (!/Too much waits/.test(error.message)) {
      throw new Violation(`The server finds fault with the client: ${error.message}`);
    }
  }

  /** See {@linkcode ChannelSink}. */
  closed({ code, reason }: CloseInfo): void {
    this.#options.trace(`A session has ended: ${code} ${reason}`);
    this.#finish();
  }

  /** The process dies: nobody is told. */
  die(): void {
    this.#down.forget();
    this.#finish();
  }

  #receive(message: JsonRpcMessage): void {
    // What stands for a message that never got through was made here.
    const isOwn = "error" in message && message.error.message.endsWith("to the client");
    if (!isOwn) {
      this.heard.deliver(message, JSON.stringify(message));
      this.#options.truth.totals.up++;
    }
    this.application.receive(message);
  }

  #finish(): void {
    this.#down.isOver = true;
    this.#queue.length = 0;
    this.application.end();
  }

  #send(message: JsonRpcMessage): void {
    if (!this.isOpen) return;
    if (this.#isWaiting) this.#queue.push(message);
    else this.#write(message);
  }

  #write(message: JsonRpcMessage): void {
    const { dice, fail } = this.#options;
    const text = JSON.stringify(message);
    const { settled, untold } = this.#down.send(message, text);
    // What may be taken back has to be told that it was.
    const delivered = mayBeTakenBack(message) || dice.happens(0.3);
    // Told before the promise is, if all ends within the call.
    const outcome = this.channel?.send(text, message, { delivered, deliveryTimeout: 3_600_000 });
    if (delivered && isPromiseLike(outcome)) {
      outcome.then(() => settled(), (error) => this.#failed(error, settled)).then(undefined, fail);
    } else {
      untold();
      if (this.#isPolite && isPromiseLike(outcome)) this.#await(outcome);
    }
  }

  #failed(error: Error, settled: (error?: Error) => void): void {
    // The session ends before its application hears of it.
    if (this.channel?.isOpen !== true) this.#down.isOver = true;
    settled(error);
  }

  #await(room: PromiseLike<unknown>): void {
    this.#isWaiting = true;
    room.then(() => {
      this.#isWaiting = false;
      while (this.isOpen && !this.#isWaiting) {
        const next = this.#queue.shift();
        if (next === undefined) return;
        this.#write(next);
      }
    }).then(undefined, this.#options.fail);
  }
}

function mayBeTakenBack(message: JsonRpcMessage): boolean {
  return "method" in message && ("id" in message || message.method === CANCELLED);
}
