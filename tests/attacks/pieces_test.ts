// deno-lint-ignore-file no-console -- figures are part of what these tests tell
import { assert, assertEquals } from "@std/assert";
import { type Arena, openArena } from "./support/arena.ts";
import { frameBytes, joinBytes } from "./support/frames.ts";
import type { Intruder } from "./support/intruder.ts";

/** Sends the same bytes until the server takes no more; returns how many bytes it took. */
async function sendOn(intruder: Intruder, bytes: Uint8Array, limit: number): Promise<number> {
  let sent = 0;
  while (sent < limit && await intruder.offer(bytes)) sent += bytes.length;
  return sent;
}

/** Opens a session, sends pieces for as long as that is possible, and returns what the server said. */
async function attack(arena: Arena, piece: string, limit: number): Promise<unknown[]> {
  const attacker = await arena.connectRaw();
  await attacker.openSession();
  const bytes = joinBytes(Array<Uint8Array>(100).fill(frameBytes({ payload: piece })));
  const said = attacker.readText();
  const sent = await sendOn(attacker, bytes, limit);
  console.log({ sent });
  const [name, { code, reason }] = JSON.parse(await said);
  await arena.assertNoSecrets(attacker.token);
  return [name, code, reason];
}

Deno.test("pieces that never end are taken up to the size of a message, then the session ends", async () => {
  await using arena = await openArena();
  const said = await attack(arena, `+${"x".repeat(64 * 1024)}`, 64 * 2 ** 20);
  assertEquals(said, ["end", 4400, "Message larger than 10485760 bytes"]);
  await arena.end();
});

Deno.test("a million tiny pieces are refused long before the last", async () => {
  await using arena = await openArena();
  const said = await attack(arena, "+x", 7_000_000);
  assertEquals(said, ["end", 4400, "Pieces are too small"]);
  await arena.end();
});

Deno.test("unfinished pieces of 50 connections are forgotten with their sessions", async () => {
  await using arena = await openArena();
  const tokens: string[] = [];
  for (let i = 0; i < 50; i++) {
    const attacker = await arena.connectRaw();
    await attacker.openSession();
    tokens.push(attacker.token);
    for (let n = 0; n < 10; n++) await attacker.text(`+${"x".repeat(100_000)}`);
  }
  await arena.served(3);
  assert((await arena.levels()).activeConnections! >= 51);
  await arena.end(...tokens);
});

Deno.test("a session that says hello for ever, or nothing, is sent away", async () => {
  await using arena = await openArena();
  const babbler = await arena.connectRaw();
  await babbler.openSession({ resume: true });
  await babbler.hello({ token: "x".repeat(43), resume: true, attempt: 2 });
  assertEquals(JSON.parse(await babbler.readText())[0], "welcome");
  await babbler.hello({ token: "y".repeat(43), attempt: 3 });
  assertEquals(JSON.parse(await babbler.readText())[1].code, 4400);
  const holder = await (await arena.connectRaw()).open("bowline.v1");
  await holder.text("+never a hello");
  assertEquals(JSON.parse(await holder.readText())[1].code, 4400);
  await arena.end(babbler.token);
});
