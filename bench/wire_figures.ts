import type { MCPWebSocketClient } from "@bowline/mcp-websocket/client";
import { delay } from "@std/async/delay";
import { measureThroughput } from "./blocks.ts";
import { type Contender, openFloor, openOurs, openPlain, openSession } from "./contenders.ts";
import { below } from "./goals.ts";
import { figureJob, type Job, type Scale, scaled } from "./jobs.ts";
import { echoParams, NOTE, noteParams } from "./messages.ts";
import { Proxy } from "./proxy.ts";
import type { Figure } from "./ratios.ts";
import { type Addresses, ServerProcess } from "./server_process.ts";
import type { Stage } from "./stage.ts";

/** Between two requests of somebody who is not busy. */
const PAUSE = 300;
/** Until the last acknowledgement has been sent, which takes a second. */
const QUIET = 1_100;

/** One side of what is compared on the wire, and the proxy it dials through. */
interface Tapped<Side> {
  readonly side: Side;
  readonly proxy: Proxy;
}

/** All that dial through a proxy. */
interface Wire extends AsyncDisposable {
  readonly ours: Tapped<Contender>;
  readonly plain: Tapped<Contender>;
  readonly returning: Tapped<MCPWebSocketClient>;
  readonly bare: Proxy;
}

/**
 * What is on the wire, frames and TCP's payload: what a request and its answer
 * take, acknowledgements included, and how fast a session comes back.
 *
 * @param stage Where the connections stay.
 * @param scale How much is measured.
 * @returns The figures, in the order of the table.
 */
export function wireFigures(stage: Stage, scale: Scale): Job[] {
  const server = stage.lazy(() => ServerProcess.start());
  const wire = stage.lazy(async () => await openWire((await server()).addresses));
  const params = echoParams(100);
  const many = scaled(6_400, scale);
  const few = scaled(5, scale);
  const lost = scaled(1_000, scale);

  const busy = async (side: Contender) => {
    await measureThroughput(() => side.request(params), many, 64);
    return many;
  };
  const idle = async (side: Contender) => {
    for (let i = 0; i < few; i++) {
      await side.request(params);
      await delay(PAUSE);
    }
    return few;
  };
  const figures: Figure[] = [
    bytes("wire, 100 B, 64 in flight", "up", busy),
    bytes("wire, answer, 64 in flight", "down", busy),
    bytes("wire, 100 B, one in 0.3 s", "up", idle),
    bytes("wire, answer, one in 0.3 s", "down", idle),
    {
      name: "resume, replay of 1,000 messages",
      unit: "ms",
      over: "bowline.v1",
      against: "bare dial, send 1,000",
      goals: [below(20)],
      pairs: Math.ceil(scale.pairs / 2),
      warmUps: 3,
      ours: async () => await measureReplay((await wire()).returning, lost),
      floor: async () => await measureFreshStart((await wire()).bare.url, lost),
    },
  ];
  return figures.map(figureJob);

  function bytes(
    name: string,
    way: "up" | "down",
    send: (side: Contender) => Promise<number>,
  ): Figure {
    const block = async ({ proxy, side }: Tapped<Contender>) => {
      const before = proxy[way];
      const calls = await send(side);
      await delay(QUIET);
      return (proxy[way] - before) / calls;
    };
    return {
      name,
      unit: "B",
      over: "bowline.v1",
      against: "plain mcp",
      goals: [],
      pairs: Math.min(3, scale.pairs),
      warmUps: 1,
      ours: async () => await block((await wire()).ours),
      floor: async () => await block((await wire()).plain),
    };
  }
}

async function openWire(addresses: Addresses): Promise<Wire> {
  const stack = new AsyncDisposableStack();
  const tap = async <Side extends AsyncDisposable>(open: (url: string) => Promise<Side>) => {
    const proxy = stack.use(new Proxy(addresses.ours));
    return { proxy, side: stack.use(await open(proxy.url)) };
  };
  return {
    ours: await tap((url) => openOurs(url)),
    plain: await tap(openPlain),
    returning: await tap((url) => openSession(url)),
    bare: stack.use(new Proxy(addresses.floor)),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

/**
 * Messages that the network swallows before it breaks: from the break until
 * the server has handled them all. The random pause before a dial is left out.
 */
async function measureReplay(
  { side: client, proxy }: Tapped<MCPWebSocketClient>,
  count: number,
): Promise<number> {
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
