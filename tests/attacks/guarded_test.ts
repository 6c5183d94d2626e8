// deno-lint-ignore-file no-console -- figures are part of what these tests tell
import { assert, assertEquals } from "@std/assert";
import { OPCODES } from "../support/raw_socket.ts";
import { type Arena, openArena } from "./support/arena.ts";
import { connectMany } from "./support/crowd.ts";
import { frameBytes } from "./support/frames.ts";
import { handshakeText } from "./support/intruder.ts";
import { Victim } from "./support/victim_process.ts";

const MIB = 1024 * 1024;

/** The same attacks as without a guard; here they meet one. */
async function openGuarded(guard: Record<string, unknown>): Promise<[Arena, Victim]> {
  const victim = await Victim.open({ guard });
  return [await openArena({ ground: victim }), victim];
}

Deno.test("behind a guard, fragments that never end are cut off at the size of a message", async () => {
  const [arena, victim] = await openGuarded({});
  await using _ = arena;
  const before = await victim.rss();
  const fragment = frameBytes({ opcode: 0, fin: false, payload: new Uint8Array(MIB).fill(120) });
  const attacker = await (await arena.connectRaw()).open();
  await attacker.send({ opcode: OPCODES.TEXT, fin: false, payload: "{" });
  // What comes after it was told to leave is read, and thrown away.
  const end = attacker.readEnd();
  let sent = 0;
  while (sent < 128 * MIB && await attacker.offer(fragment)) sent += MIB;
  const growth = await victim.rss() - before;
  console.log({ sent: `${sent / MIB} MiB`, growth: `${Math.round(growth / MIB)} MiB` });
  assert([0, 1009].includes((await end).code));
  assert(growth < 96 * MIB, `It grew by ${growth}`);
  await arena.end();
});

Deno.test("behind a guard, a million fragments of one byte are cut off", async () => {
  const [arena] = await openGuarded({});
  await using _ = arena;
  const fragment = frameBytes({ opcode: 0, fin: false, payload: " " });
  const bytes = new Uint8Array(10_000 * fragment.length);
  for (let i = 0; i < 10_000; i++) bytes.set(fragment, i * fragment.length);
  const attacker = await (await arena.connectRaw()).open();
  await attacker.send({ opcode: OPCODES.TEXT, fin: false, payload: "{" });
  const end = attacker.readEnd();
  for (let i = 0; i < 100 && await attacker.offer(bytes); i++);
  assert([0, 1009].includes((await end).code));
  await arena.end();
});

Deno.test("behind a guard, half-open upgrades are ended although their peers stay", async () => {
  const [arena, victim] = await openGuarded({ headerTimeout: 500, acceptsPerSecond: 10_000 });
  await using _ = arena;
  const descriptors = await victim.descriptors();
  const beginnings = ["", "GET /mcp HTTP/1.1\r\nHost: 127", handshakeText().slice(0, -2)];
  const crowd = await connectMany(arena, 900, async (intruder, i) => {
    await intruder.offer(beginnings[i % beginnings.length] ?? "");
  });
  // The guard ends them; nobody here has hung up.
  await Promise.all(crowd.map((intruder) => intruder.readEnd()));
  while (await victim.descriptors() > descriptors + 10) await arena.served(1);
  assertEquals(crowd.length, 900);
  await arena.end();
});

Deno.test("behind a guard, clients that never read are hung up on for real, with all that waits for them", async () => {
  const [arena, victim] = await openGuarded({ writeTimeout: 1_000 });
  await using _ = arena;
  const before = await victim.rss();
  const crowd = await connectMany(arena, 20, (intruder) => intruder.open());
  const request = { method: "tools/call", params: { name: "big", arguments: { bytes: MIB } } };
  for (let id = 0; id < 12; id++) {
    await Promise.all(
      crowd.map((intruder) => intruder.message({ id, ...request }).catch(() => {})),
    );
  }
  await arena.until((levels) => levels.activeConnections === 1);
  const growth = await victim.rss() - before;
  console.log({ growth: `${Math.round(growth / MIB)} MiB` });
  assert(growth < 400 * MIB, `It grew by ${growth}`);
  await arena.end();
});
