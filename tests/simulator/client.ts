import { Exchange, type Notice } from "../../client/exchange.ts";
import { Outbox } from "../../client/outbox.ts";
import { Pump } from "../../client/pump.ts";
import { reopen } from "../../client/reopening.ts";
import type { ResolvedOptions } from "../../client/resolved_options.ts";
import type { Loss } from "../../client/recovery.ts";
import { SessionConnection } from "../../client/session_connection.ts";
import { MCPConnectionError } from "../../protocol/errors.ts";
import { guard } from "../../protocol/guard.ts";
import type { JsonRpcMessage, RequestId } from "../../protocol/jsonrpc.ts";
import { CANCELLED } from "../../protocol/mcp.ts";
import type { Timer } from "../../protocol/clock.ts";
import { Handover } from "../../protocol/session/handover.ts";
import { Outgoing } from "../../protocol/session/outgoing.ts";
import { Application } from "./application.ts";
import type { ProcessClock } from "./clock.ts";
import type { Conditions } from "./conditions.ts";
import type { Dice } from "./dice.ts";
import type { MessageMaker } from "./messages.ts";
import type { Connection } from "./network.ts";
import { QuickLink } from "./quick_link.ts";
import { SimulatedSession } from "./simulated_session.ts";
import { Stream, type Truth } from "./truth.ts";
import { Violation } from "./violation.ts";

/** What a client needs. */
export interface ClientOptions {
  readonly conditions: Conditions;
  readonly clock: ProcessClock;
  readonly dice: Dice;
  readonly maker: MessageMaker;
  readonly truth: Truth;
  /** Dials; one of the two is called, once, at any time. */
  readonly dial: (opened: (connection: Connection) => void, failed: () => void) => void;
  /** Told before hello is said. */
  readonly greeting: (connection: Connection, session: SimulatedSession) => void;
  /** Told that a session is open on a connection. */
  readonly welcomed: (connection: Connection, session: SimulatedSession) => void;
  readonly trace: (text: string) => void;
  /** Told what goes wrong where nobody can be thrown at. */
  readonly fail: (error: unknown) => void;
}

/** How long a dial may take, and a hello, in milliseconds. */
const CONNECT_TIMEOUT = 5_000;

/** A connection, and what it is for. */
interface Opened {
  readonly wire: Connection;
  readonly connection: SessionConnection;
  readonly session: SimulatedSession;
}

/** A client: the shell around its sessions is as thin as it can be, and as unkind. */
export class Client {
  readonly application: Application;
  readonly exchange: Exchange;
  readonly #options: ClientOptions;
  readonly #outbox: Outbox;
  readonly #pump: Pump;
  readonly #handover: Handover = new Handover({
    // Nobody hears what is thrown in a microtask.
    message: (message) => guard(() => this.application.receive(message), this.#options.fail),
  });
  readonly #resolved: ResolvedOptions;
  #session: SimulatedSession | undefined;
  #sessions = 0;
  /** What messages flow over. */
  #present: Opened | undefined;
  /** Said hello, and not welcomed. */
  #opening: Opened | undefined;
  #dials = 0;
  #dialTimer: Timer | undefined;
  #pause: Timer | undefined;
  #moveTimer: Timer | undefined;
  #isMoving = false;
  #wasOpen = false;
  #isOver = false;
  #failures = 0;

  constructor(context: ClientOptions) {
    const { conditions, clock, dice, maker } = context;
    this.#options = context;
    this.exchange = new Exchange({ resend: undefined, maxInFlight: 100_000 });
    this.#outbox = new Outbox(
      { maxMessages: 1e6, maxBytes: 1e9, maxAge: 1e9, overflow: "reject" },
      clock,
    );
    this.#pump = new Pump(
      this.#outbox,
      () => this.#present?.connection,
      ({ message, text }) => this.#write(message, text),
    );
    const options: Partial<ResolvedOptions> = {
      connectTimeout: CONNECT_TIMEOUT,
      maxReceiveBytes: conditions.clientLimits.messageBytes,
      require: "bowline.v1",
      clock,
    };
    this.#resolved = options as ResolvedOptions;
    this.application = new Application({
      name: "client",
      clock,
      dice,
      maker,
      mayLackProgress: () => (this.#session?.truth.down?.poisoned ?? 0) > 0,
      send: (message) => this.#send(message),
    });
  }

  /** The session that is kept. */
  get session(): SimulatedSession | undefined {
    return this.#session;
  }

  /** The connection that is used, or being opened. */
  get wire(): Connection | undefined {
    return (this.#opening ?? this.#present)?.wire;
  }

  /** Messages that have not left. */
  get queued(): number {
    return this.#outbox.size;
  }

  /** Whether it has a session on a connection. */
  get isOpen(): boolean {
    return this.#present !== undefined && this.#opening === undefined &&
      this.#session?.isOpen === true;
  }

  /** Opens the first connection. */
  start(): void {
    this.#dial();
  }

  /** Says goodbye. */
  async close(): Promise<void> {
    await this.#stop().connection.close();
  }

  /** Vanishes. */
  vanish(): void {
    const { connection, session } = this.#stop();
    connection.drop();
    session.end(new MCPConnectionError("The client has vanished"));
  }

  /** The server ends the session, and that is all right. */
  expectEnd(): void {
    this.#stop();
  }

  /** Gives up what is left. */
  forget(): void {
    this.#session?.end(new MCPConnectionError("The client has forgotten the session"));
  }

  /** Nothing more is dialled or said. Returns what there is. */
  #stop(): Opened {
    this.#isOver = true;
    this.#dials++;
    this.#dialTimer?.clear();
    this.#pause?.clear();
    this.#moveTimer?.clear();
    const opened = this.#present as Opened;
    opened.session.truth.up.isOver = true;
    return opened;
  }

  #dial(isMove = false): void {
    const dial = ++this.#dials;
    this.#dialTimer?.clear();
    const give = () => {
      if (dial !== this.#dials) return;
      this.#dials++;
      this.#isMoving = false;
      if (!isMove) this.#dialLater();
    };
    this.#dialTimer = this.#options.clock.after(CONNECT_TIMEOUT, give);
    this.#options.dial((wire) => {
      // A dial that was given up may still succeed: nobody wants it.
      if (dial !== this.#dials || this.#isOver) return wire.client.close();
      this.#dialTimer?.clear();
      this.#open(wire);
    }, () => {
      if (dial !== this.#dials) return;
      this.#dialTimer?.clear();
      give();
    });
  }

  #dialLater(): void {
    const { clock, dice } = this.#options;
    const pause = dice.between(0, Math.min(100 * 2 ** this.#failures++, 3_000));
    this.#pause?.clear();
    this.#pause = clock.after(pause, () => this.#dial());
  }

  #open(wire: Connection): void {
    const { clock } = this.#options;
    const socket = wire.client as unknown as WebSocket;
    const link = new QuickLink(socket, { frame() {}, closed() {} }, clock);
    this.#greet(wire, link);
    if (this.#wasOpen) return;
    // What is safe may go out behind the first hello.
    this.#wasOpen = true;
    if (this.#opening === undefined) return;
    this.#opening.session.isFresh = false;
    this.#attach(this.#opening, false);
  }

  #greet(wire: Connection, link: QuickLink): void {
    const { greeting, welcomed, trace, fail } = this.#options;
    const session = this.#session ??= this.#createSession();
    greeting(wire, session);
    // The link of an older connection may tell its end, or anything, at any time.
    const connection = new SessionConnection(link, session, this.#resolved, {
      frame: () => {},
      message: (message) => this.#received(message),
      fault: (error) => {
        throw new Violation(`The client finds fault with the server: ${error.message}`);
      },
      goaway: (_goaway, from) => this.#move(from as SessionConnection),
    });
    const opened: Opened = { wire, connection, session };
    this.#opening = opened;
    connection.greeting.then((greeting): void | Promise<void> => {
      if (this.#opening !== opened) return;
      switch (greeting.type) {
        case "open":
          this.#failures = 0;
          welcomed(wire, session);
          this.#options.truth.totals.replayed += greeting.replayed;
          trace(`#${wire.id} is open with ${greeting.replayed} messages sent again`);
          return this.#take(opened);
        case "unknown":
          this.#giveUp(greeting.reason);
          return this.#greet(wire, link);
      }
    }).catch(fail);
    connection.lost.then((loss) => this.#lost(opened, loss)).catch(fail);
  }

  /** A session is open on a connection; a new one has to hear what the old one did. */
  async #take(opened: Opened): Promise<void> {
    const { connection, session } = opened;
    if (session.isFresh) {
      const controller = new AbortController();
      try {
        await reopen(connection, this.exchange.conversation, () => {}, controller.signal);
      } catch {
        // A session in which not everything was told that has to be is of no use.
        connection.drop();
        if (this.#session === session) this.#giveUp("It could not be reopened");
        return;
      }
      if (this.#opening !== opened) return;
    }
    const before = this.#present;
    const isFresh = session.isFresh;
    this.#opening = undefined;
    session.isFresh = false;
    if (before !== opened) {
      this.#attach(opened, isFresh);
      before?.connection.drop();
    }
    if (this.#isMoving) this.#options.truth.totals.moves++;
    this.#isMoving = false;
  }

  #attach(opened: Opened, repeats: boolean): void {
    const { connection } = opened;
    this.#present = opened;
    const heartbeat = { interval: 25_000, timeout: 5_000, maxMissed: 3, discover: false };
    const pings = { pinged() {}, ponged() {}, missed() {} };
    connection.watch({ heartbeat, question: () => undefined, pings });
    if (repeats) {
      for (const request of [...this.exchange.conversation.repeated()]) {
        this.#put(request, JSON.stringify(request));
      }
    }
    this.#pump.run();
  }

  #lost(opened: Opened, { pace, cause, code, reason }: Loss): void {
    // Once another hello was said, whatever an older connection still says is ignored.
    if (opened !== (this.#opening ?? this.#present)) return;
    this.#options.trace(`#${opened.wire.id} is lost: ${code} ${reason}`);
    const { connection, session } = opened;
    connection.drop();
    session.leave();
    this.#present?.connection.drop();
    this.#present = this.#opening = undefined;
    this.#isMoving = false;
    if (this.#isOver) return;
    // Before a welcome there is no session, and bare closes are as final as ever; this client tries again.
    const isBare = session.welcome === undefined && code < 4_000;
    if (pace === "never" && !isBare) {
      throw new Violation(`The client was sent away: ${cause} ${code} ${reason}`);
    }
    this.#dials++;
    this.#dialTimer?.clear();
    this.#dialLater();
  }

  #move(from: SessionConnection): void {
    if (from !== this.#present?.connection || this.#opening || this.#isMoving) return;
    this.#isMoving = true;
    this.#moveTimer = this.#options.clock.after(this.#options.dice.between(0, 500), () => {
      if (this.#isMoving && from === this.#present?.connection) this.#dial(true);
    });
  }

  #createSession(): SimulatedSession {
    const { conditions, truth, clock } = this.#options;
    const { clientLimits: limits, clientSizes: sizes, promptAck } = conditions;
    const serial = ++this.#sessions;
    const up = new Stream(truth, `session ${serial}, up`, sizes);
    const poisoned = (message: Outgoing) => {
      truth.totals.poisoned++;
      up.poisoned++;
      message.settled?.(new MCPConnectionError("The message never got through"));
      const { lane, id } = message;
      if (id === undefined) return;
      if (lane === "request") this.#tell(this.exchange.fail(id));
      else if (lane === "response") this.#replace(id);
    };
    const options = { limits, sizes, promptAck, clock, poisoned };
    return new SimulatedSession({ serial, up, down: undefined }, options);
  }

  /** Whoever waits for an answer that never gets through gets another one. */
  #replace(id: RequestId): void {
    const error = { code: -32_000, message: "The answer never got through to the server" };
    const response: JsonRpcMessage = { jsonrpc: "2.0", id, error };
    this.#put(response, JSON.stringify(response));
  }

  #giveUp(reason: string): void {
    const session = this.#session as SimulatedSession;
    this.#options.trace(`Session ${session.truth.serial} is lost: ${reason}`);
    this.#options.truth.totals.sessionsLost++;
    this.#session = undefined;
    session.truth.up.isOver = true;
    session.end(new MCPConnectionError(`The session was lost: ${reason}`));
    this.#tell(this.exchange.lose(true));
    this.application.startOver();
  }

  #tell(notices: readonly Notice[]): void {
    this.#handover.flush();
    for (const { message } of notices) this.application.receive(message);
  }

  #received(message: JsonRpcMessage): void {
    this.#options.truth.totals.down++;
    const incoming = this.exchange.incoming(message);
    if (incoming !== undefined) this.#handover.take(incoming);
  }

  #send(message: JsonRpcMessage): void {
    if (this.#isOver) return;
    const text = JSON.stringify(message);
    if (this.#outbox.size > 0) return this.#queue(message, text);
    const connection = this.#present?.connection;
    const mayGo = connection?.isOpen &&
      (!connection.isCongested || connection.mayRide(message, text));
    if (mayGo || this.#mayPush) this.#write(message, text);
    else this.#queue(message, text);
  }

  /** A session takes messages at any time, once it was welcomed. */
  get #mayPush(): boolean {
    const session = this.#session;
    return this.#options.conditions.isPushy && session?.welcome !== undefined &&
      !session.isFresh && session.bufferedMessages < 200;
  }

  #queue(message: JsonRpcMessage, text: string): void {
    if ("method" in message && message.method === CANCELLED) {
      if (this.#outbox.withdraw(message.params?.requestId)) return;
    }
    this.#outbox.add(message, text).catch(this.#options.fail);
    this.#pump.run();
  }

  #write(message: JsonRpcMessage, text: string): void {
    const outgoing = this.exchange.outgoing(message);
    if (outgoing === undefined) return;
    this.#put(outgoing, outgoing === message ? text : JSON.stringify(outgoing));
  }

  #put(message: JsonRpcMessage, text: string): void {
    const session = this.#session as SimulatedSession;
    session.send(new Outgoing(message, text, session.truth.up.send(message, text).settled));
  }
}
