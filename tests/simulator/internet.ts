import type { Clock } from "../../protocol/clock.ts";
import type { Dice } from "./dice.ts";
import { Connection, type Tap, type Weather } from "./network.ts";

/** Somebody who can be dialled. */
export interface Host {
  /** Whether it has died. */
  readonly isDead: boolean;
  /** Takes a connection. */
  accept(connection: Connection): void;
}

/** What goes wrong with a dial. */
export interface DialBreak {
  /** When the client is told that it has failed, in milliseconds; `undefined` if it never is. */
  readonly failsAfter: number | undefined;
  /** When it succeeds after all, in milliseconds; `undefined` if it never does. */
  readonly opensAfter: number | undefined;
  /** When the server hears that nobody is there, in milliseconds; `undefined` if it never does. */
  readonly server: number | undefined;
}

/** What an {@linkcode Internet} needs. */
export interface InternetOptions<H extends Host> {
  readonly clock: Clock;
  readonly dice: Dice;
  readonly weather: Weather;
  readonly tap: Tap;
  /** Who is dialled now. */
  readonly target: () => H;
  /** Asked in each dial, before the server has heard of it and after. */
  readonly interfere: (moment: "dial" | "upgrade") => DialBreak | undefined;
}

/** All connections there were. */
export class Internet<H extends Host> {
  readonly connections: Connection[] = [];
  readonly #options: InternetOptions<H>;
  readonly #hosts = new Map<Connection, H>();

  constructor(options: InternetOptions<H>) {
    this.#options = options;
  }

  /** The server at the other end of a connection. */
  hostOf(connection: Connection): H | undefined {
    return this.#hosts.get(connection);
  }

  /** Dials; one of the two is called at most once, however late. */
  dial(opened: (connection: Connection) => void, failed: () => void): void {
    const { clock, dice, weather: { latency: [low, high] }, interfere } = this.#options;
    const fault = interfere("dial");
    if (fault?.failsAfter !== undefined) clock.after(fault.failsAfter, failed);
    if (fault !== undefined && fault.opensAfter === undefined) return;
    const takes = fault?.opensAfter ?? dice.between(low, high) + dice.between(0, 50);
    clock.after(takes, () => this.#reach(opened, failed));
  }

  #reach(opened: (connection: Connection) => void, failed: () => void): void {
    const { clock, dice, weather, tap, target, interfere } = this.#options;
    const host = target();
    const id = this.connections.length + 1;
    const connection = new Connection(id, clock, dice, weather, tap);
    this.connections.push(connection);
    this.#hosts.set(connection, host);
    host.accept(connection);
    const fault = interfere("upgrade");
    const { client } = connection;
    client.readyState = 0;
    const succeed = () => {
      if (host.isDead || client.readyState === 3) {
        client.readyState = 3;
        return failed();
      }
      client.readyState = 1;
      opened(connection);
    };
    if (fault === undefined) return void clock.after(dice.between(...weather.latency), succeed);
    if (fault.failsAfter !== undefined) clock.after(fault.failsAfter, failed);
    if (fault.opensAfter !== undefined) return void clock.after(fault.opensAfter, succeed);
    client.readyState = 3;
    const severing = { grace: 0, stall: 0 };
    const { server } = fault;
    connection.break({ up: severing, down: severing, client: undefined, server, code: 1006 });
  }
}
