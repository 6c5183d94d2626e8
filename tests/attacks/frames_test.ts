// deno-lint-ignore-file no-console -- figures are part of what these tests tell
import { assert, assertEquals } from "@std/assert";
import { deflateRawSync } from "node:zlib";
import { OPCODES } from "../support/raw_socket.ts";
import { openArena } from "./support/arena.ts";
import { frameBytes } from "./support/frames.ts";
import { Victim } from "./support/victim_process.ts";

const MIB = 1024 * 1024;
/** Small to send, large when inflated. */
const BOMB = deflateRawSync(new Uint8Array(64 * MIB));

Deno.test("permessage-deflate is not negotiated, and a compressed frame ends its connection", async () => {
  await using arena = await openArena();
  const attacker = await arena.connectRaw();
  const { status, headers } = await attacker.upgrade({
    "Sec-WebSocket-Protocol": "mcp",
    "Sec-WebSocket-Extensions": "permessage-deflate; client_max_window_bits",
  });
  assertEquals(status, 101);
  assertEquals(headers.get("Sec-WebSocket-Extensions"), null);
  await attacker.send({ payload: new Uint8Array(BOMB), rsv: 4 });
  await attacker.readEnd();
  await arena.end();
});

Deno.test("a deflate bomb in a binary frame closes with 1003 over mcp, and ends a session", async () => {
  await using arena = await openArena();
  const plain = await (await arena.connectRaw()).open();
  await plain.send({ opcode: OPCODES.BINARY, payload: new Uint8Array(BOMB) });
  assertEquals((await plain.readEnd()).code, 1003);
  const session = await arena.connectRaw();
  await session.openSession({ accept: ["deflate-raw"] });
  await session.send({ opcode: OPCODES.BINARY, payload: new Uint8Array([1, ...BOMB]) });
  assertEquals(JSON.parse(await session.readText())[1].code, 4400);
  await arena.end(session.token);
});

Deno.test("a frame that claims a terabyte ends its connection, one that claims 60 MiB costs nothing", async () => {
  const victim = await Victim.open();
  await using arena = await openArena({ ground: victim });
  const before = await victim.rss();
  const liar = await (await arena.connectRaw()).open();
  await liar.send({ claimed: 2 ** 40 });
  await liar.readEnd();
  for (let i = 0; i < 20; i++) {
    const patient = await (await arena.connectRaw()).open();
    await patient.send({ claimed: 60 * MIB });
  }
  await arena.served(10);
  const growth = await victim.rss() - before;
  console.log({ growth: `${(growth / MIB).toFixed(1)} MiB` });
  assert(growth < 100 * MIB, `It grew by ${growth}`);
  await arena.end();
});

Deno.test("control frames that break the rules end their connection alone", async () => {
  await using arena = await openArena();
  const frames = [
    { opcode: OPCODES.PING, payload: "x".repeat(126) },
    { opcode: OPCODES.PING, fin: false },
    { opcode: OPCODES.CLOSE, payload: new Uint8Array([1]) },
    { opcode: OPCODES.CLOSE, payload: new Uint8Array([0x03, 0xed]) },
    { opcode: 3 },
    { opcode: 11 },
    { opcode: 0, payload: "goes on with nothing" },
    { payload: new Uint8Array([0xc3, 0x28]) },
    { rsv: 1 },
  ];
  for (const frame of frames) {
    const attacker = await (await arena.connectRaw()).open();
    await attacker.send(frame);
    await attacker.readEnd();
  }
  await arena.end();
});

Deno.test("100,000 pings are answered or not, but nobody else is kept waiting", async () => {
  await using arena = await openArena();
  const attacker = await (await arena.connectRaw()).open();
  const bytes = new Uint8Array(1_000 * 6);
  for (let i = 0; i < 1_000; i++) bytes.set(frameBytes({ opcode: OPCODES.PING }), i * 6);
  const end = attacker.readEnd();
  for (let i = 0; i < 100; i++) await attacker.write(bytes);
  await attacker.send({ opcode: OPCODES.CLOSE, payload: new Uint8Array([0x03, 0xe8]) });
  assertEquals((await end).code, 1000);
  await arena.end();
});
