import { delay } from "@std/async/delay";
import {
  measureLatency,
  measureNotifications,
  measureOpening,
  measureThroughput,
} from "./blocks.ts";
import {
  type Contender,
  type Contenders,
  type Open,
  openAndAsk,
  openFloor,
  openOurs,
  openPlain,
  openSession,
} from "./contenders.ts";
import type { Scale } from "./figures.ts";
import { echoParams, NOTE, noteParams } from "./messages.ts";
import { Proxy } from "./proxy.ts";
import { atLeast, atMost, below, type Figure } from "./ratios.ts";
import type { Addresses } from "./server_process.ts";

/** What most figures compare: the same client and server without sessions. */
const SIDES = { over: "bowline.v1", against: "plain mcp" } as const;
/** Until the last acknowledgement has been sent, which takes 200 ms. */
const QUIET = 300;

/**
 * What a session costs, against plain `mcp` of the same client and server.
 *
 * @param contenders Both, connected.
 * @param addresses Where the server listens.
 * @param scale How much is measured.
 * @returns The figures, in the order of the table.
 */
export function sessionFigures(
  contenders: Contenders,
  { ours }: Addresses,
  scale: Scale,
): Figure[] {
  const { pairs } = scale;
  return [
    roundTrip("100 B", 100),
    roundTrip("1,000 B", 1_000),
    throughput(64, 6_400),
    throughput(1_024, 10_240),
    {
      name: "notifications, one way, 100 B",
      unit: "/s",
      ...SIDES,
      goals: [atLeast(0.97)],
      pairs,
      warmUps: 10,
      ...both((side) => measureNotifications(side, count(10_000), 100)),
    },
    opening("connect, usable session", openSession, (url) => openSession(url, "mcp")),
    opening("connect to first answer", openAndAsk(openOurs), openAndAsk(openPlain)),
  ];

  function count(calls: number): number {
    return Math.max(1, Math.round(calls * scale.calls));
  }

  function both(block: (side: Contender) => Promise<number>): Pick<Figure, "ours" | "floor"> {
    return {
      ours: () => block(contenders.ours),
      floor: () => block(contenders.plain),
    };
  }

  function roundTrip(size: string, bytes: number): Figure {
    const params = echoParams(bytes);
    return {
      name: `round trip p50, ${size}`,
      unit: "ms",
      ...SIDES,
      goals: [atMost(1.03)],
      pairs,
      warmUps: 10,
      ...both((side) => measureLatency(() => side.request(params), count(500))),
    };
  }

  function throughput(inFlight: number, calls: number): Figure {
    const params = echoParams(100);
    return {
      name: `requests, ${inFlight.toLocaleString("en")} in flight, 100 B`,
      unit: "/s",
      ...SIDES,
      goals: [atLeast(0.97)],
      pairs,
      warmUps: 10,
      ...both((side) => measureThroughput(() => side.request(params), count(calls), inFlight)),
    };
  }

  function opening(name: string, session: Open, plain: Open): Figure {
    return {
      name,
      unit: "ms",
      ...SIDES,
      goals: [],
      pairs,
      warmUps: 5,
      ours: () => measureOpening(session, ours, count(10)),
      floor: () => measureOpening(plain, ours, count(10)),
    };
  }
}

/** What is measured on the wire, through a proxy. */
export interface WireFigures extends AsyncDisposable {
  /** The figures, in the order of the table. */
  readonly figures: readonly Figure[];
}

/**
 * What is on the wire, frames and TCP's payload: what a request and its answer
 * take, acknowledgements included, and how fast a session comes back.
 *
 * @param addresses Where the servers listen.
 * @param scale How much is measured.
 * @returns The figures; they are measured before it is disposed of.
 */
export async function openWireFigures(addresses: Addresses, scale: Scale): Promise<WireFigures> {
  const stack = new AsyncDisposableStack();
  const proxied = (url: string) => stack.use(new Proxy(url));
  const session = proxied(addresses.ours);
  const plain = proxied(addresses.ours);
  const returning = proxied(addresses.ours);
  const bare = proxied(addresses.floor);
  const ours = stack.use(await openOurs(session.url));
  const others = stack.use(await openPlain(plain.url));
  const client = stack.use(await openSession(returning.url));
  const params = echoParams(100);
  const count = (calls: number) => Math.max(1, Math.round(calls * scale.calls));
  const many = count(6_400);
  const few = count(5);

  const wire = (name: string, way: "up" | "down", send: (side: Contender) => Promise<number>) => {
    const block = async (proxy: Proxy, side: Contender) => {
      const before = proxy[way];
      const calls = await send(side);
      await delay(QUIET);
      return (proxy[way] - before) / calls;
    };
    return {
      name,
      unit: "B",
      ...SIDES,
      goals: [],
      pairs: Math.min(3, scale.pairs),
      warmUps: 1,
      ours: () => block(session, ours),
      floor: () => block(plain, others),
    } satisfies Figure;
  };
  const busy = async (side: Contender) => {
    await measureThroughput(() => side.request(params), many, 64);
    return many;
  };
  const idle = async (side: Contender) => {
    for (let i = 0; i < few; i++) {
      await side.request(params);
      await delay(QUIET);
    }
    return few;
  };
  const figures: Figure[] = [
    wire("wire, 100 B, 64 in flight", "up", busy),
    wire("wire, answer, 64 in flight", "down", busy),
    wire("wire, 100 B, one in 0.3 s", "up", idle),
    wire("wire, answer, one in 0.3 s", "down", idle),
    {
      name: "resume, replay of 1,000 messages",
      unit: "ms",
      over: "bowline.v1",
      against: "bare dial, send 1,000",
      goals: [below(20)],
      pairs: Math.ceil(scale.pairs / 2),
      warmUps: 3,
      ours: () => measureReplay(client, returning, count(1_000)),
      floor: () => measureFreshStart(bare.url, count(1_000)),
    },
  ];
  return { figures, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

type Client = Awaited<ReturnType<typeof openSession>>;

/**
 * Messages that the network swallows before it breaks: from the break until
 * the server has handled them all. The random pause before a dial is left out.
 */
async function measureReplay(client: Client, proxy: Proxy, count: number): Promise<number> {
  const note = noteParams(100);
  proxy.swallows = true;
  for (let i = 0; i < count; i++) await client.notify(NOTE, note);
  // Until the proxy has read them.
  await delay(50);
  // The pause begins right after the news of the loss.
  const dial = () => setImmediate(() => client.transport.reconnect());
  client.addEventListener("lost", dial, { once: true });
  const startedAt = performance.now();
  proxy.cut();
  await client.request("ping");
  return performance.now() - startedAt;
}

/** The same without a session: somebody who kept the messages sends them on a new socket. */
async function measureFreshStart(url: string, count: number): Promise<number> {
  const note = noteParams(100);
  const startedAt = performance.now();
  const floor = await openFloor(url);
  for (let i = 0; i < count; i++) floor.notify(note);
  await floor.request(echoParams(100));
  const ms = performance.now() - startedAt;
  await floor[Symbol.asyncDispose]();
  return ms;
}
