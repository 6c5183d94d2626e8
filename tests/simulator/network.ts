import type { Clock } from "../../protocol/clock.ts";
import { countBytes } from "../../protocol/utf8.ts";
import { Queue } from "../../protocol/session/queue.ts";
import { Violation } from "./violation.ts";
import type { Dice } from "./dice.ts";

/** How a network behaves as long as nothing breaks. */
export interface Weather {
  /** The shortest and the longest time a frame takes, in milliseconds. */
  readonly latency: readonly [number, number];
  /** Bytes that leave in a millisecond. */
  readonly rate: number;
  /** How full a socket says it is, for each byte that has not left. */
  readonly inflation: number;
}

/** What happens to one direction of a connection that breaks. */
export interface Severing {
  /** What was sent arrives for so long; the rest is lost. */
  readonly grace: number;
  /** What is on the way is held up for so long. */
  readonly stall: number;
}

/** How a connection breaks. */
export interface Break {
  /** Towards the server. */
  readonly up: Severing | undefined;
  /** Towards the client. */
  readonly down: Severing | undefined;
  /** When each end hears of it, in milliseconds; `undefined` if it never does. */
  readonly client: number | undefined;
  readonly server: number | undefined;
  /** What the ends are told. */
  readonly code: number;
}

/** Told what passes, in either direction. */
export interface Tap {
  /** An end has written a frame. */
  sent(connection: Connection, by: EndName, text: string): void;
  /** A frame is about to be read by an end. */
  arriving(connection: Connection, at: EndName, text: string): void;
  /** It was read. */
  arrived(connection: Connection, at: EndName, text: string): void;
}

/** One end of a connection. */
export type EndName = "client" | "server";

/** As much of a `WebSocket` as a `Link` looks at. */
export class Socket {
  readyState = 1;
  readonly protocol = "bowline.v1";
  #listener: { handleEvent(event: unknown): void } | undefined;
  readonly #connection: Connection;
  readonly #name: EndName;

  constructor(connection: Connection, name: EndName) {
    this.#connection = connection;
    this.#name = name;
  }

  get bufferedAmount(): number {
    return this.#connection.outOf(this.#name).backlog;
  }

  /** One listener hears all there is to hear. */
  addEventListener(_type: string, listener: { handleEvent(event: unknown): void }): void {
    this.#listener = listener;
  }

  /** A frame has come in. */
  hear(data: unknown): void {
    this.#listener?.handleEvent({ type: "message", data });
  }

  send(text: string): void {
    if (this.readyState !== 1) return;
    try {
      this.#connection.tap.sent(this.#connection, this.#name, text);
    } catch (thrown) {
      // Frames are written in microtasks, where nobody hears it: it is remembered.
      if (!(thrown instanceof Violation)) throw thrown;
    }
    this.#connection.outOf(this.#name).carry(countBytes(text), () => {
      // As UTF-8 has no half characters.
      this.#connection.deliver(this.#name, text.toWellFormed());
    });
  }

  close(code = 1005, reason = ""): void {
    if (this.readyState > 1) return;
    this.readyState = 2;
    this.#connection.hangUp(this.#name, code, reason);
  }

  /** The runtime finds out that it is over. */
  end(code: number, reason: string): void {
    if (this.readyState === 3) return;
    this.readyState = 3;
    this.#listener?.handleEvent({ type: "close", code, reason });
  }
}

interface Departure {
  readonly at: number;
  readonly bytes: number;
}

/** One direction of a connection: what is sent first arrives first. */
class Pipe {
  readonly #clock: Clock;
  readonly #dice: Dice;
  readonly #weather: Weather;
  /** What has not left the sender's socket. */
  #departures: Departure[] = [];
  /** What is on its way. */
  readonly #way: Queue<() => void> = new Queue<() => void>();
  #bytes = 0;
  #lastDeparture = 0;
  #lastArrival = 0;
  /** Nothing arrives before. */
  #stalledUntil = 0;
  /** Nothing arrives after. */
  #openUntil = Infinity;
  #isSevered = false;

  constructor(clock: Clock, dice: Dice, weather: Weather) {
    this.#clock = clock;
    this.#dice = dice;
    this.#weather = weather;
  }

  get isSevered(): boolean {
    return this.#isSevered;
  }

  get backlog(): number {
    const now = this.#clock.now();
    let left = 0;
    while (left < this.#departures.length && (this.#departures[left] as Departure).at <= now) {
      this.#bytes -= (this.#departures[left++] as Departure).bytes;
    }
    if (left > 0) this.#departures.splice(0, left);
    return this.#bytes * this.#weather.inflation;
  }

  carry(bytes: number, arrive: () => void): void {
    const now = this.#clock.now();
    const { latency: [low, high], rate } = this.#weather;
    this.#bytes += bytes;
    // What nobody takes any more stays in the socket.
    if (this.#isSevered) return;
    const departure = Math.max(now, this.#lastDeparture) + bytes / rate;
    this.#lastDeparture = departure;
    this.#departures.push({ at: departure, bytes });
    const arrival = Math.max(departure + this.#dice.between(low, high), this.#lastArrival);
    this.#lastArrival = arrival;
    this.#way.push(arrive);
    this.#clock.after(arrival - now, () => this.#arrive());
  }

  sever({ grace, stall }: Severing): void {
    if (this.#isSevered) return;
    this.#isSevered = true;
    this.stall(stall);
    this.#openUntil = Math.max(this.#clock.now(), this.#stalledUntil) + grace;
  }

  stall(ms: number): void {
    this.#stalledUntil = Math.max(this.#stalledUntil, this.#clock.now() + ms);
    this.#lastArrival = Math.max(this.#lastArrival, this.#stalledUntil);
  }

  /** Something arrives, whenever it was meant to: what was sent first. */
  #arrive(): void {
    const now = this.#clock.now();
    if (now < this.#stalledUntil) {
      this.#clock.after(this.#stalledUntil - now, () => this.#arrive());
      return;
    }
    const arrive = this.#way.shift();
    if (now <= this.#openUntil) arrive?.();
  }
}

/** A connection between a client and a server. */
export class Connection {
  readonly id: number;
  readonly client: Socket = new Socket(this, "client");
  readonly server: Socket = new Socket(this, "server");
  readonly tap: Tap;
  readonly #clock: Clock;
  readonly #dice: Dice;
  readonly #up: Pipe;
  readonly #down: Pipe;

  constructor(id: number, clock: Clock, dice: Dice, weather: Weather, tap: Tap) {
    this.id = id;
    this.tap = tap;
    this.#clock = clock;
    this.#dice = dice;
    this.#up = new Pipe(clock, dice, weather);
    this.#down = new Pipe(clock, dice, weather);
  }

  /** Whether it has been broken. */
  get isBroken(): boolean {
    return this.#up.isSevered || this.#down.isSevered;
  }

  outOf(end: EndName): Pipe {
    return end === "client" ? this.#up : this.#down;
  }

  deliver(from: EndName, text: string): void {
    const to: EndName = from === "client" ? "server" : "client";
    const socket = this[to];
    // While an end waits for the answer to its close, it still reads.
    if (socket.readyState === 3) return;
    this.tap.arriving(this, to, text);
    socket.hear(text);
    this.tap.arrived(this, to, text);
  }

  /** The closing handshake: a close frame, and its answer. */
  hangUp(end: EndName, code: number, reason: string): void {
    const pipe = this.outOf(end);
    // Without the peer it ends when the runtime has lost its patience, or never.
    if (this.isBroken && this.#dice.happens(0.5)) {
      this.#clock.after(10_000, () => this[end].end(1006, ""));
    }
    pipe.carry(8, () => {
      const other: EndName = end === "client" ? "server" : "client";
      const peer = this[other];
      if (peer.readyState === 3) return;
      const answer = () => this[end].end(code, reason);
      this.outOf(other).carry(8, answer);
      peer.end(code, reason);
    });
  }

  /** Holds up what is on the way, and what is sent. */
  stall(end: EndName, ms: number): void {
    this.outOf(end).stall(ms);
  }

  break({ up, down, client, server, code }: Break): void {
    if (up !== undefined) this.#up.sever(up);
    if (down !== undefined) this.#down.sever(down);
    if (client !== undefined) this.#clock.after(client, () => this.client.end(code, ""));
    if (server !== undefined) this.#clock.after(server, () => this.server.end(code, ""));
  }
}
