import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { createDemoServer, JOURNAL_URI } from "../../server/demo.ts";
import { CLIENT_KINDS, connectClient } from "./support/clients.ts";
import { Journal } from "./support/scene.ts";

const DEMO = { version: "1.0.0", growInterval: 5 };

for (const client of CLIENT_KINDS) {
  Deno.test(`the demo server serves its tools to client "${client}"`, async () => {
    await using server = createDemoServer(DEMO);
    const { url } = await server.start({ port: 0 });
    await using connected = await connectClient(client, url);
    assertEquals(await connected.listTools(), ["echo", "add", "slow"]);
    assertEquals(await connected.call("add", { a: 2, b: 3 }), "5");
    await assertRejects(() => connected.call("add"), Error, "must be numbers");
    await assertRejects(() => connected.call("nonsense"), Error, 'Unknown tool: "nonsense"');
  });

  Deno.test(`the demo server tells client "${client}" how far its slow tool is`, async () => {
    await using server = createDemoServer(DEMO);
    const { url } = await server.start({ port: 0 });
    await using connected = await connectClient(client, url);
    const seen: number[] = [];
    const args = { steps: 3, stepTime: 1 };
    const onProgress = (progress: number) => void seen.push(progress);
    assertEquals(await connected.call("slow", args, { onProgress }), "Done after 3 steps");
    assertEquals(seen, [1, 2, 3]);
  });

  Deno.test(`the demo server stops its slow tool when client "${client}" cancels`, async () => {
    await using server = createDemoServer(DEMO);
    const { url } = await server.start({ port: 0 });
    await using connected = await connectClient(client, url);
    const caller = new AbortController();
    const options = {
      signal: caller.signal,
      onProgress: () => caller.abort(new Error("Enough")),
    };
    const args = { steps: 1_000, stepTime: 1 };
    await assertRejects(() => connected.call("slow", args, options), Error, "Enough");
    assertEquals(await connected.call("echo", { text: "still here" }), "still here");
  });

  Deno.test(`the demo server tells client "${client}" that its resource grows`, async () => {
    await using server = createDemoServer(DEMO);
    const { url } = await server.start({ port: 0 });
    const heard = new Journal();
    const hear = (method: string) => heard.write(method);
    await using connected = await connectClient(client, url, { uri: JOURNAL_URI, hear });
    await connected.subscribe();
    await heard.seen("notifications/resources/updated", 2);
    assertStringIncludes(await connected.read(), "Line 2");
  });
}
