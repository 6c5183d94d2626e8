import { assertEquals } from "@std/assert";
import type { ServerSession } from "../../server/mod.ts";
import { type Arena, openArena } from "./support/arena.ts";
import type { Intruder } from "./support/intruder.ts";

/** A server that holds requests of a client, and asks clients back. */
async function openHolding(): Promise<{
  arena: Arena;
  asked: Map<string, Promise<unknown>>;
  release: () => void;
  aborted: () => number;
}> {
  const held = Promise.withResolvers<void>();
  const asked = new Map<string, Promise<unknown>>();
  let aborted = 0;
  const ask = (session: ServerSession, name: string) => {
    const answer = session.request("x/question", {});
    answer.catch(() => {});
    asked.set(name, answer);
    return {};
  };
  const arena = await openArena({
    define(server) {
      server.handle("x/hold", async (_, { signal }) => {
        signal.addEventListener("abort", () => void aborted++);
        await held.promise;
        return { kept: true };
      });
      server.handle("x/askMe", ({ name }, { session }) => ask(session, String(name)));
    },
  });
  return { arena, asked, release: held.resolve, aborted: () => aborted };
}

/** Opens a connection of either kind. */
async function enter(arena: Arena, protocol: "mcp" | "bowline.v1"): Promise<Intruder> {
  const intruder = await arena.connectRaw();
  if (protocol === "mcp") await intruder.open();
  else await intruder.openSession();
  return intruder;
}

/** Has the server ask a question, and returns its id. */
async function beAsked(intruder: Intruder, name: string): Promise<unknown> {
  await intruder.message({ id: "ask me", method: "x/askMe", params: { name } });
  for (;;) {
    const text = await intruder.readText();
    if (!text.startsWith("{")) continue;
    const found = text.split("\n").map((line) => JSON.parse(line))
      .find(({ method }) => method === "x/question");
    if (found !== undefined) return found.id;
  }
}

for (const protocol of ["mcp", "bowline.v1"] as const) {
  Deno.test(`a cancel of another connection's request changes nothing there over ${protocol}`, async () => {
    const { arena, release, aborted } = await openHolding();
    await using _ = arena;
    const victim = await enter(arena, protocol);
    const attacker = await enter(arena, protocol);
    for (const id of [1, "one"]) await victim.message({ id, method: "x/hold" });
    await victim.message({ id: 2, method: "ping" });
    await victim.readAnswer(2);
    for (const requestId of [1, "one", "1", -1, null, {}, ["one"], 1.5]) {
      const params = { requestId, reason: "guessed" };
      await attacker.message({ method: "notifications/cancelled", params });
      const progress = { progressToken: requestId, progress: 1 };
      await attacker.message({ method: "notifications/progress", params: progress });
    }
    await attacker.message({ id: 3, method: "ping" });
    await attacker.readAnswer(3);
    assertEquals(aborted(), 0);
    release();
    assertEquals((await victim.readAnswer("one")).result, { kept: true });
    await arena.end(victim.token, attacker.token);
  });

  Deno.test(`a response with another connection's id settles nothing there over ${protocol}`, async () => {
    const { arena, asked, release } = await openHolding();
    await using _ = arena;
    release();
    const victim = await enter(arena, protocol);
    const attacker = await enter(arena, protocol);
    const id = await beAsked(victim, "victim");
    for (const guess of [id, String(id), -1, 0, 1, 2, 3, "1"]) {
      await attacker.message({ id: guess, result: { answeredBy: "attacker" } });
      await attacker.message({ id: guess, error: { code: -32000, message: "attacker" } });
    }
    await attacker.message({ id: "still there", method: "ping" });
    assertEquals((await attacker.readAnswer("still there")).result, {});
    await victim.message({ id, result: { answeredBy: "victim" } });
    assertEquals(await asked.get("victim"), { answeredBy: "victim" });
    await arena.end(victim.token, attacker.token);
  });

  Deno.test(`the second of two responses changes nothing over ${protocol}`, async () => {
    const { arena, asked, release } = await openHolding();
    await using _ = arena;
    release();
    const client = await enter(arena, protocol);
    const first = await beAsked(client, "first");
    await client.message({ id: first, result: { n: 1 } });
    await client.message({ id: first, result: { n: 2 } });
    await client.message({ id: first, error: { code: -32000, message: "three" } });
    assertEquals(await asked.get("first"), { n: 1 });
    const second = await beAsked(client, "second");
    await client.message({ id: second, result: { n: 4 } });
    assertEquals(await asked.get("second"), { n: 4 });
    await arena.end(client.token);
  });
}

Deno.test("a session is neither found nor ended by its label, or by who guesses tokens", async () => {
  await using arena = await openArena();
  const owner = await arena.connectRaw();
  await owner.openSession({ session: "known-to-all" });
  for (let i = 0; i < 50; i++) {
    const attacker = await arena.connectRaw();
    const hello = { session: "known-to-all", attempt: 100 + i, resume: true };
    const [name, { resumed }] = await attacker.openSession(hello);
    assertEquals([name, resumed], ["welcome", false]);
    attacker.close();
  }
  await owner.message({ id: 1, method: "ping" });
  assertEquals((await owner.readAnswer(1)).result, {});
  await arena.end(owner.token);
});
