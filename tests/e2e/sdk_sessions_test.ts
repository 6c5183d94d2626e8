import { assert, assertEquals } from "@std/assert";
import { MCPWebSocketClient } from "../../client/mod.ts";
import { MCPWebSocketServer } from "../../server/mod.ts";
import { ChaosLink } from "../support/chaos_link.ts";
import { randomCuts } from "../support/chaos_plan.ts";
import { seededRandom } from "../support/random.ts";
import { type ClientKind, connectClient } from "./support/clients.ts";
import { Journal } from "./support/scene.ts";
import { serve, type ServerKind } from "./support/serving.ts";

const PAIRS: readonly [ClientKind, ServerKind][] = [
  ["v1", "v1"],
  ["v2", "v2"],
  ["v2, pinned", "v2"],
  ["ours, legacy", "v1"],
  ["ours, auto", "v2"],
];

const RECONNECT = { minDelay: 1, maxDelay: 20, immediate: [] };

for (const [client, kind] of PAIRS) {
  Deno.test(`client "${client}" and server "${kind}" notice nothing when their connection is cut`, async () => {
    const journal = new Journal();
    const heard = new Journal();
    await using served = await serve(kind, { journal, holds: false });
    await using link = ChaosLink.open(Number(new URL(served.url).port));
    const transport = { reconnect: RECONNECT };
    await using connected = await connectClient(client, link.url(), {
      transport,
      onclose: () => heard.write("closed"),
      onlost: () => heard.write("lost"),
    });
    const calls: Promise<string>[] = [];
    for (let n = 0; n < 200; n++) {
      const text = `${n} ${"x".repeat((n % 7) * 500)}`;
      calls.push(connected.call("echo", { text }));
      if (n % 20 === 10) {
        link.cut();
        await new Promise((resolve) => setTimeout(resolve, n % 3));
      }
    }
    const answers = await Promise.all(calls);
    assertEquals(answers.map((text) => parseInt(text)), answers.map((_, n) => n));
    assertEquals(journal.count("got tools/call"), 200);
    assert(heard.count("lost") > 0);
    assertEquals(heard.count("closed"), 0);
  });
}

Deno.test("a question of the server outlives a cut in the middle of it", async () => {
  const journal = new Journal();
  const answer = Promise.withResolvers<string>();
  const asked = Promise.withResolvers<void>();
  await using served = await serve("v2", { journal, holds: false });
  await using link = ChaosLink.open(Number(new URL(served.url).port));
  await using connected = await connectClient("v1", link.url(), {
    transport: { reconnect: RECONNECT },
    ask: (signal) => {
      signal.addEventListener("abort", () => answer.resolve("aborted"));
      asked.resolve();
      return answer.promise;
    },
  });
  const call = connected.call("ask");
  await asked.promise;
  link.cut();
  answer.resolve("Ada");
  assertEquals(await call, "Ada");
});

Deno.test("calls, progress and notifications arrive once and in order over many cuts at any byte", async () => {
  const random = seededRandom(7);
  const runs = new Map<number, number>();
  const notes: number[] = [];
  await using server = new MCPWebSocketServer({ name: "test", version: "1.0.0" });
  server.handle("x/work", async ({ n, text }, { progress }) => {
    runs.set(Number(n), (runs.get(Number(n)) ?? 0) + 1);
    for (let step = 1; step <= 3; step++) {
      progress(step);
      await Promise.resolve();
    }
    return { n, length: String(text).length };
  });
  server.onNotification("x/note", ({ n }) => void notes.push(Number(n)));
  const { url } = await server.start({ port: 0 });
  // Every connection dies somewhere, in one direction or the other.
  await using link = ChaosLink.open(Number(new URL(url).port), {
    plan: randomCuts(random, { maxBytes: 100_000, maxCuts: 200 }),
  });
  await using client = new MCPWebSocketClient(link.url(), {
    reconnect: { ...RECONNECT, initial: true },
  });
  await client.connect();
  const progress = new Map<number, number[]>();
  const calls: Promise<{ n: number; length: number }>[] = [];
  for (let n = 0; n < 1_000; n++) {
    const text = "é".repeat(Math.floor(random() ** 4 * 20_000));
    const steps: number[] = [];
    progress.set(n, steps);
    const onProgress = ({ progress }: { progress: number }) => void steps.push(progress);
    calls.push(client.request("x/work", { n, text }, { onProgress }));
    await client.notify("x/note", { n });
    if (n % 100 === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  }
  const answers = await Promise.all(calls);
  assertEquals(answers.map(({ n }) => n), answers.map((_, n) => n));
  await client.notify("x/note", { n: 1_000 }, { delivered: true });
  assertEquals(notes, Array.from({ length: 1_001 }, (_, n) => n));
  assertEquals([...runs.values()].filter((count) => count !== 1), []);
  assertEquals([...progress.values()].filter((steps) => steps.join() !== "1,2,3"), []);
  const { resumes, sessionsLost, pendingRequests, bufferedMessages } = client.getStats();
  assert(resumes >= 5, `${resumes}`);
  assertEquals([sessionsLost, pendingRequests, bufferedMessages], [0, 0, 0]);
});
