import {
  measureLatency,
  measureNotifications,
  measureOpening,
  measureThroughput,
} from "./blocks.ts";
import {
  type Contender,
  createContenders,
  type Open,
  openAndAsk,
  openFloor,
  openOurs,
  openSession,
  openTransport,
  openUnixFloor,
} from "./contenders.ts";
import { FloorClient } from "./floor.ts";
import { atLeast, atMost, below, belowFloorPlus } from "./goals.ts";
import { figureJob, type Job, type Scale, scaled } from "./jobs.ts";
import { echoParams } from "./messages.ts";
import type { Figure } from "./ratios.ts";
import type { Addresses } from "./server_process.ts";
import type { Stage } from "./stage.ts";

/** What most figures compare. */
const SIDES = { over: "bowline.v1", against: "bare socket" } as const;

/**
 * All that is held against the bare socket.
 *
 * @param stage Where the contenders stay.
 * @param scale How much is measured.
 * @returns The figures, in the order of the table.
 */
export function floorFigures(stage: Stage, scale: Scale): Job[] {
  const contenders = createContenders(stage);
  const unix = stage.lazy(async () => {
    return await openUnixFloor((await contenders.server()).addresses.unix);
  });
  const { pairs } = scale;
  const fewer = Math.ceil(pairs / 3);
  const all: Figure[] = [
    throughput(64, 3_200, [atLeast(1)]),
    throughput(1_024, 10_240, [atLeast(1.5)]),
    {
      name: "notifications, one way, 100 B",
      unit: "/s",
      ...SIDES,
      goals: [atLeast(2)],
      pairs,
      warmUps: 5,
      ...both((side) => measureNotifications(side, count(10_000), 100)),
    },
    throughput(1, 1_000, []),
    roundTrip("100 B", 100, 500, pairs, [below(3), atMost(1.1)]),
    roundTrip("1,000 B", 1_000, 500, pairs, [below(3), atMost(1.1)]),
    roundTrip("1 KiB", 1_024, 500, pairs, [below(3)]),
    {
      ...roundTrip("10 KiB", 10_240, 500, fewer, [below(3), below(0.3)]),
      floor: async () => await measureStall(await contenders.floor()),
    },
    roundTripBesideUnix(10_240),
    roundTrip("100 KiB", 102_400, 50, pairs, [below(3)]),
    opening("connect, transport", 20, openTransport, FloorClient.open, [below(100), atMost(1.5)]),
    opening("connect, usable session", 5, openSession, FloorClient.open, [
      below(100),
      belowFloorPlus(10),
    ]),
    opening("connect to first answer", 5, openAndAsk(openOurs), openAndAsk(openFloor), [
      below(100),
      belowFloorPlus(10),
    ]),
  ];
  return all.map(figureJob);

  async function addresses(): Promise<Addresses> {
    return (await contenders.server()).addresses;
  }

  function count(calls: number): number {
    return scaled(calls, scale);
  }

  function both(
    block: (side: Contender) => Promise<number>,
    against = contenders.floor,
  ): Pick<Figure, "ours" | "floor"> {
    return {
      ours: async () => await block(await contenders.ours()),
      floor: async () => await block(await against()),
    };
  }

  /** Sockets leave ports behind that cannot be used for a minute: 10 per block must do. */
  function opening(
    name: string,
    warmUps: number,
    ours: Open,
    floor: Open,
    goals: Figure["goals"],
  ): Figure {
    return {
      name,
      unit: "ms",
      ...SIDES,
      goals,
      pairs,
      warmUps,
      ours: async () => measureOpening(ours, (await addresses()).ours, count(10)),
      floor: async () => measureOpening(floor, (await addresses()).floor, count(10)),
    };
  }

  /** The floor takes 44 ms for each. */
  async function measureStall(floor: Contender): Promise<number> {
    const params = echoParams(10_240);
    return await measureLatency(() => floor.request(params), 3);
  }

  /** The same bytes where a bare socket does not stall. */
  function roundTripBesideUnix(bytes: number): Figure {
    const params = echoParams(bytes);
    return {
      name: "round trip p50, 10 KiB, unix socket beside",
      unit: "ms",
      over: "bowline.v1",
      against: "bare unix socket",
      goals: [below(0.3), atMost(1.5)],
      pairs,
      warmUps: 5,
      ...both((side) => measureLatency(() => side.request(params), count(200)), unix),
    };
  }

  function roundTrip(
    size: string,
    bytes: number,
    calls: number,
    pairs: number,
    goals: Figure["goals"],
  ): Figure {
    const params = echoParams(bytes);
    return {
      name: `round trip p50, ${size}`,
      unit: "ms",
      ...SIDES,
      goals,
      pairs,
      warmUps: 5,
      ...both((side) => measureLatency(() => side.request(params), count(calls))),
    };
  }

  function throughput(inFlight: number, calls: number, goals: Figure["goals"]): Figure {
    const params = echoParams(100);
    return {
      name: `requests, ${inFlight.toLocaleString("en")} in flight, 100 B`,
      unit: "/s",
      ...SIDES,
      goals,
      pairs,
      warmUps: 10,
      ...both((side) => measureThroughput(() => side.request(params), count(calls), inFlight)),
    };
  }
}
