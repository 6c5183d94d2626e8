import { delay } from "@std/async/delay";
import { MCPWebSocketClient } from "@bowline/mcp-websocket/client";
import { Child } from "./child.ts";
import { FloorClient } from "./floor.ts";
import { atMost, type Goal } from "./goals.ts";
import { figureJob, type Job, type Scale, scaled } from "./jobs.ts";
import { DOWN, type LargeAddresses, ROOM, SMALL, UP } from "./large_messages.ts";
import type { Figure } from "./ratios.ts";
import type { Stage } from "./stage.ts";
import { median } from "./statistics.ts";

/** One side of the comparison: a session, or a bare socket. */
type Side = Pick<FloorClient, "request">;

const MIB = 2 ** 20;
/** More than a bare socket of Deno takes in one frame, in bytes. */
const HUGE = 100_000_000;
const SIDES = { over: "bowline.v1", against: "bare socket, one frame" } as const;

/**
 * Large messages, in a session and on a bare socket, with a server process of
 * their own: its limits are raised. Times include the callers'
 * `JSON.stringify` and `JSON.parse` on both sides.
 *
 * @param stage Where the connections stay.
 * @param scale How much is measured.
 * @returns The figures, in the order of the table.
 */
export function largeFigures(stage: Stage, scale: Scale): Job[] {
  const server = stage.lazy(() => Child.startScript<LargeAddresses>("large_server.ts"));
  const ours = stage.lazy(async () => await openOurs((await server()).hello.ours));
  const floor = stage.lazy(async () => await FloorClient.open((await server()).hello.floor));
  const figures: Figure[] = [
    ...bothWays("1 MiB", MIB, 20, []),
    ...bothWays("10 MiB", 10 * MIB, 4, [atMost(1.25)]),
    ...bothWays("60 MiB", 60 * MIB, 1, [atMost(1.15)]),
    {
      ...figure("100 MB result", [atMost(1.25)]),
      against: "bare socket, two frames",
      ours: async () => await measureResults(await ours(), [HUGE]),
      floor: async () => await measureResults(await floor(), [HUGE / 2, HUGE / 2]),
    },
    {
      ...figure("small request beside 60 MiB, p50", [atMost(0.1)]),
      ours: async () => await measureBeside(await ours(), 60 * MIB),
      floor: async () => await measureBeside(await floor(), 60 * MIB),
    },
  ];
  return figures.map(figureJob);

  function figure(name: string, goals: readonly Goal[]) {
    return {
      name,
      unit: "ms",
      ...SIDES,
      goals,
      pairs: Math.ceil(scale.pairs / 3),
      warmUps: 2,
    } as const;
  }

  function bothWays(
    size: string,
    bytes: number,
    calls: number,
    goals: readonly Goal[],
  ): Figure[] {
    const ways = [
      { name: `${size} message, up`, method: UP, params: { data: "x".repeat(bytes) } },
      { name: `${size} message, down`, method: DOWN, params: { units: bytes } },
    ];
    return ways.map(({ name, method, params }) => {
      const block = (side: Side) =>
        measureTime(() => side.request(method, params), scaled(calls, scale));
      return {
        ...figure(name, goals),
        ours: async () => await block(await ours()),
        floor: async () => await block(await floor()),
      };
    });
  }
}

/** The mean time of calls, one after the other. */
async function measureTime(call: () => Promise<unknown>, calls: number): Promise<number> {
  const startedAt = performance.now();
  for (let i = 0; i < calls; i++) await call();
  return (performance.now() - startedAt) / calls;
}

/** The time until results of these sizes are here, asked for at once. */
function measureResults(side: Side, sizes: readonly number[]): Promise<number> {
  const call = () => Promise.all(sizes.map((units) => side.request(DOWN, { units })));
  return measureTime(call, 1);
}

/** The median time of small requests, one after the other, until a large result is here. */
async function measureBeside(side: Side, units: number): Promise<number> {
  const times: number[] = [];
  let isDone = false;
  const large = side.request(DOWN, { units }).then(() => isDone = true);
  while (!isDone) {
    const startedAt = performance.now();
    await side.request(SMALL, {});
    times.push(performance.now() - startedAt);
    await delay(1);
  }
  await large;
  return median(times);
}

/** A session with limits that let large messages through. */
async function openOurs(url: string): Promise<Side & AsyncDisposable> {
  const client = new MCPWebSocketClient(url, {
    era: "legacy",
    require: "bowline.v1",
    maxSendBytes: ROOM,
    maxReceiveBytes: ROOM,
  });
  await client.connect();
  return {
    request: (method, params) => client.request(method, params as Record<string, unknown>),
    [Symbol.asyncDispose]: () => client.disconnect(),
  };
}
