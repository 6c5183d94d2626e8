import { assertEquals } from "@std/assert";
import { type Arena, openArena } from "./support/arena.ts";
import type { Intruder } from "./support/intruder.ts";

/** Long enough for a test: sessions without a connection stay until they are ended. */
const WINDOW = 60_000;

/** A server behind a proxy that says who the client is. */
async function openOwned(window = WINDOW): Promise<Arena> {
  return await openArena({
    server: {
      principalOf: ({ headers }) => headers.get("X-User") ?? undefined,
      session: { window },
    },
    client: { headers: { "X-User": "healthy" } },
  });
}

/** Says hello as somebody, with a token that may be another one's. */
async function enter(
  arena: Arena,
  user: string | undefined,
  changes: Record<string, unknown> = {},
): Promise<{ intruder: Intruder; name: string; content: Record<string, unknown> }> {
  const intruder = await arena.connectRaw();
  const headers = user === undefined ? {} : { "X-User": user };
  const [name, content] = await intruder.openSession(changes, headers);
  return { intruder, name, content };
}

Deno.test("a stolen resume token is of no use to another principal, and its session goes on", async () => {
  await using arena = await openOwned();
  const { intruder: owner } = await enter(arena, "owner");
  const { token } = owner;
  for (const thief of ["thief", undefined, "Owner", "owner, thief"]) {
    for (const resume of [true, false]) {
      const { name, content } = await enter(arena, thief, { token, attempt: 9, resume });
      assertEquals([name, content.code], ["end", 4403]);
    }
  }
  await owner.message({ id: 1, method: "ping" });
  assertEquals((await owner.readAnswer(1)).result, {});
  await owner.say("bye", 1);
  await arena.end(token);
});

Deno.test("a stolen resume token is of no use while its owner is away", async () => {
  await using arena = await openOwned();
  const { intruder: owner } = await enter(arena, "owner");
  const { token } = owner;
  owner.close();
  await arena.until(({ detachedSessions }) => detachedSessions === 1);
  const { name, content } = await enter(arena, "thief", { token, attempt: 9, resume: true });
  assertEquals([name, content.code], ["end", 4403]);
  const back = await enter(arena, "owner", { token, attempt: 2, resume: true });
  assertEquals([back.name, back.content.resumed], ["welcome", true]);
  await back.intruder.say("bye", 0);
  await arena.end(token);
});

Deno.test("a session that was ended is resumed by nobody", async () => {
  await using arena = await openOwned();
  const { intruder: owner } = await enter(arena, "owner");
  const { token } = owner;
  await owner.say("bye", 0);
  assertEquals(JSON.parse(await owner.readText())[0], "bye");
  for (const user of ["owner", "thief", undefined]) {
    const { name, content } = await enter(arena, user, { token, attempt: 2, resume: true });
    assertEquals([name, content.code], ["end", 1000]);
  }
  await arena.end(token);
});

Deno.test("a session that the server has sent away is not resumed", async () => {
  await using arena = await openOwned();
  const { intruder: owner } = await enter(arena, "owner");
  const { token } = owner;
  await owner.send({ opcode: 2, payload: "no session takes this" });
  assertEquals(JSON.parse(await owner.readText())[0], "end");
  const { name, content } = await enter(arena, "owner", { token, attempt: 2, resume: true });
  assertEquals([name, content.resumed], ["welcome", false]);
  await arena.end(token);
});

Deno.test("a session that nobody has come back to is resumed by nobody", async () => {
  await using arena = await openOwned(100);
  const { intruder: owner } = await enter(arena, "owner");
  const { token } = owner;
  owner.close();
  await arena.until((levels) => levels.detachedSessions === 0 && levels.activeConnections === 1);
  const { name, content } = await enter(arena, "owner", { token, attempt: 2, resume: true });
  assertEquals([name, content.resumed], ["welcome", false]);
  await arena.end(token);
});

Deno.test("a late hello does not throw the live connection out", async () => {
  await using arena = await openOwned();
  const { intruder: owner } = await enter(arena, "owner", { attempt: 5 });
  const { token } = owner;
  const late = await enter(arena, "owner", { token, attempt: 5, resume: true });
  assertEquals([late.name, late.content.code], ["end", 4409]);
  const impossible = { token, attempt: 6, resume: true, received: 2 ** 50 };
  const { name, content } = await enter(arena, "owner", impossible);
  assertEquals([name, content.code], ["end", 4400]);
  await owner.message({ id: 1, method: "ping" });
  assertEquals((await owner.readAnswer(1)).result, {});
  await owner.say("bye", 1);
  await arena.end(token);
});

Deno.test("one principal may not have more sessions than its share, whatever it says", async () => {
  await using arena = await openOwned();
  const tokens: string[] = [];
  const owners: Intruder[] = [];
  for (let i = 0; i < 12; i++) {
    const { intruder, name, content } = await enter(arena, "greedy");
    tokens.push(intruder.token);
    assertEquals([name, content.code], i < 5 ? ["welcome", undefined] : ["end", 4503]);
    if (i < 5) owners.push(intruder);
  }
  for (const owner of owners) await owner.say("bye", 0);
  await arena.end(...tokens);
});
