import { Client } from "@modelcontextprotocol/client";
import { assertEquals, assertRejects } from "@std/assert";
import { MCPWebSocketClient, WebSocketClientTransport } from "../../client/mod.ts";
import { MCPWebSocketServer } from "../../server/mod.ts";
import { ClientV1, TransportV1 } from "../e2e/support/sdk_v1.ts";

const INFO = { name: "test", version: "1.0.0" };
const UPDATED = "notifications/resources/updated";
const CHANGED = "notifications/tools/list_changed";

/** A client of an SDK that notes what it hears. */
interface Listener extends AsyncDisposable {
  readonly heard: unknown[];
  /** Subscribes to a resource, and to changes of the list of tools where that is asked for. */
  subscribe(uri: string): Promise<unknown>;
  /** Ends what `subscribe` began. */
  unsubscribe(uri: string): Promise<unknown>;
  /** Makes a call; what the server has sent before is heard then. */
  call(): Promise<unknown>;
}

type Hear = (
  told: { method: string; params?: Record<string, unknown> | undefined },
) => Promise<void>;

function noter(heard: unknown[]): Hear {
  return ({ method, params }) => {
    heard.push(params?.uri === undefined ? method : [method, params.uri]);
    return Promise.resolve();
  };
}

async function connectV1(transport: TransportV1 | WebSocketClientTransport): Promise<Listener> {
  const heard: unknown[] = [];
  const client = new ClientV1(INFO, { capabilities: {} });
  client.fallbackNotificationHandler = noter(heard);
  await client.connect(transport);
  return {
    heard,
    subscribe: (uri) => client.subscribeResource({ uri }),
    unsubscribe: (uri) => client.unsubscribeResource({ uri }),
    call: () => client.listTools(),
    [Symbol.asyncDispose]: () => client.close(),
  };
}

async function connectV2(url: string, mode: "legacy" | { pin: string }): Promise<Listener> {
  const heard: unknown[] = [];
  const client = new Client(INFO, { capabilities: {}, versionNegotiation: { mode } });
  client.fallbackNotificationHandler = noter(heard);
  await client.connect(new WebSocketClientTransport(url));
  const subscriptions = new Map<string, { close(): Promise<void> }>();
  const isLegacy = mode === "legacy";
  return {
    heard,
    async subscribe(uri) {
      if (isLegacy) return void await client.subscribeResource({ uri });
      const filter = { resourceSubscriptions: [uri], toolsListChanged: true };
      const subscription = await client.listen(filter);
      assertEquals(subscription.honoredFilter, filter);
      subscriptions.set(uri, subscription);
    },
    async unsubscribe(uri) {
      if (isLegacy) await client.unsubscribeResource({ uri });
      await subscriptions.get(uri)?.close();
    },
    call: () => client.listTools(),
    [Symbol.asyncDispose]: () => client.close(),
  };
}

const KINDS: readonly [
  name: string,
  era: "legacy" | "modern",
  connect: (url: string) => Promise<Listener>,
][] = [
  ["SDK v1", "legacy", (url) => connectV1(new WebSocketClientTransport(url))],
  ["SDK v1, its own transport", "legacy", (url) => connectV1(new TransportV1(new URL(url)))],
  ["SDK v2, legacy", "legacy", (url) => connectV2(url, "legacy")],
  ["SDK v2, modern", "modern", (url) => connectV2(url, { pin: "2026-07-28" })],
];

function createServer(): MCPWebSocketServer {
  const capabilities = { tools: { listChanged: true }, resources: { subscribe: true } };
  const server = new MCPWebSocketServer({ ...INFO, capabilities });
  server.handle("tools/list", () => ({ tools: [] }));
  return server;
}

for (const [name, era, connect] of KINDS) {
  Deno.test(`MCPWebSocketServer tells a client of ${name} what it subscribed to, and no other`, async () => {
    await using server = createServer();
    const { url } = await server.start({ port: 0 });
    await using subscriber = await connect(url);
    await using other = await connect(url);
    await subscriber.subscribe("memo://1");
    await other.subscribe("memo://2");
    assertEquals([server.resourceUpdated("memo://1"), server.resourceUpdated("memo://3")], [1, 0]);
    await Promise.all([subscriber.call(), other.call()]);
    assertEquals([subscriber.heard, other.heard], [[[UPDATED, "memo://1"]], []]);
    await subscriber.unsubscribe("memo://1");
    await subscriber.call();
    assertEquals(server.resourceUpdated("memo://1"), 0);
    await Promise.all([subscriber.call(), other.call()]);
    assertEquals([subscriber.heard.length, other.heard], [1, []]);
  });

  Deno.test(`MCPWebSocketServer.listChanged() tells a client of ${name} as its era has it`, async () => {
    await using server = createServer();
    const { url } = await server.start({ port: 0 });
    await using subscriber = await connect(url);
    await using other = await connect(url);
    await Promise.all([subscriber.call(), other.call()]);
    await subscriber.subscribe("memo://1");
    // Without being asked in the legacy era; in the modern one, where it was asked for.
    assertEquals(server.listChanged("tools"), era === "legacy" ? 2 : 1);
    await Promise.all([subscriber.call(), other.call()]);
    assertEquals([subscriber.heard, other.heard], [[CHANGED], era === "legacy" ? [CHANGED] : []]);
  });
}

for (const protocols of [["mcp"], ["mcp", "bowline.v1"]]) {
  Deno.test(`MCPWebSocketServer.stop() ends subscriptions of SDK v2 gracefully, over ${protocols.at(-1)}`, async () => {
    const server = createServer();
    const { url } = await server.start({ port: 0 });
    const client = new Client(INFO, { versionNegotiation: { mode: { pin: "2026-07-28" } } });
    await client.connect(new WebSocketClientTransport(url, { protocols, reconnect: false }));
    assertEquals(server.clients[0]?.protocol, protocols.at(-1));
    const subscription = await client.listen({ resourceSubscriptions: ["memo://1"] });
    await server.stop({ timeout: 0 });
    assertEquals(await subscription.closed, "graceful");
    await client.close();
  });
}

Deno.test("MCPWebSocketServer opens what SDK v2 listens for by itself", async () => {
  await using server = createServer();
  const { url } = await server.start({ port: 0 });
  const changed = Promise.withResolvers<unknown>();
  const client = new Client(INFO, {
    versionNegotiation: { mode: { pin: "2026-07-28" } },
    listChanged: { tools: { onChanged: (error, tools) => changed.resolve([error, tools]) } },
  });
  await client.connect(new WebSocketClientTransport(url));
  assertEquals(client.autoOpenedSubscription?.honoredFilter, { toolsListChanged: true });
  assertEquals(server.listChanged("tools"), 1);
  assertEquals(await changed.promise, [null, []]);
  await client.close();
});

Deno.test("MCPWebSocketServer ends a subscription of this package's client that is aborted", async () => {
  await using server = createServer();
  const { url } = await server.start({ port: 0 });
  await using client = new MCPWebSocketClient(url, { era: "modern" });
  await client.connect();
  const acknowledged = new Promise((resolve) =>
    client.onNotification("notifications/subscriptions/acknowledged", resolve)
  );
  const caller = new AbortController();
  const params = { notifications: { resourceSubscriptions: ["memo://1"] } };
  const { signal } = caller;
  const listening = client.request("subscriptions/listen", params, { signal });
  await acknowledged;
  assertEquals(server.resourceUpdated("memo://1"), 1);
  caller.abort();
  await assertRejects(() => listening, DOMException);
  await client.request("tools/list");
  assertEquals(server.resourceUpdated("memo://1"), 0);
});
