// deno-lint-ignore-file no-console -- figures are part of what these tests tell
import { assert, assertEquals } from "@std/assert";
import { type Arena, openArena } from "./support/arena.ts";
import { connectMany } from "./support/crowd.ts";

/** Statuses, each with how often it came. */
function tally(statuses: readonly number[]): Record<number, number> {
  const counts: Record<number, number> = {};
  for (const status of statuses) counts[status] = (counts[status] ?? 0) + 1;
  return counts;
}

/** Dials as many times, each from the address that is said, and stays. */
async function flood(
  arena: Arena,
  number: number,
  address: (i: number) => string,
  protocol = "mcp",
): Promise<number[]> {
  const statuses: number[] = [];
  await connectMany(arena, number, async (intruder, i) => {
    const headers = { "X-Forwarded-For": address(i), "Sec-WebSocket-Protocol": protocol };
    statuses.push((await intruder.upgrade(headers)).status);
  });
  return statuses;
}

const BEHIND_PROXY = { trustedProxies: { addresses: ["127.0.0.1", "::1"] } };

Deno.test("a flood from one address is refused with 429, and other addresses are let in", async () => {
  await using arena = await openArena({ server: BEHIND_PROXY });
  const counts = tally(await flood(arena, 1_000, () => "203.0.113.7"));
  console.log(counts);
  assertEquals(Object.keys(counts), ["101", "429"]);
  assert((counts[101] ?? 0) <= 100, `${counts[101]} were let in`);
  assertEquals(await flood(arena, 3, (i) => `198.51.100.${i}`), [101, 101, 101]);
  await arena.end();
});

Deno.test("a flood from one IPv6 network is refused with 429, however many addresses it has", async () => {
  await using arena = await openArena({ server: BEHIND_PROXY });
  const counts = tally(await flood(arena, 500, (i) => `2001:db8:1:2::${i.toString(16)}`));
  assert((counts[101] ?? 0) <= 100, `${counts[101]} were let in`);
  assertEquals(await flood(arena, 1, () => "2001:db8:9:9::1"), [101]);
  await arena.end();
});

Deno.test("who comes from no proxy is not believed about its address", async () => {
  await using arena = await openArena({
    server: { trustedProxies: { addresses: ["192.0.2.1"] }, maxConnections: 4 },
  });
  const statuses = await flood(arena, 20, (i) => `203.0.113.${i}`);
  assertEquals(tally(statuses), { 101: 3, 503: 17 });
  await arena.end();
});

Deno.test("a flood of connections that never say hello is bounded, and none of them stays", async () => {
  await using arena = await openArena();
  const counts = tally(await flood(arena, 1_500, () => "", "bowline.v1"));
  console.log(counts);
  assertEquals(Object.keys(counts), ["101", "503"]);
  assert((counts[101] ?? 0) <= 1_100, `${counts[101]} were let in`);
  await arena.served(5);
  await arena.end();
});

Deno.test("places are given back on every path: 300 connections of one address in turn find room", async () => {
  const admission = { upgradesPerAddress: false, maxConnectionsPerAddress: 3 } as const;
  await using arena = await openArena({ server: { ...BEHIND_PROXY, admission } });
  const headers = { "X-Forwarded-For": "203.0.113.7" };
  for (let i = 0; i < 300; i++) {
    const intruder = await arena.connectRaw();
    // Some are refused, some leave without a word, some break the protocol.
    if (i % 3 === 0) await intruder.upgrade({ ...headers, "Sec-WebSocket-Version": "8" });
    else if (i % 3 === 1) await intruder.open("mcp", headers);
    else {
      await intruder.open("bowline.v1", headers);
      await intruder.text("no hello");
      await intruder.readText();
    }
    intruder.close();
    await arena.until((levels) => levels.activeConnections === 1);
  }
  await arena.end();
});
