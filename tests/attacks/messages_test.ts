// deno-lint-ignore-file no-console -- figures are part of what these tests tell
import { assert, assertEquals } from "@std/assert";
import { STRANGERS } from "../../server/mod.ts";
import { openArena } from "./support/arena.ts";
import { frameBytes, joinBytes } from "./support/frames.ts";
import { Victim } from "./support/victim_process.ts";

const MIB = 1024 * 1024;
/** As many frames as leave with one write. */
const FRAMES = 5_000;
/** What there may be too much of: what it is called, and the notifications that are sent. */
const FLOODS = [
  ["messages", "notifications/note", "x"],
  ["bytes", "notifications/note", "x".repeat(100_000)],
] as const;

/** A message many times, as bytes of frames; as many of them as fit, if there is a limit. */
function manyFrames(message: unknown, limit = Infinity): Uint8Array<ArrayBuffer> {
  const frame = frameBytes({ payload: JSON.stringify(message) });
  const count = Math.min(FRAMES, Math.floor(limit / frame.length));
  return joinBytes(Array<Uint8Array>(count).fill(frame));
}

/** A text of brackets, so many bytes long. */
function nested(bytes: number): string {
  return "[".repeat(bytes / 2) + "]".repeat(bytes / 2);
}

Deno.test("500,000 notifications at once do not keep others from being served", async () => {
  await using arena = await openArena({ ground: await Victim.open() });
  const flooder = await (await arena.connectRaw()).open();
  const bytes = manyFrames({ jsonrpc: "2.0", method: "notifications/note", params: { i: 1 } });
  const startedAt = performance.now();
  for (let sent = 0; sent < 500_000; sent += FRAMES) await flooder.write(bytes);
  await flooder.message({ id: "last", method: "ping" });
  assertEquals((await flooder.readAnswer("last")).result, {});
  const seconds = (performance.now() - startedAt) / 1_000;
  console.log({ perSecond: Math.round(500_000 / seconds) });
  await arena.end();
});

Deno.test("200,000 requests at once, whose answers are read, do not keep others from being served", async () => {
  await using arena = await openArena({ ground: await Victim.open() });
  const flooder = await (await arena.connectRaw()).open();
  const bytes = manyFrames({ jsonrpc: "2.0", id: 1, method: "ping" });
  const end = flooder.readEnd();
  for (let sent = 0; sent < 200_000; sent += FRAMES) await flooder.write(bytes);
  await arena.served(5);
  await flooder.send({ opcode: 8, payload: new Uint8Array([0x03, 0xe8]) });
  assertEquals((await end).code, 1000);
  await arena.end();
});

for (const protocol of ["mcp", "bowline.v1"] as const) {
  for (const [what, method, text] of FLOODS) {
    Deno.test(`a flood of ${what} over ${protocol} is cut off with 4429 where rates are bounded`, async () => {
      const ground = await Victim.open({ server: { ...STRANGERS } });
      await using arena = await openArena({ ground });
      const flooder = await arena.connectRaw();
      if (protocol === "mcp") await flooder.open();
      else await flooder.openSession();
      const bytes = manyFrames({ jsonrpc: "2.0", method, params: { text } }, MIB);
      const end = flooder.readEnd();
      for (let sent = 0; sent < 64 * MIB && await flooder.offer(bytes); sent += bytes.length);
      // The client may see a reset instead: what it had sent was not read any more.
      await arena.logged(protocol === "mcp" ? "closed with 4429" : "lost its connection: 4429");
      flooder.close();
      await end;
      await arena.end(flooder.token);
    });
  }

  Deno.test(`1 MB of nested arrays in a request is answered with an error over ${protocol}`, async () => {
    await using arena = await openArena();
    const attacker = await arena.connectRaw();
    if (protocol === "mcp") await attacker.open();
    else await attacker.openSession();
    const args = `{"name":"canary","arguments":{"i":${nested(MIB)}}}`;
    await attacker.text(`{"jsonrpc":"2.0","id":7,"method":"tools/call","params":${args}}`);
    const answer = await attacker.readAnswer(7);
    assertEquals(answer.error.code, -32600);
    await attacker.message({ id: 8, method: "ping" });
    assertEquals((await attacker.readAnswer(8)).result, {});
    await arena.end(attacker.token);
  });
}

Deno.test("1 MB of nested arrays is answered with one error over mcp, and ends a session", async () => {
  await using arena = await openArena();
  const plain = await (await arena.connectRaw()).open();
  await plain.text(nested(MIB));
  assert([-32600, -32700].includes(JSON.parse(await plain.readText()).error.code));
  const session = await arena.connectRaw();
  await session.openSession();
  await session.text(nested(MIB));
  const [name, { code }] = JSON.parse(await session.readText());
  assertEquals([name, code], ["end", 4400]);
  await arena.end(session.token);
});

Deno.test("a batch of a million requests is answered with one error over mcp, and ends a session", async () => {
  await using arena = await openArena();
  const batch = `[${'{"jsonrpc":"2.0","id":1,"method":"ping"},'.repeat(200_000)}1]`;
  const million = `[${"{},".repeat(999_999)}{}]`;
  const plain = await (await arena.connectRaw()).open();
  for (const text of [batch, million]) {
    await plain.text(text);
    assertEquals(JSON.parse(await plain.readText()).error.code, -32600);
  }
  await plain.message({ id: 1, method: "ping" });
  assertEquals(JSON.parse(await plain.readText()).id, 1);
  const session = await arena.connectRaw();
  await session.openSession();
  await session.text(million);
  assertEquals(JSON.parse(await session.readText())[0], "end");
  await arena.end(session.token);
});

Deno.test("a message larger than allowed ends a plain connection with 1009", async () => {
  await using arena = await openArena({ server: { maxMessageBytes: MIB } });
  const plain = await (await arena.connectRaw()).open();
  await plain.text(`{"jsonrpc":"2.0","method":"${"x".repeat(MIB)}"}`);
  assertEquals((await plain.readEnd()).code, 1009);
  await arena.end();
});
