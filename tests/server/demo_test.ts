import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { MCPWebSocketClient, type MCPWebSocketClientOptions } from "../../client/mod.ts";
import { MCPRpcError } from "../../protocol/errors.ts";
import type { Era } from "../../protocol/mcp.ts";
import { createDemoServer, JOURNAL_URI } from "../../server/demo.ts";
import { DemoJournal } from "../../server/demo_journal.ts";
import { until } from "../support/until.ts";

const ERAS: readonly Era[] = ["legacy", "modern"];

interface Scene extends AsyncDisposable {
  readonly server: ReturnType<typeof createDemoServer>;
  readonly client: MCPWebSocketClient;
}

async function open(options: MCPWebSocketClientOptions): Promise<Scene> {
  const server = createDemoServer({ version: "1.2.3", growInterval: 5 });
  const { url } = await server.start({ port: 0 });
  const client = new MCPWebSocketClient(url, options);
  await client.connect();
  return {
    server,
    client,
    async [Symbol.asyncDispose]() {
      await client.disconnect();
      await server.stop();
    },
  };
}

async function readJournal(client: MCPWebSocketClient): Promise<string[]> {
  const { contents } = await client.request("resources/read", { uri: JOURNAL_URI });
  return contents[0]?.text?.split("\n") ?? [];
}

for (const era of ERAS) {
  Deno.test(`createDemoServer() says who it is and what it can do, ${era}`, async () => {
    await using scene = await open({ era });
    const { client } = scene;
    assertEquals(client.era, era);
    assertEquals(client.serverInfo?.name, "bowline-demo");
    assertEquals(client.serverInfo?.version, "1.2.3");
    assertEquals(client.serverCapabilities, { tools: {}, resources: { subscribe: true } });
  });

  Deno.test(`createDemoServer() lists its tools and resources, ${era}`, async () => {
    await using scene = await open({ era });
    const { tools } = await scene.client.request("tools/list");
    const hints = tools.map(({ name, inputSchema, annotations }) => [
      name,
      inputSchema.type,
      annotations?.readOnlyHint,
      annotations?.idempotentHint,
    ]);
    assertEquals(hints, [
      ["echo", "object", true, true],
      ["add", "object", true, true],
      ["slow", "object", false, undefined],
    ]);
    const { resources } = await scene.client.request("resources/list");
    assertEquals(resources.map(({ uri }) => uri), [JOURNAL_URI]);
    const { resourceTemplates } = await scene.client.request("resources/templates/list");
    assertEquals(resourceTemplates, []);
  });

  Deno.test(`createDemoServer() answers echo and add, ${era}`, async () => {
    await using scene = await open({ era });
    const table: [string, Record<string, unknown>, string, boolean | undefined][] = [
      ["echo", { text: "hello" }, "hello", undefined],
      ["add", { a: 0.5, b: 2 }, "2.5", undefined],
      ["echo", {}, 'Cannot call tool: "text" must be a string', true],
      ["add", { a: "1", b: 2 }, 'Cannot call tool: "a" and "b" must be numbers', true],
      [
        "slow",
        { steps: 0 },
        'Cannot call tool: "steps" must be 1 to 1000, "stepTime" 0 to 60000 milliseconds',
        true,
      ],
    ];
    for (const [name, args, text, isError] of table) {
      const result = await scene.client.request("tools/call", { name, arguments: args });
      assertEquals(result.content, [{ type: "text", text }]);
      assertEquals(result.isError, isError);
    }
  });

  Deno.test(`createDemoServer() tells the progress of slow, ${era}`, async () => {
    await using scene = await open({ era });
    const seen: unknown[] = [];
    const params = { name: "slow", arguments: { steps: 3, stepTime: 1 } };
    const { content } = await scene.client.request("tools/call", params, {
      onProgress: ({ progress, total, message }) => seen.push([progress, total, message]),
    });
    assertEquals(content[0]?.text, "Done after 3 steps");
    assertEquals(seen, [[1, 3, "Step 1 of 3"], [2, 3, "Step 2 of 3"], [3, 3, "Step 3 of 3"]]);
  });

  Deno.test(`createDemoServer() stops slow when it is cancelled, ${era}`, async () => {
    await using scene = await open({ era });
    const { client, server } = scene;
    const controller = new AbortController();
    const params = { name: "slow", arguments: { steps: 2, stepTime: 60_000 } };
    const call = client.request("tools/call", params, { signal: controller.signal });
    await until(() => server.clients[0]?.running === 1);
    controller.abort();
    await assertRejects(() => call, DOMException);
    // Its timer is gone too, or this test would leak it.
    await until(() => server.clients[0]?.running === 0);
  });

  Deno.test(`createDemoServer() refuses unknown tools and resources, ${era}`, async () => {
    await using scene = await open({ era });
    const { client } = scene;
    const refusals = [
      () => client.request("tools/call", { name: "nope" }),
      () => client.request("resources/read", { uri: "demo://nope" }),
    ];
    for (const refusal of refusals) {
      const { code } = await assertRejects(refusal, MCPRpcError, "nope");
      assertEquals(code, -32602);
    }
  });
}

Deno.test("createDemoServer() tells legacy subscribers that the journal has grown", async () => {
  await using scene = await open({ era: "legacy" });
  const { client } = scene;
  const updates: unknown[] = [];
  client.onNotification("notifications/resources/updated", ({ uri }) => updates.push(uri));
  const before = await readJournal(client);
  assertEquals(before.length, 1);
  await client.request("resources/subscribe", { uri: JOURNAL_URI });
  await client.request("resources/subscribe", { uri: JOURNAL_URI });
  await until(() => updates.length >= 3);
  assertEquals(new Set(updates), new Set([JOURNAL_URI]));
  await client.request("resources/unsubscribe", { uri: JOURNAL_URI });
  const after = await readJournal(client);
  assert(after.length >= 4);
  assertMatch(after.at(-1) ?? "", new RegExp(`^Line ${after.length}, `));
  // Nobody follows it any more: it stands still.
  updates.length = 0;
  await new Promise((resolve) => setTimeout(resolve, 30));
  assertEquals(updates, []);
  assertEquals(await readJournal(client), after);
});

Deno.test("createDemoServer() refuses subscriptions to anything else", async () => {
  await using scene = await open({ era: "legacy" });
  for (const method of ["resources/subscribe", "resources/unsubscribe"] as const) {
    const request = () => scene.client.request(method, { uri: "demo://nope" });
    assertEquals((await assertRejects(request, MCPRpcError)).code, -32602);
  }
});

Deno.test("createDemoServer() serves subscriptions/listen until it is cancelled", async () => {
  await using scene = await open({ era: "modern" });
  const { client } = scene;
  const heard: [string, unknown, unknown][] = [];
  client.onAnyNotification(({ method, params }) => {
    const meta = params?._meta as Record<string, unknown>;
    const about = params?.uri ?? params?.notifications;
    heard.push([method, about, meta["io.modelcontextprotocol/subscriptionId"]]);
  });
  const controller = new AbortController();
  const notifications = {
    toolsListChanged: true,
    resourceSubscriptions: [JOURNAL_URI, "demo://nope"],
  };
  const listening = client.request("subscriptions/listen", { notifications }, {
    signal: controller.signal,
  });
  await until(() => heard.length >= 3);
  const [first, second] = heard;
  const id = first?.[2];
  assertEquals(first, [
    "notifications/subscriptions/acknowledged",
    { resourceSubscriptions: [JOURNAL_URI] },
    id,
  ]);
  assertEquals(second, ["notifications/resources/updated", JOURNAL_URI, id]);
  controller.abort();
  await assertRejects(() => listening, DOMException);
  await client.request("tools/list");
  heard.length = 0;
  await new Promise((resolve) => setTimeout(resolve, 30));
  assertEquals(heard, []);
});

Deno.test("createDemoServer() acknowledges a listen that asks for nothing it has", async () => {
  await using scene = await open({ era: "modern" });
  const heard = Promise.withResolvers<unknown>();
  scene.client.onAnyNotification(({ params }) => heard.resolve(params?.notifications));
  const controller = new AbortController();
  const listening = scene.client.request("subscriptions/listen", { notifications: {} }, {
    signal: controller.signal,
  });
  assertEquals(await heard.promise, {});
  controller.abort();
  await assertRejects(() => listening, DOMException);
});

Deno.test("createDemoServer() forgets the subscriptions of a client that leaves", async () => {
  const server = createDemoServer({ version: "1.0.0", growInterval: 1 });
  const { url } = await server.start({ port: 0 });
  const legacy = new MCPWebSocketClient(url, { era: "legacy" });
  await legacy.connect();
  await legacy.request("resources/subscribe", { uri: JOURNAL_URI });
  const modern = new MCPWebSocketClient(url, { era: "modern" });
  await modern.connect();
  const filter = { notifications: { resourceSubscriptions: [JOURNAL_URI] } };
  const listening = modern.request("subscriptions/listen", filter).catch(() => {});
  await legacy.disconnect();
  await modern.disconnect();
  await listening;
  // The journal's timer would leak here.
  await server.stop();
});

Deno.test("DemoJournal grows only while it is started, and keeps 1,000 lines", async () => {
  const full = Promise.withResolvers<void>();
  let calls = 0;
  const journal = new DemoJournal(0, () => {
    if (++calls === 1_010) full.resolve();
  });
  assertEquals(journal.text.split("\n").length, 1);
  journal.start();
  journal.start();
  await full.promise;
  journal.stop();
  journal.stop();
  const { text } = journal;
  assertMatch(text.split("\n").at(-1) ?? "", new RegExp(`^Line ${calls + 1}, `));
  assertEquals(text.split("\n").length, 1_000);
});
