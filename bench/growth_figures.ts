import { measureLatency, measureThroughput } from "./blocks.ts";
import { cpuTime } from "./answers.ts";
import { type Contender, createContenders, openFloor, openOurs } from "./contenders.ts";
import { figureJob, type Job, type Scale, scaled } from "./jobs.ts";
import { echoParams } from "./messages.ts";
import type { Figure } from "./ratios.ts";
import type { ServerProcess } from "./server_process.ts";
import type { Stage } from "./stage.ts";

/** What is compared. */
const SIDES = { over: "bowline.v1", against: "bare socket" } as const;
const CONNECTIONS = [1, 10, 100, 1_000];
const IN_FLIGHT = [1, 8, 64, 512, 1_024, 4_096];
/** Sizes of a request, and how many of them make a block: a bare socket takes 44 ms for the middle ones. */
const SIZES = [
  ["100 B", 100, 500],
  ["1 KiB", 1_024, 500],
  ["10 KiB", 10_240, 3],
  ["100 KiB", 102_400, 50],
  ["1 MiB", 1_048_576, 5],
  ["10 MiB", 10_485_760, 1],
] as const;
/** More than a client sends by default. */
const LARGEST = 16 * 1_024 * 1_024;

/** Connections of one side, as many as were asked for so far. */
class Pool implements AsyncDisposable {
  readonly #open: () => Promise<Contender>;
  readonly #members: Contender[] = [];

  constructor(open: () => Promise<Contender>) {
    this.#open = open;
  }

  /** The first so many. */
  async take(count: number): Promise<readonly Contender[]> {
    while (this.#members.length < count) this.#members.push(await this.#open());
    return this.#members.slice(0, count);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#members.map((member) => member[Symbol.asyncDispose]()));
  }
}

/**
 * How costs grow: with the requests in flight, with the size of a message, and
 * with connections that share 64 requests in flight.
 *
 * @param stage Where the contenders stay.
 * @param scale How much is measured.
 * @returns The figures.
 */
export function growthFigures(stage: Stage, scale: Scale): Job[] {
  const contenders = createContenders(stage, { maxSendBytes: LARGEST });
  const pairs = Math.ceil(scale.pairs / 5);
  const pool = (side: "ours" | "floor", open: (url: string) => Promise<Contender>) =>
    stage.lazy(async () => {
      const { addresses } = await contenders.server();
      return new Pool(() => open(addresses[side]));
    });
  const pools = { ours: pool("ours", (url) => openOurs(url)), floor: pool("floor", openFloor) };
  return [
    ...IN_FLIGHT.map(throughput),
    ...SIZES.map(([size, bytes, calls]) => roundTrip(size, bytes, calls)),
    ...CONNECTIONS.map(crowding),
  ].map(figureJob);

  function both(block: (side: Contender) => Promise<number>): Pick<Figure, "ours" | "floor"> {
    return {
      ours: async () => await block(await contenders.ours()),
      floor: async () => await block(await contenders.floor()),
    };
  }

  function throughput(inFlight: number): Figure {
    const params = echoParams(100);
    const calls = scaled(Math.max(1_000, 4 * inFlight), scale);
    return {
      name: `growth: ${inFlight.toLocaleString("en")} in flight, 100 B`,
      unit: "/s",
      ...SIDES,
      goals: [],
      pairs,
      warmUps: 3,
      ...both((side) => measureThroughput(() => side.request(params), calls, inFlight)),
    };
  }

  function roundTrip(size: string, bytes: number, calls: number): Figure {
    const params = echoParams(bytes);
    return {
      name: `growth: ${size}, round trip p50`,
      unit: "ms",
      ...SIDES,
      goals: [],
      pairs,
      warmUps: 1,
      ...both((side) => measureLatency(() => side.request(params), scaled(calls, scale))),
    };
  }

  function crowding(count: number): Figure {
    const calls = scaled(3_200, scale);
    const connections = scaled(count, scale);
    const block = async (pool: Pool) =>
      await measureCpu(await contenders.server(), await pool.take(connections), calls);
    return {
      name: `growth: ${count.toLocaleString("en")} connected, CPU of both ends per request`,
      unit: "µs",
      ...SIDES,
      goals: [],
      pairs,
      warmUps: 3,
      ours: async () => await block(await pools.ours()),
      floor: async () => await block(await pools.floor()),
    };
  }
}

/** Processor time of both ends for a request, 64 in flight over all connections, in microseconds. */
async function measureCpu(
  server: ServerProcess,
  connections: readonly Contender[],
  calls: number,
): Promise<number> {
  const params = echoParams(100);
  let next = 0;
  const before = cpuTime() + await server.cpuTime();
  await measureThroughput(
    async () => await connections[next++ % connections.length]?.request(params),
    calls,
    64,
  );
  return (cpuTime() + await server.cpuTime() - before) / calls;
}
