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
  openOurs,
  openPlain,
  openSession,
} from "./contenders.ts";
import { atLeast, atMost } from "./goals.ts";
import { figureJob, type Job, type Scale, scaled } from "./jobs.ts";
import { echoParams } from "./messages.ts";
import type { Figure } from "./ratios.ts";
import type { Stage } from "./stage.ts";

/** What most figures compare: the same client and server without sessions. */
const SIDES = { over: "bowline.v1", against: "plain mcp" } as const;

/**
 * What a session costs, against plain `mcp` of the same client and server.
 *
 * @param stage Where the contenders stay.
 * @param scale How much is measured.
 * @returns The figures, in the order of the table.
 */
export function sessionFigures(stage: Stage, scale: Scale): Job[] {
  const contenders = createContenders(stage);
  const { pairs } = scale;
  const all: Figure[] = [
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
  return all.map(figureJob);

  function count(calls: number): number {
    return scaled(calls, scale);
  }

  function both(block: (side: Contender) => Promise<number>): Pick<Figure, "ours" | "floor"> {
    return {
      ours: async () => await block(await contenders.ours()),
      floor: async () => await block(await contenders.plain()),
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
    const measure = async (open: Open) => {
      return await measureOpening(open, (await contenders.server()).addresses.ours, count(10));
    };
    return {
      name,
      unit: "ms",
      ...SIDES,
      goals: [],
      pairs,
      warmUps: 5,
      ours: () => measure(session),
      floor: () => measure(plain),
    };
  }
}
