import type { Clock } from "../../protocol/clock.ts";
import { type Hello, parseControl, type Welcome } from "../../protocol/session/control.ts";
import { narrow } from "../../protocol/session/limits.ts";
import { Flow } from "./flow.ts";
import { mayRepeat } from "./messages.ts";
import type { Connection, EndName, Tap } from "./network.ts";
import type { Totals } from "./totals.ts";
import { Violation } from "./violation.ts";

/** What happened to a frame. */
export type FrameEvent = "written" | "read";

/** How many messages each end was given so far in the session of a connection. */
export interface Counts {
  /** By the client's application. */
  readonly client: () => number;
  /** By the server's application. */
  readonly server: () => number;
  /** Told that the server does not have the session. */
  readonly disowned: () => void;
  /** The server, told from others that may know the session, too. */
  readonly host: object;
}

/** What an end may have to tell. */
interface News {
  told: number;
  since: number | undefined;
}

/** How long a message may go unacknowledged, in milliseconds. */
const MAX_ACK_DELAY = 1_050;

/** What is known of one connection. */
class Watched {
  readonly flows: { readonly [End in EndName]: Flow } = { client: new Flow(), server: new Flow() };
  readonly session: number;
  readonly counts: Counts;
  hello: Hello | undefined;
  isWelcomed = false;
  /** What each end has told, and since when it has not told all. */
  readonly news: { readonly [End in EndName]: News } = {
    client: { told: 0, since: undefined },
    server: { told: 0, since: undefined },
  };
  /** When the server has read a frame that it may have to answer. */
  readAt: number | undefined;
  wroteAt = 0;
  /** Whether the server has said its last word. */
  isOver = false;

  constructor(session: number, counts: Counts) {
    this.session = session;
    this.counts = counts;
  }
}

/** Something that an end says, and that has to be true when the turn is over. */
interface Claim {
  readonly isTrue: () => boolean;
  readonly text: string;
}

/** Reads along on every connection, and holds both ends to the rules of the wire. */
export class WireWatch implements Tap {
  readonly #clock: Clock;
  readonly #totals: Totals;
  readonly #trace: ((text: string) => void) | undefined;
  readonly #watched = new Map<Connection, Watched>();
  /** The connection that the client has said hello on last. */
  #latest: Connection | undefined;
  /** The connection that each session was welcomed on last, by each server. */
  readonly #welcomed = new Map<object, Map<number, Connection>>();
  readonly #claims: Claim[] = [];
  /** Told of every frame, so that somebody may break the connection. */
  onFrame: (connection: Connection, event: FrameEvent, kind: string) => void = () => {};

  /** Whether what was said in this turn has come true. */
  get isTrue(): boolean {
    const [claim] = this.#claims;
    if (claim === undefined) return true;
    if (!claim.isTrue()) return false;
    this.#claims.shift();
    return this.isTrue;
  }

  /** What was said and has not come true. */
  get lie(): string {
    return this.#claims[0]?.text ?? "";
  }

  constructor(clock: Clock, totals: Totals, trace: ((text: string) => void) | undefined) {
    this.#clock = clock;
    this.#totals = totals;
    this.#trace = trace;
  }

  /** The client is about to say hello in a session. */
  greet(connection: Connection, session: number, counts: Counts): void {
    this.#watched.set(connection, new Watched(session, counts));
  }

  sent(connection: Connection, by: EndName, text: string): void {
    this.#totals.frames++;
    this.#trace?.(`#${connection.id} ${by} writes ${shorten(text)}`);
    const watched = this.#watched.get(connection);
    if (watched !== undefined) {
      if (by === "server") watched.wroteAt = this.#clock.now();
      if (text.startsWith("[")) this.#control(connection, watched, by, text);
      else this.#message(connection, watched, by, text);
    }
    this.onFrame(connection, "written", text);
  }

  arriving(connection: Connection, at: EndName, text: string): void {
    this.#trace?.(`#${connection.id} ${at} reads ${shorten(text)}`);
    const watched = this.#watched.get(connection);
    if (watched === undefined) return;
    if (text.startsWith("[")) this.#told(watched, at, text);
    this.#checkNews(connection, watched, at);
    if (at === "client" || !watched.hello?.promptAck || !watched.isWelcomed) return;
    this.#checkAnswered(connection, watched);
    watched.readAt = this.#clock.now();
  }

  arrived(connection: Connection, at: EndName, text: string): void {
    const watched = this.#watched.get(connection);
    if (watched !== undefined) {
      const news = watched.news[at];
      if (watched.counts[at]() > news.told) news.since ??= this.#clock.now();
    }
    this.onFrame(connection, "read", text);
  }

  /** The connection that the server should write to in a session. */
  #serving({ counts: { host }, session }: Watched): Connection | undefined {
    return this.#welcomed.get(host)?.get(session);
  }

  /** Whether an end tells in time what its application was given. */
  #checkNews(connection: Connection, watched: Watched, at: EndName): void {
    const { since } = watched.news[at];
    if (since === undefined || this.#clock.now() - since <= MAX_ACK_DELAY) return;
    const isUsed = connection === (at === "client" ? this.#latest : this.#serving(watched));
    if (!isUsed || watched.isOver || connection[at].readyState !== 1) return;
    throw new Violation(`#${connection.id}: the ${at} does not acknowledge what it was given`);
  }

  /** Whether the server has answered what it read before. */
  #checkAnswered(connection: Connection, watched: Watched): void {
    const { readAt, wroteAt, isOver } = watched;
    if (readAt === undefined || readAt === this.#clock.now() || wroteAt >= readAt) return;
    const isLatest = this.#serving(watched) === connection;
    if (isOver || !isLatest || connection.server.readyState !== 1) return;
    throw new Violation(`#${connection.id}: the server did not answer a turn`);
  }

  #control(connection: Connection, watched: Watched, by: EndName, text: string): void {
    const frame = parseControl(text);
    switch (frame?.type) {
      case undefined:
        throw new Violation(`#${connection.id}: malformed ${text}`);
      case "hello":
        return this.#greeted(connection, watched, frame.hello);
      case "welcome":
        return this.#welcome(connection, watched, frame.welcome);
      case "ack":
      case "ping":
      case "pong":
        return this.#claim(connection, watched, by, frame.count);
      case "drop":
        return watched.flows[by].drop();
      case "end":
        if (frame.end.code === 4409) this.#totals.staleHellos++;
        watched.isOver = true;
        return;
      case "bye":
        if (by === "server") watched.isOver = true;
    }
  }

  /** An end says how many messages its application was given, or is about to be. */
  #claim({ id }: Connection, { counts, news }: Watched, by: EndName, count: number): void {
    news[by].told = count;
    news[by].since = undefined;
    if (count <= counts[by]()) return;
    this.#claims.push({
      isTrue: () => count <= counts[by](),
      text: `#${id}: the ${by} says it has ${count}`,
    });
  }

  #greeted(connection: Connection, watched: Watched, hello: Hello): void {
    watched.hello = hello;
    this.#latest = connection;
    if (hello.received !== watched.counts.client()) {
      throw new Violation(`#${connection.id}: the client says it has ${hello.received}`);
    }
    watched.news.client.told = hello.received;
    watched.flows.server.start(hello.received);
    if (hello.attempt === 1) watched.flows.client.start(0);
  }

  #welcome(connection: Connection, watched: Watched, welcome: Welcome): void {
    const { hello, counts, session, flows } = watched;
    if (hello === undefined) throw new Violation(`#${connection.id}: welcome without a hello`);
    if (welcome.reason !== undefined) return counts.disowned();
    if (welcome.received < counts.server()) {
      throw new Violation(`#${connection.id}: the server says it has ${welcome.received}`);
    }
    this.#claim(connection, watched, "server", welcome.received);
    watched.isWelcomed = true;
    flows.server.limits = narrow(welcome.limits, hello.limits);
    const sessions = this.#welcomed.get(counts.host) ?? new Map<number, Connection>();
    this.#welcomed.set(counts.host, sessions.set(session, connection));
    if (welcome.resumed) this.#totals.resumes++;
  }

  #message(connection: Connection, watched: Watched, by: EndName, text: string): void {
    const flow = watched.flows[by];
    const latest = by === "client" ? this.#latest : this.#serving(watched);
    if (connection !== latest) {
      throw new Violation(`#${connection.id}: the ${by} writes to a connection that it has left`);
    }
    if (flow.acknowledged === undefined) {
      throw new Violation(`#${connection.id}: the ${by} does not wait for the welcome`);
    }
    if (!text.startsWith("{")) this.#totals.pieces++;
    else if (by === "client" && flow.limits === undefined) this.#checkRiding(connection, text);
    const fault = flow.write(text);
    if (fault === undefined) return;
    throw new Violation(`#${connection.id}: the ${by} exceeds the window: ${fault}`);
  }

  /** What goes out before the welcome may be repeated. */
  #checkRiding({ id }: Connection, text: string): void {
    const unsafe = text.split("\n").find((line) => !mayRepeat(JSON.parse(line)));
    if (unsafe !== undefined) {
      throw new Violation(`#${id}: the client does not wait with ${unsafe}`);
    }
  }

  /** Notes what an end is told. */
  #told({ flows, hello }: Watched, at: EndName, text: string): void {
    const frame = parseControl(text);
    switch (frame?.type) {
      case "welcome": {
        const { received, limits, reason } = frame.welcome;
        if (hello === undefined || reason !== undefined) return;
        const { client } = flows;
        if (client.acknowledged === undefined) client.start(received);
        else client.acknowledge(received);
        client.limits = narrow(hello.limits, limits);
        return;
      }
      case "ack":
      case "ping":
      case "pong":
        return flows[at].acknowledge(frame.count);
    }
  }
}

function shorten(text: string): string {
  return text.length < 200 ? text : `${text.slice(0, 150)}… (${text.length})`;
}
