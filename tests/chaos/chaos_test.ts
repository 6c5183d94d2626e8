// deno-lint-ignore-file no-console -- figures are part of what this test tells
import { assert, assertEquals } from "@std/assert";
import { measureMemory } from "./support/memory.ts";
import { Storm, stormyPlan } from "./support/storm.ts";

const REQUESTS = 10_000;
const CUTS = 200;
const CLIENTS = 4;
const MIB = 1024 * 1024;

Deno.test("10,000 concurrent requests each way survive 200 cuts: each once, none lost, in order", async () => {
  const startedAt = performance.now();
  const seconds = () => ((performance.now() - startedAt) / 1_000).toFixed(1);
  await using storm = await Storm.open(CLIENTS);
  const { clients, link } = storm;
  await storm.flood(REQUESTS);
  await storm.quiet();
  const before = await measureMemory();
  console.log(`warm after ${seconds()} s`, before);

  storm.rise(stormyPlan(1));
  await storm.flood(REQUESTS);
  console.log(`flood over after ${seconds()} s`, link.stats);
  await storm.trickle(60, () => link.stats.cuts < CUTS);
  storm.calm();
  await storm.quiet();
  const after = await measureMemory();

  console.log(`over after ${seconds()} s`, link.stats, after);
  for (const { requests, lost, resumed, longestOutage, notesUp, notesDown, errors } of clients) {
    const notes = notesUp.total + notesDown.total;
    console.log({ requests, notes, lost, resumed, longestOutage, errors });
  }
  for (const client of clients) {
    const { requests, handled, answered, asked, told } = client;
    assertEquals(client.errors, new Map());
    for (const counts of [handled, answered, asked, told]) assertEquals(counts.wrong(requests), []);
    assertEquals(client.wrongProgress, 0);
    assertEquals([client.notesUp.total, client.notesUp.faults], [client.notesSent, 0]);
    assertEquals([client.notesDown.total, client.notesDown.faults], [client.notesSentDown, 0]);
    assertEquals(client.sessions, new Set([client.client.transport.session]));
  }
  assertEquals(storm.sessions, clients.length);
  assert(link.stats.cuts >= CUTS);
  assert(
    after.heapUsed - before.heapUsed < 5 * MIB,
    `The heap grew by ${after.heapUsed - before.heapUsed}`,
  );
  assert(after.rss < before.rss * 1.1, `The process grew by ${after.rss - before.rss}`);
});
