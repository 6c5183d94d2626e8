// deno-lint-ignore-file no-console -- figures are part of what these tests tell
import { assert, assertEquals } from "@std/assert";
import { openArena } from "./support/arena.ts";
import { connectMany } from "./support/crowd.ts";
import { handshakeText } from "./support/intruder.ts";
import { descriptorLimit, Victim } from "./support/victim_process.ts";

const MIB = 1024 * 1024;
/** What this process needs for itself, in file descriptors. */
const RESERVE = 500;
/** Deno keeps a connection that says nothing for ever: this is what each may cost, in bytes. */
const MAX_COST = 32 * 1024;

/** What half-open peers have said before they stop. */
const BEGINNINGS = [
  "",
  "GET /mcp HTTP/1.1\r\nHost: 127",
  handshakeText().slice(0, -2),
];

Deno.test("10,000 half-open upgrades cost little each, and neither a client nor a newcomer its service", async () => {
  const number = Math.min(10_000, await descriptorLimit() - RESERVE);
  const victim = await Victim.open();
  await using arena = await openArena({ ground: victim });
  const before = await victim.rss();

  const crowd = await connectMany(arena, number, async (intruder, i) => {
    await intruder.write(BEGINNINGS[i % BEGINNINGS.length] ?? "");
  });
  while (await victim.descriptors() < number) await arena.served(1);
  await arena.served(20);
  const cost = (await victim.rss() - before) / number;
  console.log({ number, costEach: `${(cost / 1024).toFixed(1)} KiB` });
  assertEquals(crowd.length, number);
  assert(cost < MAX_COST, `Each costs ${cost} bytes`);

  const newcomer = await (await arena.connectRaw()).open();
  await newcomer.message({ id: 1, method: "ping" });
  assertEquals((await newcomer.readAnswer(1)).result, {});
  await arena.end();
  assert(await victim.rss() < before + number * MAX_COST + 64 * MIB);
});

Deno.test("a half-open upgrade that is completed at last is served", async () => {
  await using arena = await openArena();
  const intruder = await arena.connectRaw();
  for (const character of handshakeText({ "Sec-WebSocket-Protocol": "mcp" })) {
    await intruder.write(character);
  }
  assertEquals((await intruder.readHead()).status, 101);
  await intruder.message({ id: 1, method: "ping" });
  assertEquals((await intruder.readAnswer(1)).result, {});
  await arena.end();
});
