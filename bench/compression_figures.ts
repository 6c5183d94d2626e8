import { MCPWebSocketClient } from "@bowline/mcp-websocket/client";
import { delay } from "@std/async/delay";
import { measureLatency } from "./blocks.ts";
import { atMost, belowFloorPlus } from "./goals.ts";
import { figureJob, type Job, type Scale, scaled } from "./jobs.ts";
import { Proxy } from "./proxy.ts";
import type { Figure } from "./ratios.ts";
import { ServerProcess } from "./server_process.ts";
import type { Stage } from "./stage.ts";

/** Until all of an answer has come through the proxy, in milliseconds. */
const QUIET = 50;

/** A client, and the proxy it dials through. */
interface Tapped {
  readonly client: MCPWebSocketClient;
  readonly proxy: Proxy;
}

/**
 * A `tools/list` of 64 KiB, deflated and not: what is on the wire, and how long
 * it takes on loopback, where the bytes that are saved gain nothing.
 *
 * @param stage Where the connections stay.
 * @param scale How much is measured.
 * @returns The figures, in the order of the table.
 */
export function compressionFigures(stage: Stage, scale: Scale): Job[] {
  const server = stage.lazy(() => ServerProcess.start());
  const open = (isDeflated: boolean) =>
    stage.lazy(async () => await openTapped((await server()).addresses.ours, isDeflated));
  const sides = { ours: open(true), floor: open(false) };
  const figures: Figure[] = [
    {
      ...figure("B", "wire, tools/list of 64 KiB", [atMost(0.1)]),
      pairs: Math.min(3, scale.pairs),
      ...both(measureBytes),
    },
    {
      ...figure("ms", "tools/list of 64 KiB, p50", [belowFloorPlus(1)]),
      pairs: scale.pairs,
      ...both(({ client }) =>
        measureLatency(() => client.request("tools/list"), scaled(50, scale))
      ),
    },
  ];
  return figures.map(figureJob);

  function figure(unit: Figure["unit"], name: string, goals: Figure["goals"]) {
    return {
      name,
      unit,
      over: "bowline.v1",
      against: "not compressed",
      goals,
      warmUps: 2,
    } as const;
  }

  function both(block: (side: Tapped) => Promise<number>): Pick<Figure, "ours" | "floor"> {
    return {
      ours: async () => await block(await sides.ours()),
      floor: async () => await block(await sides.floor()),
    };
  }
}

/** What one answer takes, in bytes. */
async function measureBytes({ client, proxy }: Tapped): Promise<number> {
  await delay(QUIET);
  const before = proxy.down;
  await client.request("tools/list");
  await delay(QUIET);
  return proxy.down - before;
}

async function openTapped(url: string, isDeflated: boolean): Promise<Tapped & AsyncDisposable> {
  const proxy = new Proxy(url);
  const client = new MCPWebSocketClient(proxy.url, {
    era: "legacy",
    require: "bowline.v1",
    compression: isDeflated ? { loopback: true } : false,
  });
  await client.connect();
  return {
    client,
    proxy,
    async [Symbol.asyncDispose](): Promise<void> {
      await client.disconnect();
      await proxy[Symbol.asyncDispose]();
    },
  };
}
