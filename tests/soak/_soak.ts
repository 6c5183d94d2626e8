import { measureMemory, type Memory } from "../chaos/support/memory.ts";
import { ChaosLink } from "../support/chaos_link.ts";
import { SoakClient } from "./_client.ts";
import { type Report, SoakServer } from "./_server_process.ts";
import { Tally } from "./_tally.ts";

/** A soak is half an hour's worth, minute by minute, as fast as it goes. */
const MINUTES = 30;
/** Pieces of news a minute, for everybody. */
const NEWS_A_MINUTE = 60;
/** Minutes between two points. */
const STRIDE = 3;
/** Minutes between two times that clients are abandoned. */
const ABANDON_EVERY = 10;
/** One client in so many has a link that is cut every minute, and one speaks plain `mcp`. */
const ONE_IN = 10;
/** One client in so many leaves every second minute, and another comes; most stay. */
const GUEST_IN = 5;
/** How long a session waits for its client, in milliseconds: time is short here. */
const WINDOW = 2_000;
/** Times that the server is asked whether it has nothing to do, 100 ms apart. */
const MAX_LOOKS = 100;

/** How much passes. */
export interface Traffic {
  /** Clients at the same time. */
  readonly clients: number;
  /** Requests of each. */
  readonly requestsAMinute: number;
}

/** Both ends, as they were at one time. */
export interface Point {
  /** Requests so far. */
  readonly requests: number;
  /** The process of the clients. */
  readonly client: Memory;
  /** The server. */
  readonly server: Report;
}

/** What a soak gives. */
export interface Soaked {
  /** Ten points, at equal distances. */
  readonly points: readonly Point[];
  /** What the clients have counted. */
  readonly tally: Tally;
  /** The server when everybody has gone. */
  readonly end: Report;
  /** What the server has complained of. */
  readonly complaints: readonly string[];
}

/**
 * Half an hour's worth of traffic. A minute of each client is its requests, as
 * many notifications up and down, and 60 pieces of news that come as a
 * broadcast, for a topic and for a resource. Of 3,000 requests one is of 1 MB
 * and thirty are of 10 KiB, both ways; fifteen are cancelled, sixty ask the
 * client back, and a hundred and fifty have progress.
 */
class Soak {
  readonly tally: Tally = new Tally();
  readonly #server: SoakServer;
  readonly #url: string;
  readonly #link: ChaosLink;
  readonly #clients: SoakClient[] = [];

  constructor(server: SoakServer, port: number, link: ChaosLink) {
    this.#server = server;
    this.#url = `ws://127.0.0.1:${port}/mcp`;
    this.#link = link;
  }

  async run({ clients, requestsAMinute }: Traffic): Promise<Point[]> {
    const points: Point[] = [];
    await Promise.all(Array.from({ length: clients }, (_, index) => this.#join(index)));
    for (let minute = 1; minute <= MINUTES; minute++) {
      await this.#work(requestsAMinute);
      if (minute % STRIDE === 0) points.push(await this.#measure());
      await this.#change(minute);
    }
    for (const client of this.#clients) await client.leave();
    return points;
  }

  /** What the server says as soon as it holds nothing for anybody, or after ten seconds. */
  async quiet(): Promise<Report> {
    let report = await this.#server.report();
    for (let look = 1; look < MAX_LOOKS && !isQuiet(report); look++) {
      report = await this.#server.report();
    }
    return report;
  }

  async #work(requests: number): Promise<void> {
    await Promise.all(this.#clients.map((client, index) => {
      return client.work(requests, () => {
        if (index === 0) this.#link.cut();
      });
    }));
    await Promise.all(this.#clients.map((client) => client.check()));
  }

  /** Some leave or disappear, and others come for them. */
  async #change(minute: number): Promise<void> {
    const all = [...this.#clients.entries()];
    const leaving = all.filter(([index]) => leavesAt(minute, index));
    for (const [index, client] of leaving) {
      await client.leave();
      await this.#join(index);
    }
    if (minute % ABANDON_EVERY === 1) await this.#abandon(all.filter(([index]) => isLinked(index)));
  }

  async #abandon(clients: readonly (readonly [number, SoakClient])[]): Promise<void> {
    await Promise.all(clients.map(([, client]) => client.leaveBehind()));
    this.#link.refuse();
    this.#link.cut();
    await Promise.all(clients.map(([, client]) => client.abandon()));
    this.#link.admit();
    for (const [index] of clients) await this.#join(index);
  }

  async #join(index: number): Promise<void> {
    const url = isLinked(index) ? this.#link.url() : this.#url;
    const protocol = isPlain(index) ? "mcp" : "bowline.v1";
    const client = this.#clients[index] = new SoakClient(url, protocol, this.tally);
    await client.join();
  }

  async #measure(): Promise<Point> {
    await Promise.all(this.#clients.map((client) => client.settle()));
    const [server, client] = await Promise.all([this.quiet(), measureMemory()]);
    return { requests: this.tally.requests, client, server };
  }
}

function isLinked(index: number): boolean {
  return index % ONE_IN === 0;
}

function isPlain(index: number): boolean {
  return index % ONE_IN === ONE_IN - 1;
}

function leavesAt(minute: number, index: number): boolean {
  return index % GUEST_IN === 1 && (index + minute) % 2 === 0;
}

/** Whether no client is waited for, and nothing is held for any. */
function isQuiet({ gauges }: Report): boolean {
  const { connections: _, ...rest } = gauges;
  return Object.values(rest).every((level) => level === 0);
}

/** Soaks both ends with half an hour's worth of traffic. */
export async function soak(traffic: Traffic): Promise<Soaked> {
  const newsEvery = Math.ceil(traffic.clients * traffic.requestsAMinute / NEWS_A_MINUTE);
  await using server = new SoakServer(WINDOW, newsEvery);
  const port = await server.port();
  await using link = ChaosLink.open(port);
  const soak = new Soak(server, port, link);
  const points = await soak.run(traffic);
  const end = await soak.quiet();
  return { points, tally: soak.tally, end, complaints: server.complaints };
}
