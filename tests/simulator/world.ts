import { Chaos } from "./chaos.ts";
import { Client } from "./client.ts";
import { ProcessClock, VirtualClock } from "./clock.ts";
import type { Conditions } from "./conditions.ts";
import type { Dice } from "./dice.ts";
import { Internet } from "./internet.ts";
import { MessageMaker } from "./messages.ts";
import type { Connection } from "./network.ts";
import { type ServedSession, Server } from "./server.ts";
import { SharedStore } from "./shared_store.ts";
import type { SimulatedSession } from "./simulated_session.ts";
import type { Totals } from "./totals.ts";
import { Truth } from "./truth.ts";
import { Violation } from "./violation.ts";
import { WireWatch } from "./wire_watch.ts";

/** How long it may take at most until a session is gone that was lost to another server, in milliseconds. */
const DISOWNING = 100;
/** How long to wait for a session when there is none to speak in, in milliseconds. */
const SPEECH_PAUSE = 200;

/** A client, its servers, and the network between them. */
export class World {
  readonly clock: VirtualClock = new VirtualClock();
  /** What the client's timers are counted by. */
  readonly clientClock: ProcessClock = new ProcessClock(this.clock);
  readonly client: Client;
  readonly servers: Server[];
  readonly truth: Truth;
  readonly chaos: Chaos;
  /** What went wrong where nobody could be thrown at. */
  failure: unknown;
  readonly #conditions: Conditions;
  readonly #dice: Dice;
  readonly #maker: MessageMaker;
  readonly watch: WireWatch;
  readonly #internet: Internet<Server>;
  readonly #store: SharedStore | undefined;
  readonly #trace: (text: string) => void;
  readonly #sessions = new Map<Connection, SimulatedSession>();
  /** The server that dials reach. */
  #target = 0;
  /** Messages that are still to be said. */
  #unspoken: number;

  /**
   * @param dice All chance there is.
   * @param conditions What the seed has decided.
   * @param totals Where is counted what happens.
   * @param trace Told everything.
   */
  constructor(
    dice: Dice,
    conditions: Conditions,
    totals: Totals,
    trace: ((text: string) => void) | undefined,
  ) {
    const { clock } = this;
    const start = clock.now();
    const timed = trace &&
      ((text: string) => trace(`${(clock.now() - start).toFixed(1)}: ${text}`));
    this.#trace = timed ?? (() => {});
    this.#dice = dice;
    this.#conditions = conditions;
    this.#maker = new MessageMaker(dice, conditions.maxPadding);
    this.#unspoken = 2 * conditions.messages;
    this.truth = new Truth(totals);
    this.watch = new WireWatch(clock, totals, timed);
    const { processes, storeDelay, weather } = conditions;
    // Servers that know nothing of each other need a client that stays with one of them.
    const isShared = storeDelay > 0 || processes > 1;
    this.#store = isShared ? new SharedStore(clock, dice, storeDelay) : undefined;
    this.servers = Array.from({ length: processes }, () => this.#startServer());
    this.chaos = new Chaos({
      conditions,
      clock,
      dice,
      totals,
      wire: () => this.client.wire,
      isOpen: () => this.client.isOpen,
      restart: () => this.#restart(),
      failOver: () => this.#target = 1 - this.#target,
      trace: this.#trace,
    });
    this.watch.onFrame = (connection, event, text) => this.chaos.frame(connection, event, text);
    this.#internet = new Internet({
      clock,
      dice,
      weather,
      tap: this.watch,
      target: () => this.servers[this.#target] as Server,
      interfere: (moment) => this.chaos.interfere(moment),
    });
    this.client = this.#createClient();
  }

  /** Lets it all begin. */
  start(): void {
    const { messages, early } = this.#conditions;
    this.client.start();
    for (let i = 0; i < messages; i++) {
      if (i >= early) this.#sometime(() => this.#speak("client"));
      this.#sometime(() => this.#speak("server"));
    }
    this.chaos.start();
  }

  /** Whether the network behaves from now on, and nobody says anything new. */
  get isCalm(): boolean {
    return this.#unspoken === 0 && this.chaos.isOver;
  }

  /** Whether all that was said has arrived, and both ends know it. */
  get isSettled(): boolean {
    const { client, present } = this;
    const { session } = client;
    if (!client.isOpen || session === undefined || present?.channel === undefined) return false;
    const { application, heard, channel } = present;
    return client.queued + present.queued === 0 &&
      client.application.waiting + application.waiting === 0 &&
      session.bufferedMessages + (channel.bufferedMessages ?? 0) === 0 &&
      heard.missing === 0 && session.truth.down?.missing === 0 &&
      client.application.serving + application.serving === 0;
  }

  /** What is not settled, for whoever looks for a fault. */
  get rest(): string {
    const { client, present, truth } = this;
    const { session } = client;
    return JSON.stringify({
      isOpen: client.isOpen,
      asked: [client.application.waiting, present?.application.waiting],
      serving: [client.application.serving, present?.application.serving],
      queued: [client.queued, present?.queued],
      buffered: [session?.bufferedMessages, present?.channel?.bufferedMessages],
      missing: [session?.truth.down?.missing, present?.heard.missing],
      trackers: truth.open,
    });
  }

  /** The client's session, as its server knows it. */
  get present(): ServedSession | undefined {
    const { wire } = this.client;
    return wire && this.#servedOn(wire);
  }

  /** Whether the servers have no other session than the client's. */
  get isAlone(): boolean {
    return this.servers.reduce((count, { host }) => count + host.size, 0) === 1;
  }

  /** Sockets that an end has left open. */
  get openSockets(): string[] {
    return this.#internet.connections.flatMap((connection) => {
      const { id, client, server } = connection;
      const isDead = this.#internet.hostOf(connection)?.isDead === true;
      const open: string[] = [];
      if (client.readyState === 1) open.push(`#${id} at the client`);
      if (server.readyState === 1 && !isDead) open.push(`#${id} at the server`);
      return open;
    });
  }

  #servedOn(connection: Connection): ServedSession | undefined {
    const serial = this.#sessions.get(connection)?.truth.serial;
    return serial === undefined
      ? undefined
      : this.#internet.hostOf(connection)?.sessions.get(serial);
  }

  #sometime(task: () => void): void {
    this.clock.after(this.#dice.between(0, this.#conditions.duration), task);
  }

  /** The client's first connection is open: some do not wait for more. */
  #begin(): void {
    const { early, isLegacy, weather: { latency: [low, high] } } = this.#conditions;
    if (isLegacy) this.clock.after(0, () => this.client.application.initialize());
    for (let i = 0; i < early; i++) {
      this.clock.after(this.#dice.between(0, low + high), () => this.#speak("client"));
    }
  }

  /** A server does not have a session; in a moment no other one has it, either. */
  #disowned({ truth: { serial } }: SimulatedSession): void {
    const others = this.servers.flatMap(({ sessions }) => sessions.get(serial) ?? []);
    this.clock.after(this.#conditions.storeDelay + DISOWNING, () => {
      if (others.every(({ isOpen }) => !isOpen)) return;
      throw new Violation(
        `Session ${serial} is still there, although it was disowned`,
      );
    });
  }

  #speak(end: "client" | "server"): void {
    const speaker = end === "client" ? this.client : this.#speaker;
    if (speaker === undefined) {
      this.clock.after(SPEECH_PAUSE, () => this.#speak(end));
      return;
    }
    this.#unspoken--;
    speaker.application.speak();
  }

  /** The session that servers speak in: the client's, or else the newest. */
  get #speaker(): ServedSession | undefined {
    const { present } = this;
    return present?.isOpen ? present : this.servers[this.#target]?.present;
  }

  #restart(): void {
    this.#trace("The server dies");
    this.truth.totals.restarts++;
    const server = this.servers[this.#target] as Server;
    for (const connection of server.kill()) {
      const severing = { grace: 0, stall: 0 };
      const client = this.#dice.happens(0.8) ? this.#dice.skewed(1, 500) : undefined;
      connection.break({ up: severing, down: severing, client, server: undefined, code: 1006 });
    }
    this.servers[this.#target] = this.#startServer();
  }

  #startServer(): Server {
    return new Server({
      conditions: this.#conditions,
      clock: this.clock,
      dice: this.#dice,
      maker: this.#maker,
      truth: this.truth,
      store: this.#store,
      sessionOf: (connection) => {
        const session = this.#sessions.get(connection);
        if (session === undefined) throw new Violation("A session was opened without a hello");
        return session.truth;
      },
      trace: this.#trace,
      fail: (error) => this.#fail(error),
    });
  }

  #createClient(): Client {
    return new Client({
      conditions: this.#conditions,
      clock: this.clientClock,
      dice: this.#dice,
      maker: this.#maker,
      truth: this.truth,
      dial: (opened, failed) => {
        this.#trace("The client dials");
        this.#internet.dial(opened, failed);
      },
      greeting: (connection, session) => {
        if (this.#sessions.size === 0) this.#begin();
        this.#sessions.set(connection, session);
        this.watch.greet(connection, session.truth.serial, {
          client: () => session.count,
          server: () => this.#servedOn(connection)?.heard.count ?? 0,
          disowned: () => this.#disowned(session),
          host: this.#internet.hostOf(connection) as Server,
        });
      },
      welcomed: (connection, session) => {
        session.truth.down = this.#servedOn(connection)?.told;
      },
      trace: this.#trace,
      fail: (error) => this.#fail(error),
    });
  }

  #fail(error: unknown): void {
    this.failure ??= error;
  }
}
