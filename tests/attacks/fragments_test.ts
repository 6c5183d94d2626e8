// deno-lint-ignore-file no-console -- figures are part of what these tests tell
import { assert, assertEquals } from "@std/assert";
import { OPCODES } from "../support/raw_socket.ts";
import { openArena } from "./support/arena.ts";
import { frameBytes, joinBytes } from "./support/frames.ts";
import { Victim } from "./support/victim_process.ts";

const MIB = 1024 * 1024;
/** What is sent of a message that never ends. */
const SENT = 128 * MIB;
const FRAGMENT = frameBytes({ opcode: 0, fin: false, payload: new Uint8Array(MIB).fill(120) });

// Deno keeps every fragment until the message is whole, and tells nobody: without a guard
// before it, what one peer can make a server keep has no bound.
Deno.test("fragments that never end are kept by Deno, others are served, and all is given back", async () => {
  const victim = await Victim.open();
  await using arena = await openArena({ ground: victim });
  const before = await victim.rss();
  const attacker = await (await arena.connectRaw()).open();
  await attacker.send({ opcode: OPCODES.TEXT, fin: false, payload: "{" });
  for (let sent = 0; sent < SENT; sent += MIB) await attacker.write(FRAGMENT);
  await arena.served(5);
  const kept = await victim.rss() - before;
  console.log({ kept: `${(kept / MIB).toFixed(0)} MiB of ${SENT / MIB}` });
  assert(kept < 2 * SENT, `It keeps ${kept}`);
  await arena.end();
});

Deno.test("a message in fragments is refused with 1009 once it is whole, if it is too large", async () => {
  const victim = await Victim.open();
  await using arena = await openArena({ ground: victim });
  const attacker = await (await arena.connectRaw()).open();
  await attacker.send({ opcode: OPCODES.TEXT, fin: false, payload: "{" });
  for (let i = 0; i < 16; i++) await attacker.write(FRAGMENT);
  await attacker.send({ opcode: 0, payload: "}" });
  assertEquals((await attacker.readEnd()).code, 1009);
  await arena.end();
});

Deno.test("a million fragments of one byte are one message", async () => {
  await using arena = await openArena({ ground: await Victim.open() });
  const attacker = await (await arena.connectRaw()).open();
  const bytes = joinBytes(
    Array<Uint8Array>(10_000).fill(frameBytes({ opcode: 0, fin: false, payload: " " })),
  );
  await attacker.send({ opcode: OPCODES.TEXT, fin: false, payload: "{" });
  for (let i = 0; i < 100; i++) await attacker.write(bytes);
  await attacker.send({ opcode: 0, payload: '"jsonrpc":"2.0","id":1,"method":"ping"}' });
  assertEquals((await attacker.readAnswer(1)).result, {});
  await arena.end();
});

Deno.test("fragments of 200 connections are given back when these have gone", async () => {
  const victim = await Victim.open();
  await using arena = await openArena({ ground: victim });
  const before = await victim.rss();
  const fragment = frameBytes({ opcode: 0, fin: false, payload: new Uint8Array(64 * 1024) });
  for (let i = 0; i < 200; i++) {
    const attacker = await (await arena.connectRaw()).open();
    await attacker.send({ opcode: OPCODES.TEXT, fin: false, payload: "{" });
    for (let n = 0; n < 4; n++) await attacker.write(fragment);
  }
  await arena.served(5);
  await arena.end();
  const growth = await victim.rss() - before;
  console.log({ growth: `${(growth / MIB).toFixed(0)} MiB` });
  assert(growth < 200 * MIB, `It grew by ${growth}`);
});
