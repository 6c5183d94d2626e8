import { assertEquals, assertRejects } from "@std/assert";
import { type ClientKind, connectClient } from "./clients.ts";
import { createScene, Journal } from "./scene.ts";
import { serve, type ServerKind } from "./serving.ts";

/** One test for each thing that every client must be able to do with every server. */
export function testConversations(server: ServerKind, client: ClientKind): void {
  const pair = `server "${server}", client "${client}"`;

  Deno.test(`${pair}: tools are listed and called`, async () => {
    await using served = await serve(server, createScene());
    await using connected = await connectClient(client, served.url);
    const tools = await connected.listTools();
    assertEquals(tools.includes("echo"), true);
    assertEquals(await connected.call("echo", { text: "héllo" }), "héllo");
  });

  Deno.test(`${pair}: progress arrives in order, before the answer`, async () => {
    await using served = await serve(server, createScene());
    await using connected = await connectClient(client, served.url);
    const seen: unknown[] = [];
    const onProgress = (progress: number) => seen.push(progress);
    seen.push(await connected.call("count", { to: 3 }, { onProgress }));
    assertEquals(seen, [1, 2, 3, "counted"]);
  });

  Deno.test(`${pair}: a cancelled call aborts its handler, and nothing else`, async () => {
    const journal = new Journal();
    await using served = await serve(server, { journal, holds: true });
    await using connected = await connectClient(client, served.url);
    const caller = new AbortController();
    const call = connected.call("change", {}, { signal: caller.signal });
    await journal.seen("change started");
    caller.abort(new Error("Enough"));
    await assertRejects(() => call, Error, "Enough");
    await journal.seen("change aborted");
    assertEquals(await connected.call("echo", { text: "still here" }), "still here");
  });

  Deno.test(`${pair}: a call of an unknown tool fails with its name`, async () => {
    await using served = await serve(server, createScene());
    await using connected = await connectClient(client, served.url);
    await assertRejects(() => connected.call("nonsense"), Error, "Tool nonsense not found");
    assertEquals(await connected.call("echo", { text: "still here" }), "still here");
  });
}
