import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { openArena } from "./support/arena.ts";

Deno.test("openArena() serves a healthy client, and raw peers of both protocols", async () => {
  await using arena = await openArena();
  const plain = await (await arena.connectRaw()).open("mcp");
  await plain.message({ id: 1, method: "ping" });
  assertEquals((await plain.readAnswer(1)).result, {});
  const session = await arena.connectRaw();
  const [name, { resumed }] = await session.openSession();
  assertEquals([name, resumed], ["welcome", false]);
  await session.message({ id: "a", method: "ping" });
  assertEquals((await session.readAnswer("a")).result, {});
  await arena.end(session.token);
  assert(arena.record.answered > 5);
});

Deno.test("Arena.settle() fails while something of an attack is left", async () => {
  await using arena = await openArena({
    server: { session: { window: 60_000 } },
    settleTimeout: 2_500,
  });
  const session = await arena.connectRaw();
  await session.openSession();
  const before = await arena.levels();
  session.close();
  await assertRejects(() => arena.settle(), Error, "detached");
  assertEquals((await arena.levels()).detachedSessions, 1 + (before.detachedSessions ?? 0));
});

Deno.test("Arena.assertNoSecrets() finds a secret in what a server told, and does not repeat it", async () => {
  await using arena = await openArena({
    define: (server) =>
      server.handle("x/leak", () => {
        throw new Error("Wrong", { cause: new Error("token s3cr3t") });
      }),
  });
  const plain = await (await arena.connectRaw()).open("mcp");
  await plain.message({ id: 1, method: "x/leak" });
  await plain.readAnswer(1);
  const search = () => arena.assertNoSecrets("nothing", "s3cr3t");
  const error = await assertRejects(search, Error, "number 1");
  assert(!error.message.includes("s3cr3t"));
  await arena.assertNoSecrets("nothing");
});

Deno.test("Arena.assertCleanLog() finds a line that is not one", async () => {
  await using arena = await openArena();
  arena.assertCleanLog();
  for (const text of ["a\nb", "\u001b[2J", "\u2028", "\u202e"]) {
    arena.capture.log.push(text);
    assertThrows(() => arena.assertCleanLog(), Error, "Unfit");
    arena.capture.log.pop();
  }
});
