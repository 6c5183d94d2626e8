import { assertEquals, assertThrows } from "@std/assert";
import { MCPWebSocketServer, type MCPWebSocketServerOptions } from "../../server/mod.ts";
import type { JsonRpcParams } from "../../server/mod.ts";
import { type Json, JsonSocket } from "../support/json_socket.ts";
import { SessionPeer } from "../support/session_peer.ts";
import { until } from "../support/until.ts";

const META = "io.modelcontextprotocol/";
const ID = `${META}subscriptionId`;
const ALL = {
  tools: { listChanged: true },
  resources: { listChanged: true, subscribe: true },
  prompts: { listChanged: true },
};
const UPDATED = "notifications/resources/updated";

/** A server that listens, with errors it has reported. */
async function open(options: Partial<MCPWebSocketServerOptions> = {}): Promise<
  & { server: MCPWebSocketServer; url: string; port: number; errors: Error[] }
  & AsyncDisposable
> {
  const errors: Error[] = [];
  const server = new MCPWebSocketServer({
    name: "test",
    version: "1.0.0",
    capabilities: ALL,
    onError: (error) => errors.push(error),
    ...options,
  });
  const { url, port } = await server.start({ port: 0 });
  return { server, url, port, errors, [Symbol.asyncDispose]: () => server.stop({ timeout: 0 }) };
}

/** Parameters as clients of the modern era send them. */
function modern(params: JsonRpcParams = {}): JsonRpcParams {
  const _meta = { [`${META}protocolVersion`]: "2026-07-28", [`${META}clientCapabilities`]: {} };
  return { ...params, _meta };
}

/** Opens a subscription. Returns its id and what is acknowledged. */
async function listen(client: JsonSocket, notifications: JsonRpcParams): Promise<[number, Json]> {
  const id = client.ask("subscriptions/listen", modern({ notifications }));
  const { method, params } = await client.next();
  assertEquals(method, "notifications/subscriptions/acknowledged");
  assertEquals(params._meta, { [ID]: id });
  return [id, params.notifications];
}

async function initialize(client: JsonSocket): Promise<void> {
  const params = {
    protocolVersion: "2025-11-25",
    capabilities: {},
    clientInfo: { name: "test", version: "1.0.0" },
  };
  await client.request("initialize", params);
  client.notify("notifications/initialized");
  await client.request("ping");
}

/** What a client has heard before the answer to a request that it sends now. */
async function heard(client: JsonSocket): Promise<Json[]> {
  const id = client.ask("ping");
  const messages: Json[] = [];
  for (;;) {
    const message = await client.next();
    if (message.id === id) return messages;
    messages.push(message);
  }
}

Deno.test("MCPWebSocketServer.resourceUpdated() tells legacy subscribers, until they unsubscribe", async () => {
  await using scene = await open();
  const { server, url } = scene;
  await using ada = await JsonSocket.open(url);
  await using bob = await JsonSocket.open(url);
  assertEquals(server.resourceUpdated("a:1"), 0);
  for (const uri of ["a:1", "a:2", "a:1"]) {
    assertEquals((await ada.request("resources/subscribe", { uri })).result, {});
  }
  await bob.request("resources/subscribe", { uri: "a:2" });
  assertEquals([server.resourceUpdated("a:1"), server.resourceUpdated("a:2")], [1, 2]);
  assertEquals((await heard(ada)).map(({ params }) => params), [{ uri: "a:1" }, { uri: "a:2" }]);
  assertEquals(await heard(bob), [{ jsonrpc: "2.0", method: UPDATED, params: { uri: "a:2" } }]);
  assertEquals((await ada.request("resources/unsubscribe", { uri: "a:1" })).result, {});
  assertEquals((await ada.request("resources/unsubscribe", { uri: "a:1" })).result, {});
  assertEquals([server.resourceUpdated("a:1"), server.resourceUpdated("a:2")], [0, 2]);
});

Deno.test("MCPWebSocketServer.resourceUpdated() tells every listen request that asks for it, with its id", async () => {
  await using scene = await open();
  const { server, url } = scene;
  await using client = await JsonSocket.open(url);
  const [one, asked] = await listen(client, { resourceSubscriptions: ["a:1", "a:2", "a:1"] });
  assertEquals(asked, { resourceSubscriptions: ["a:1", "a:2"] });
  const [two] = await listen(client, { resourceSubscriptions: ["a:2"] });
  assertEquals(server.resourceUpdated("a:2"), 2);
  assertEquals(server.resourceUpdated("a:1"), 1);
  assertEquals(server.resourceUpdated("a:3"), 0);
  const update = (uri: string, id: number) => ({
    jsonrpc: "2.0",
    method: UPDATED,
    params: { uri, _meta: { [ID]: id } },
  });
  assertEquals(await heard(client), [update("a:2", one), update("a:2", two), update("a:1", one)]);
});

Deno.test("MCPWebSocketServer answers nothing for a listen request that was cancelled, and tells it nothing", async () => {
  await using scene = await open();
  const { server, url } = scene;
  await using client = await JsonSocket.open(url);
  const [id] = await listen(client, { resourceSubscriptions: ["a:1"], toolsListChanged: true });
  client.notify("notifications/cancelled", { requestId: id });
  assertEquals(await heard(client), []);
  assertEquals([server.resourceUpdated("a:1"), server.listChanged("tools")], [0, 0]);
  // Its id can be used again.
  client.send({
    jsonrpc: "2.0",
    id,
    method: "subscriptions/listen",
    params: modern({ notifications: {} }),
  });
  assertEquals((await client.next()).params, { notifications: {}, _meta: { [ID]: id } });
});

Deno.test("MCPWebSocketServer acknowledges what its capabilities declare, and nothing else", async () => {
  const asked = {
    toolsListChanged: true,
    promptsListChanged: false,
    resourcesListChanged: "yes",
    resourceSubscriptions: ["a:1"],
    more: true,
  };
  const cases: [MCPWebSocketServerOptions["capabilities"], Json][] = [
    [ALL, { toolsListChanged: true, resourceSubscriptions: ["a:1"] }],
    [{ resources: { subscribe: true } }, { resourceSubscriptions: ["a:1"] }],
    [{ tools: { listChanged: true } }, { toolsListChanged: true }],
    [{ prompts: { listChanged: true } }, {}],
  ];
  for (const [capabilities, honoured] of cases) {
    await using scene = await open({ capabilities });
    await using client = await JsonSocket.open(scene.url);
    assertEquals((await listen(client, asked))[1], honoured);
  }
});

Deno.test("MCPWebSocketServer refuses methods of subscriptions that its capabilities do not declare", async () => {
  await using scene = await open({
    capabilities: { resources: {}, tools: { listChanged: "yes" } },
  });
  await using client = await JsonSocket.open(scene.url);
  const answers = [
    await client.request("resources/subscribe", { uri: "a:1" }),
    await client.request("resources/unsubscribe", { uri: "a:1" }),
    await client.request("subscriptions/listen", modern({ notifications: {} })),
  ];
  assertEquals(answers.map(({ error }) => error.code), [-32601, -32601, -32601]);
  assertThrows(
    () => scene.server.resourceUpdated("a:1"),
    TypeError,
    'Cannot tell of changes as "capabilities.resources.subscribe" must be true: it is not declared',
  );
  assertThrows(
    () => scene.server.listChanged("tools"),
    TypeError,
    "capabilities.tools.listChanged",
  );
});

Deno.test("MCPWebSocketServer refuses filters that are none", async () => {
  await using scene = await open();
  await using client = await JsonSocket.open(scene.url);
  for (const resourceSubscriptions of ["a:1", [1], [null], {}, 5]) {
    const params = modern({ notifications: { resourceSubscriptions } });
    const { error } = await client.request("subscriptions/listen", params);
    assertEquals([error.code, error.message], [
      -32602,
      'Member "notifications.resourceSubscriptions" must be a list of URIs',
    ]);
  }
});

Deno.test("MCPWebSocketServer bounds the resources of one client, in both eras together", async () => {
  await using scene = await open({ subscriptions: { maxPerSession: 3, maxLength: 5 } });
  const { server, url } = scene;
  await using client = await JsonSocket.open(url);
  await using other = await JsonSocket.open(url);
  await client.request("resources/subscribe", { uri: "a:1" });
  const [id] = await listen(client, { resourceSubscriptions: ["a:1", "a:2"] });
  const full = { code: -32603, data: { limit: 3 } };
  const refusals = [
    await client.request("resources/subscribe", { uri: "a:3" }),
    await client.request(
      "subscriptions/listen",
      modern({ notifications: { resourceSubscriptions: ["a:3"] } }),
    ),
  ];
  for (const { error: { code, data } } of refusals) assertEquals({ code, data }, full);
  const long = await client.request("resources/subscribe", { uri: "a:1234" });
  assertEquals(long.error.code, -32602);
  await other.request("resources/subscribe", { uri: "a:3" });
  // A request that is refused leaves nothing behind, one that is cancelled makes room.
  client.notify("notifications/cancelled", { requestId: id });
  const uris = ["b:1", "b:2", "b:3"];
  const params = modern({ notifications: { resourceSubscriptions: uris } });
  assertEquals((await client.request("subscriptions/listen", params)).error.code, -32603);
  assertEquals(uris.map((uri) => server.resourceUpdated(uri)), [0, 0, 0]);
  await listen(client, { resourceSubscriptions: ["b:1", "b:2"] });
  assertEquals(server.resourceUpdated("b:2"), 1);
});

Deno.test("maySubscribe decides in both eras, and what it throws fails the request", async () => {
  const asked: unknown[] = [];
  await using scene = await open({
    principalOf: ({ headers }) => headers.get("x-user") ?? undefined,
    maySubscribe(uri, { principal }) {
      if (uri === "a:broken") throw new Error("no rules");
      asked.push([uri, principal?.id]);
      return uri === "a:1";
    },
  });
  const { server, url, errors } = scene;
  await using client = await JsonSocket.open(url, { headers: { "x-user": "ada" } });
  const refused = await client.request("resources/subscribe", { uri: "a:2" });
  assertEquals(refused.error, { code: -32602, message: 'Resource not found: "a:2"' });
  const gone = await client.request("resources/unsubscribe", { uri: "a:2" });
  assertEquals(gone.error.code, -32602);
  assertEquals((await client.request("resources/subscribe", { uri: "a:1" })).result, {});
  const [, honoured] = await listen(client, { resourceSubscriptions: ["a:1", "a:2"] });
  assertEquals(honoured, { resourceSubscriptions: ["a:1"] });
  assertEquals((await listen(client, { resourceSubscriptions: ["a:2"] }))[1], {});
  assertEquals([server.resourceUpdated("a:1"), server.resourceUpdated("a:2")], [2, 0]);
  await heard(client);
  const broken = await client.request("resources/subscribe", { uri: "a:broken" });
  assertEquals(broken.error.code, -32603);
  assertEquals(errors.map(({ message }) => message), ["no rules"]);
  assertEquals(asked[0], ["a:2", "ada"]);
});

Deno.test("MCPWebSocketServer.handle() wins over the server's own subscriptions", async () => {
  await using scene = await open();
  const { server, url } = scene;
  const uris: string[] = [];
  server.handle("resources/subscribe", ({ uri }) => {
    uris.push(uri);
    return { mine: true };
  });
  server.handle("subscriptions/listen", () => ({ mine: true }));
  await using client = await JsonSocket.open(url);
  const { result } = await client.request("resources/subscribe", { uri: "a:1" });
  assertEquals([result, uris], [{ mine: true }, ["a:1"]]);
  const params = modern({ notifications: { resourceSubscriptions: ["a:1"] } });
  assertEquals((await client.request("subscriptions/listen", params)).result.mine, true);
  assertEquals(server.resourceUpdated("a:1"), 0);
});

Deno.test("MCPWebSocketServer.onRequest() wins over the server's own subscriptions", async () => {
  await using scene = await open();
  scene.server.onRequest((_, { method }) => ({ method }));
  await using client = await JsonSocket.open(scene.url);
  const { result } = await client.request("resources/subscribe", { uri: "a:1" });
  assertEquals(result, { method: "resources/subscribe" });
});

Deno.test("MCPWebSocketServer.listChanged() tells initialised clients, and those who listen for it", async () => {
  await using scene = await open();
  const { server, url } = scene;
  await using legacy = await JsonSocket.open(url);
  await using early = await JsonSocket.open(url);
  await using listener = await JsonSocket.open(url);
  await using silent = await JsonSocket.open(url);
  await initialize(legacy);
  // It has not said yet that it is initialised, and never was.
  early.notify("notifications/initialized");
  await early.request("ping");
  const [id] = await listen(listener, { toolsListChanged: true, promptsListChanged: true });
  await listen(silent, { resourceSubscriptions: ["a:1"] });
  const lists = ["tools", "resources", "prompts"] as const;
  assertEquals(lists.map((list) => server.listChanged(list)), [2, 1, 2]);
  const bare = lists.map((list) => ({
    jsonrpc: "2.0",
    method: `notifications/${list}/list_changed`,
  }));
  const tagged = { params: { _meta: { [ID]: id } } };
  assertEquals(await heard(legacy), bare);
  assertEquals(await heard(listener), [{ ...bare[0], ...tagged }, { ...bare[2], ...tagged }]);
  assertEquals([await heard(early), await heard(silent)], [[], []]);
});

Deno.test("MCPWebSocketServer.onSubscribers() hears how many there are after each change", async () => {
  await using scene = await open();
  const { server, url, errors } = scene;
  const seen: [string, number][] = [];
  server.onSubscribers((uri, subscribers) => {
    seen.push([uri, subscribers]);
    // It may tell of the resource at once: the acknowledgement is on its way by then.
    server.resourceUpdated(uri);
  });
  const legacy = await JsonSocket.open(url);
  await legacy.request("resources/subscribe", { uri: "a:1" }).catch(() => {});
  const client = await JsonSocket.open(url);
  await listen(client, { resourceSubscriptions: ["a:1", "a:2"] });
  assertEquals((await client.next()).params.uri, "a:1");
  await legacy.close();
  await client.close();
  await until(() => seen.length === 6);
  assertEquals(seen.slice(0, 3), [["a:1", 1], ["a:1", 2], ["a:2", 1]]);
  assertEquals(seen.slice(3), [["a:1", 1], ["a:1", 0], ["a:2", 0]]);
  server.onSubscribers(() => {
    throw new Error("deaf");
  });
  await using last = await JsonSocket.open(url);
  assertEquals((await last.request("resources/subscribe", { uri: "a:1" })).result, {});
  assertEquals(errors.map(({ message }) => message), ["deaf"]);
});

Deno.test("MCPWebSocketServer.stop() answers listen requests, then closes", async () => {
  await using scene = await open();
  const { server, url, errors } = scene;
  const clients = [await JsonSocket.open(url), await JsonSocket.open(url)];
  const ids: number[] = [];
  for (const client of clients) {
    for (const uri of ["a:1", "a:2"]) {
      ids.push((await listen(client, { resourceSubscriptions: [uri] }))[0]);
    }
  }
  const stopped = server.stop({ timeout: 0 });
  const answers = [];
  for (const client of clients) answers.push(await client.next(), await client.next());
  assertEquals(answers.map(({ id }) => id), ids);
  for (const { id, result } of answers) {
    const serverInfo = { name: "test", version: "1.0.0" };
    const _meta = { [ID]: id, [`${META}serverInfo`]: serverInfo };
    assertEquals(result, { resultType: "complete", _meta });
  }
  for (const { closed } of clients) assertEquals((await closed).code, 1001);
  await stopped;
  assertEquals(errors, []);
});

Deno.test("ServerSession.disconnect() answers listen requests, then closes", async () => {
  await using scene = await open();
  const { server, url } = scene;
  server.handle("x/leave", (_, { session }) => void session.disconnect("Enough", 4403));
  await using client = await JsonSocket.open(url);
  await using other = await JsonSocket.open(url);
  const [id] = await listen(client, { toolsListChanged: true });
  await listen(other, { toolsListChanged: true });
  await client.request("x/leave");
  const { id: answered, result } = await client.next();
  assertEquals([answered, result.resultType], [id, "complete"]);
  assertEquals(await client.closed, { code: 4403, reason: "Enough" });
  assertEquals(server.listChanged("tools"), 1);
});

Deno.test("MCPWebSocketServer keeps the subscriptions of a session while its client is away", async () => {
  await using scene = await open();
  const { server, port } = scene;
  await using peer = new SessionPeer(port);
  await peer.open();
  await peer.request("resources/subscribe", { uri: "a:1" });
  const id = peer.ask(
    "subscriptions/listen",
    modern({ notifications: { toolsListChanged: true } }),
  );
  assertEquals((await peer.next()).method, "notifications/subscriptions/acknowledged");
  await peer.drop();
  await until(() => server.clients[0]?.isAttached === false);
  assertEquals([server.resourceUpdated("a:1"), server.listChanged("tools")], [1, 1]);
  await peer.open();
  assertEquals((await peer.next()).params, { uri: "a:1" });
  assertEquals((await peer.next()).params, { _meta: { [ID]: id } });
});

Deno.test("MCPWebSocketServer forgets everything of clients that have gone", async () => {
  await using scene = await open({ subscriptions: { maxInAll: 2 } });
  const { server, url } = scene;
  for (let round = 0; round < 20; round++) {
    const client = await JsonSocket.open(url);
    await client.request("resources/subscribe", { uri: `a:${round}` });
    await listen(client, { resourceSubscriptions: [`b:${round}`], toolsListChanged: true });
    await client.close();
    await until(() => server.clients.length === 0);
    assertEquals([server.resourceUpdated(`a:${round}`), server.listChanged("tools")], [0, 0]);
  }
});
