import { delay } from "@std/async/delay";
import { connectionLimit, Crowd, type CrowdSide } from "./crowd.ts";
import { atLeast } from "./goals.ts";
import { type Job, type Scale, scaled, surveyJob } from "./jobs.ts";
import type { Label } from "./ratios.ts";
import type { Stage } from "./stage.ts";

/** What both compare. */
const SIDES = { over: "bowline.v1", against: "bare socket" } as const;
/** Until the acknowledgements of a broadcast have been sent, which takes 200 ms. */
const QUIET = 300;
/** How long a block of load lasts. */
const SECONDS = 3;
/** Receivers of a broadcast. */
const RECEIVERS = 5_000;
/** Clients that are at work. */
const WORKERS = 1_000;

/**
 * Telling 5,000 connections something: until all have it, and how long the
 * server is busy with it. Both sides are connected to one server.
 *
 * @param stage Where the connections stay.
 * @param scale How much is measured.
 * @returns The figures.
 */
export function broadcastFigures(stage: Stage, scale: Scale): Job[] {
  const count = Math.min(scaled(RECEIVERS, scale), Math.floor(connectionLimit().sockets / 2));
  const crowd = openCrowd(stage, count);
  const to = `broadcast to ${count.toLocaleString("en")}`;
  const block = (side: CrowdSide) => async () => {
    const all = await crowd();
    const before = await all.cpuTimes();
    const { sent, heard } = await all.broadcast(side);
    await delay(QUIET);
    const after = await all.cpuTimes();
    return [
      count / heard * 1_000,
      count / sent * 1_000,
      (after.server - before.server) / count,
      (after.clients - before.clients) / count,
    ];
  };
  return [surveyJob({
    labels: [
      { name: `${to}, until all have it`, unit: "/s", ...SIDES, goals: [atLeast(0.9)] },
      { name: `${to}, send loop alone`, unit: "/s", ...SIDES, goals: [atLeast(0.9)] },
      { name: `${to}, server CPU of each`, unit: "µs", ...SIDES, goals: [] },
      { name: `${to}, client CPU of each`, unit: "µs", ...SIDES, goals: [] },
    ],
    pairs: Math.ceil(scale.pairs / 2),
    warmUps: 3,
    ours: block("ours"),
    floor: block("floor"),
  })];
}

/**
 * 1,000 clients that send ten requests a second each: how long those take,
 * and the processor time of both ends for one of them.
 *
 * @param stage Where the connections stay.
 * @param scale How much is measured.
 * @returns The figures.
 */
export function loadFigures(stage: Stage, scale: Scale): Job[] {
  const count = Math.min(scaled(WORKERS, scale), Math.floor(connectionLimit().sockets / 2));
  const crowd = openCrowd(stage, count);
  const name = (what: string) => `${count.toLocaleString("en")} clients × 10 requests/s, ${what}`;
  const time = (what: string): Label => ({ name: name(what), unit: "ms", ...SIDES, goals: [] });
  const cpu = (what: string): Label => ({ name: name(what), unit: "µs", ...SIDES, goals: [] });
  return [surveyJob({
    labels: [
      ...["p50", "p95", "p99", "p99.9"].map(time),
      ...["server CPU per request", "client CPU per request"].map(cpu),
    ],
    pairs: Math.ceil(scale.pairs / 6),
    warmUps: 1,
    ours: async () =>
      await measureBusy(await crowd(), "ours", Math.max(0.1, SECONDS * scale.calls)),
    floor: async () =>
      await measureBusy(await crowd(), "floor", Math.max(0.1, SECONDS * scale.calls)),
  })];
}

async function measureBusy(crowd: Crowd, side: CrowdSide, seconds: number): Promise<number[]> {
  const before = await crowd.cpuTimes();
  const { p50, p95, p99, p999, count } = await crowd.load(side, seconds);
  const after = await crowd.cpuTimes();
  return [
    p50,
    p95,
    p99,
    p999,
    (after.server - before.server) / count,
    (after.clients - before.clients) / count,
  ];
}

function openCrowd(stage: Stage, count: number): () => Promise<Crowd> {
  return stage.lazy(async () => {
    const crowd = await Crowd.start();
    await crowd.grow("floor", count);
    await crowd.grow("ours", count);
    return crowd;
  });
}
