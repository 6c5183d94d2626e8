// deno-lint-ignore-file no-console -- figures are part of what this test tells
/**
 * Half an hour's worth of traffic as fast as it goes: with `BOWLINE_SOAK=full`
 * (`deno task soak`) that of 100 clients, otherwise of 5 that are less busy.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import type { Memory } from "../chaos/support/memory.ts";
import { type Bounds, growthOf, mebi } from "./_growth.ts";
import { type Point, soak, type Traffic } from "./_soak.ts";

const MIB = 1024 * 1024;
/**
 * The runtime's buffers of a connection grow with what has been under way at the
 * same time, up to some 3 MiB, and are freed with it; those of bare sockets do, too.
 */
const RSS = 20 * MIB;
const RSS_OF_CONNECTION = MIB;

/** How much passes, and how much of it may stay behind. */
interface Scale extends Traffic {
  readonly bounds: Bounds;
}

const SHORT: Scale = {
  clients: 5,
  requestsAMinute: 480,
  bounds: { rise: 0.6 * MIB, drift: 2 * MIB, rss: RSS + 5 * RSS_OF_CONNECTION },
};
const FULL: Scale = {
  clients: 100,
  requestsAMinute: 600,
  bounds: { rise: 5 * MIB, drift: 10 * MIB, rss: RSS + 100 * RSS_OF_CONNECTION },
};

const { bounds, ...traffic } = Deno.env.get("BOWLINE_SOAK") === "full" ? FULL : SHORT;
const { clients } = traffic;

Deno.test(`half an hour's worth of traffic of ${clients} clients leaves nothing behind at either end`, async () => {
  const { points, tally, end, complaints } = await soak(traffic);
  print(points);
  console.log(tally);

  assertEquals([tally.failures, complaints], [new Map(), []]);
  // Each request reached a handler once, and was answered or given up once.
  const { requests, answered, cancelled } = tally;
  assertEquals([answered + cancelled, end.counts.handled], [requests, requests]);
  assertEquals([end.counts.cancelled, end.counts.errors], [cancelled, 0]);
  const quiet = { detached: 0, running: 0, buffered: 0 };
  for (const { server } of points) assertEquals(server.gauges, { connections: clients, ...quiet });
  assertEquals(end.gauges, { connections: 0, ...quiet });
  assertEquals([
    ...growthOf("clients", points.map(({ client }) => client), bounds),
    ...growthOf("server", points.map(({ server }) => server.memory), bounds),
  ], []);
});

/** The points as a table of Markdown. */
function print(points: readonly Point[]): void {
  const ends = ["clients", "server"].map((end) => `${end}: heap | rss | external`);
  console.log(`| requests | ${ends.join(" | ")} |\n|---|---|---|---|---|---|---|`);
  for (const { requests, client, server } of points) {
    console.log(`| ${requests} | ${cells(client)} | ${cells(server.memory)} |`);
  }
}

function cells({ heapUsed, rss, external }: Memory): string {
  return [heapUsed, rss, external].map(mebi).join(" | ");
}
