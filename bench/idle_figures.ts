import { delay } from "@std/async/delay";
import { connectionLimit, Crowd, type CrowdSide, type Memory } from "./crowd.ts";
import { belowFloorPlus } from "./goals.ts";
import { type Job, type Scale, scaled } from "./jobs.ts";
import { judge, type Row } from "./ratios.ts";
import type { Stage } from "./stage.ts";

/** What is compared. */
const SIDES = { over: "bowline.v1", against: "bare socket" } as const;
/** How many connections, where `ulimit -n` allows for the last of them. */
const COUNTS = [1_000, 5_000, 10_000];
/** Connections before the first reading: code that is new, and buffers that are there once, are no session's. */
const FIRST = 100;
/** What a session may cost, in KiB. */
const MEMORY_GOAL = 4;
/** A session is pinged after 25 s of silence, a bare socket by Deno every 15 s: half a minute has both. */
const WINDOW = 30_000;

/** What one side takes. */
interface IdleCost {
  /** Bytes for each connection, for each count of them. */
  readonly memory: readonly Memory[];
  /** Microseconds for each connection and minute. */
  readonly cpu: { readonly server: number; readonly client: number };
}

/**
 * What connections cost that say nothing. Each side has a server process of
 * its own, which has never had another connection.
 *
 * @param _stage Not needed: all is closed at the end.
 * @param scale How much is measured.
 * @returns One job.
 */
export function idleFigures(_stage: Stage, scale: Scale): Job[] {
  const { sockets } = connectionLimit();
  const window = WINDOW * scale.calls;
  const share = Math.min(1, sockets / Math.max(...COUNTS));
  const [first = 1, ...counts] = [FIRST, ...COUNTS].map((count) => {
    return scaled(Math.floor(count * share), scale);
  });
  return [{
    names: counts.map((count) => `idle, ${count.toLocaleString("en")} connections`),
    hasRatio: false,
    hasBound: false,
    async run() {
      const [ours, floor] = await Promise.all([
        measureIdle("ours", first, counts, window),
        measureIdle("floor", first, counts, window),
      ]);
      return toRows(counts, ours, floor);
    },
  }];
}

async function measureIdle(
  side: CrowdSide,
  first: number,
  counts: readonly number[],
  window: number,
): Promise<IdleCost> {
  await using crowd = await Crowd.start();
  await crowd.grow(side, first);
  const before = await crowd.memory();
  const memory: Memory[] = [];
  for (const count of counts) {
    await crowd.grow(side, count);
    const { rss, heapUsed } = await crowd.memory();
    memory.push({
      rss: (rss - before.rss) / (count - first),
      heapUsed: (heapUsed - before.heapUsed) / (count - first),
    });
  }
  return { memory, cpu: await measureRest(crowd, counts.at(-1) ?? 1, window) };
}

async function measureRest(crowd: Crowd, count: number, window: number): Promise<IdleCost["cpu"]> {
  const before = await crowd.cpuTimes();
  const startedAt = performance.now();
  await delay(window);
  const after = await crowd.cpuTimes();
  const minutes = (performance.now() - startedAt) / 60_000;
  return {
    server: (after.server - before.server) / count / minutes,
    client: (after.clients - before.clients) / count / minutes,
  };
}

function toRows(counts: readonly number[], ours: IdleCost, floor: IdleCost): Row[] {
  const kib = (side: IdleCost, kind: keyof Memory, i: number) =>
    (side.memory[i]?.[kind] ?? 0) / 1_024;
  const memory = counts.flatMap((count, i) =>
    (["rss", "heapUsed"] as const).map((kind) =>
      row(`idle, ${count.toLocaleString("en")} connections: ${kind} of each`, "KiB", [
        kib(ours, kind, i),
        kib(floor, kind, i),
      ])
    )
  );
  const last = counts.at(-1)?.toLocaleString("en");
  const cpu = (["server", "client"] as const).map((end) =>
    row(`idle, ${last} connections: ${end} CPU of each and minute`, "µs", [
      ours.cpu[end],
      floor.cpu[end],
    ])
  );
  return [...memory, ...cpu];
}

function row(name: string, unit: "KiB" | "µs", [ours, floor]: readonly [number, number]): Row {
  const goals = unit === "KiB" ? [belowFloorPlus(MEMORY_GOAL, unit)] : [];
  return judge({ name, unit, ...SIDES, goals }, { ours, floor, ratio: undefined });
}
