import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import {
  MCPConnectionError,
  MCPError,
  MCPRpcError,
  MCPTimeoutError,
} from "../../protocol/errors.ts";
import { MCPWebSocketClient } from "../../client/client.ts";
import type { MCPWebSocketClientOptions } from "../../client/client_options.ts";
import type { Json } from "../support/json_socket.ts";
import { playLegacy, ScriptedServer, type Visit } from "../support/scripted_server.ts";
import { until } from "../support/until.ts";

const EAGER = { immediate: [], minDelay: 1, maxDelay: 1, minUptime: 20 };

const MODERN = "2026-07-28";

const DISCOVERED = {
  supportedVersions: [MODERN],
  capabilities: { tools: {} },
  instructions: "Be nice",
  _meta: { "io.modelcontextprotocol/serverInfo": { name: "modern", version: "2.0.0" } },
};

/** What the server does with a message; `true` if nothing else has to be done. */
type Answering = (message: Json, visit: Visit) => unknown;

interface Playing extends AsyncDisposable {
  readonly url: string;
  readonly heard: Json[];
  readonly visits: Visit[];
}

function play(answering: Answering = () => {}): Playing {
  const heard: Json[] = [];
  const visits: Visit[] = [];
  const server = new ScriptedServer((visit) => {
    visits.push(visit);
    return playLegacy(visit, (message) => {
      heard.push(message);
      return answering(message, visit);
    });
  });
  return {
    url: server.url,
    heard,
    visits,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

const methods = (playing: Playing) => playing.heard.map(({ method }) => method);

/** Answers `server/discover` with a result, or an error. */
function discovering(answer: { result?: object; error?: object }): Answering {
  return async ({ id, method }, visit) => {
    if (method !== "server/discover") return false;
    await visit.send({ id, ...answer });
    return true;
  };
}

function makeClient(url: string, options: MCPWebSocketClientOptions = {}): MCPWebSocketClient {
  return new MCPWebSocketClient(url, {
    reconnect: EAGER,
    clientInfo: { name: "test", version: "1.0.0" },
    ...options,
  });
}

Deno.test("connect() opens a legacy server: initialize, then initialized", async () => {
  await using playing = play();
  await using client = makeClient(playing.url, { era: "legacy", capabilities: { sampling: {} } });
  const openings: Json[] = [];
  client.addEventListener("initialized", ({ detail }) => openings.push(detail));
  assertEquals([client.era, client.isInitialized, client.serverInfo], [
    undefined,
    false,
    undefined,
  ]);
  await client.connect();
  await until(() => playing.heard.length === 2);
  assertEquals(methods(playing), ["initialize", "notifications/initialized"]);
  assertEquals(playing.heard[0].params, {
    protocolVersion: "2025-11-25",
    capabilities: { sampling: {} },
    clientInfo: { name: "test", version: "1.0.0" },
  });
  assertEquals([client.era, client.protocolVersion], ["legacy", "2025-11-25"]);
  assertEquals(client.serverInfo, { name: "scripted", version: "1.0.0" });
  assertEquals(client.serverCapabilities, { tools: {}, resources: {} });
  assertEquals([client.state.status, client.isInitialized], ["initialized", true]);
  assertEquals([client.isConnected, client.isOffline, client.instructions], [
    true,
    false,
    undefined,
  ]);
  assertEquals(openings.length, 1);
});

Deno.test("connect() opens a modern server, and every request says its revision", async () => {
  await using playing = play(discovering({ result: DISCOVERED }));
  await using client = makeClient(playing.url);
  await client.connect();
  assertEquals([client.era, client.protocolVersion], ["modern", MODERN]);
  assertEquals(client.serverInfo, { name: "modern", version: "2.0.0" });
  assertEquals([client.instructions, client.serverCapabilities], ["Be nice", { tools: {} }]);
  await client.request("tools/list");
  assertEquals(methods(playing), ["server/discover", "tools/list"]);
  for (const { params } of playing.heard) {
    assertEquals(params._meta, {
      "io.modelcontextprotocol/protocolVersion": MODERN,
      "io.modelcontextprotocol/clientCapabilities": {},
      "io.modelcontextprotocol/clientInfo": { name: "test", version: "1.0.0" },
    });
  }
});

const LEGACY_ANSWERS: Record<string, Answering> = {
  "does not know the probe": () => {},
  "speaks no modern revision that is known": discovering({
    result: { ...DISCOVERED, supportedVersions: ["2031-01-01"] },
  }),
  "answers the probe with nonsense": discovering({ result: {} }),
  "refuses the revision, and knows none of ours": discovering({
    error: { code: -32022, message: "no", data: { supported: ["2031-01-01"] } },
  }),
  "wants to be initialized first": discovering({ error: { code: -32600, message: "not yet" } }),
  "does not answer the probe": ({ method }) => method === "server/discover",
};

for (const [what, answering] of Object.entries(LEGACY_ANSWERS)) {
  Deno.test(`era auto takes a server that ${what} for a legacy one`, async () => {
    await using playing = play(answering);
    await using client = makeClient(playing.url, { probeTimeout: 50 });
    await client.connect();
    assertEquals(client.era, "legacy");
    assertEquals(methods(playing)[0], "server/discover");
    assert(methods(playing).includes("initialize"));
  });
}

Deno.test("a modern server that refuses the revision is asked again with one it lists", async () => {
  let refusals = 0;
  await using playing = play(async ({ id, method }, visit) => {
    if (method !== "server/discover") return false;
    const data = { supported: ["2031-01-01", MODERN] };
    const error = { code: -32022, message: "Unsupported", data };
    await visit.send(refusals++ === 0 ? { id, error } : { id, result: DISCOVERED });
    return true;
  });
  await using client = makeClient(playing.url);
  await client.connect();
  assertEquals([client.era, refusals], ["modern", 2]);
});

Deno.test("era modern does not fall back", async () => {
  for (const [what, answering] of Object.entries(LEGACY_ANSWERS)) {
    await using playing = play(answering);
    await using client = makeClient(playing.url, { era: "modern", probeTimeout: 50 });
    const error = await assertRejects(() => client.connect(), MCPError);
    assert(!methods(playing).includes("initialize"), what);
    assertEquals(client.state.status, "disconnected", error.message);
  }
});

Deno.test("connect() fails where no revision is spoken by both", async () => {
  await using playing = play(async ({ id, method }, visit) => {
    if (method !== "initialize") return false;
    await visit.answer({ id }, { protocolVersion: "1999-01-01", capabilities: {} });
    return true;
  });
  const client = makeClient(playing.url, { era: "legacy" });
  const error = await assertRejects(() => client.connect(), MCPError);
  assertEquals(error.kind, "protocol");
  assertEquals(
    error.message,
    'Cannot open conversation: the server speaks "1999-01-01", this client ' +
      '["2025-11-25","2025-06-18","2025-03-26","2024-11-05"]',
  );
  assertEquals([client.state.status, client.isConnected], ["disconnected", false]);
});

Deno.test("connect() fails where the server refuses, and cleans up", async () => {
  await using playing = play(async ({ id, method }, visit) => {
    if (method !== "initialize") return false;
    await visit.send({ id, error: { code: -32001, message: "Who are you" } });
    return true;
  });
  const client = makeClient(playing.url);
  const error = await assertRejects(() => client.connect(), MCPRpcError, "Who are you");
  assertEquals([error.code, client.state.status], [-32001, "disconnected"]);
});

Deno.test("connect() can be aborted while MCP is being opened", async () => {
  for (const era of ["auto", "legacy", "modern"] as const) {
    await using playing = play(() => true);
    const client = makeClient(playing.url, { era });
    const controller = new AbortController();
    const connect = client.connect({ signal: controller.signal });
    connect.catch(() => {});
    await until(() => playing.heard.length === 1);
    const reason = new Error("enough");
    controller.abort(reason);
    assertStrictEquals(await assertRejects(() => connect), reason);
    assertEquals([client.state.status, client.isConnected], ["disconnected", false]);
  }
});

Deno.test("disconnect() while MCP is being opened ends connect(), too", async () => {
  await using playing = play(() => true);
  const client = makeClient(playing.url);
  const connect = assertRejects(() => client.connect(), MCPConnectionError);
  await until(() => playing.heard.length === 1);
  await client.disconnect();
  await connect;
  assertEquals([client.state.status, client.isInitialized], ["disconnected", false]);
});

Deno.test("connect() survives a connection that dies while MCP is being opened", async () => {
  await using playing = play(({ method }, visit) => {
    if (visit.number > 1 || method !== "initialize") return false;
    visit.cut();
    return true;
  });
  await using client = makeClient(playing.url);
  await client.connect();
  assertEquals([client.era, client.isInitialized, playing.visits.length], ["legacy", true, 2]);
});

Deno.test("connect() twice is an error, and harms nobody", async () => {
  await using playing = play();
  await using client = makeClient(playing.url);
  const connect = client.connect();
  await assertRejects(() => client.connect(), TypeError, "it has been started");
  await connect;
  await assertRejects(() => client.connect(), TypeError, "it has been started");
  assertEquals(client.isInitialized, true);
  await client.request("ping");
});

Deno.test("connect() after disconnect() works again, with the same handlers", async () => {
  let isOnce = false;
  await using playing = play(async ({ method }, visit) => {
    if (method !== "notifications/initialized" || isOnce) return;
    await visit.send({ id: "s1", method: "roots/list" });
    await visit.send({ method: "notifications/tools/list_changed" });
  });
  const client = makeClient(playing.url);
  let changes = 0;
  client.handle("roots/list", () => ({ roots: [{ uri: "file:///a" }] }));
  client.onNotification("notifications/tools/list_changed", () => changes++);
  for (let round = 1; round <= 3; round++) {
    await client.connect();
    await until(() => changes === round);
    await until(() => playing.heard.filter(({ id }) => id === "s1").length === round);
    await client.request("ping");
    await client.disconnect();
    assertEquals([client.state.status, client.era], ["disconnected", undefined]);
    await assertRejects(() => client.request("ping"), MCPConnectionError);
    await assertRejects(() => client.notify("x"), MCPConnectionError);
  }
  assertEquals(playing.heard.filter(({ id }) => id === "s1").map(({ result }) => result.roots), [
    [{ uri: "file:///a" }],
    [{ uri: "file:///a" }],
    [{ uri: "file:///a" }],
  ]);
  isOnce = true;
});

Deno.test("what the server says first on a new connection is heard, also the second time", async () => {
  await using server = new ScriptedServer((visit) => {
    const { accept } = visit;
    visit.accept = async () => {
      await accept.call(visit);
      await visit.send({ method: "notifications/message", params: { n: visit.number } });
    };
    return playLegacy(visit);
  });
  const client = makeClient(server.url, { era: "legacy" });
  const heard: unknown[] = [];
  client.onNotification("notifications/message", ({ n }) => heard.push(n));
  for (let round = 1; round <= 5; round++) {
    await client.connect();
    await until(() => heard.length === round);
    await client.disconnect();
  }
  assertEquals(heard, [1, 2, 3, 4, 5]);
});

Deno.test("await using disconnects, and disconnecting twice is fine", async () => {
  await using playing = play();
  let client: MCPWebSocketClient;
  {
    await using inner = makeClient(playing.url);
    client = inner;
    await inner.connect();
  }
  assertEquals(client.state.status, "disconnected");
  await client.disconnect();
});

Deno.test("request() gives the result, or throws what the server answered", async () => {
  await using playing = play(async ({ id, method, params }, visit) => {
    if (method === "x/echo") await visit.answer({ id }, params);
    else if (method === "x/fail") {
      await visit.send({ id, error: { code: 7, message: "no", data: { why: 1 } } });
    } else return false;
    return true;
  });
  await using client = makeClient(playing.url, { era: "legacy" });
  await client.connect();
  assertEquals(await client.request("x/echo", { a: 1 }), { a: 1 });
  const error = await assertRejects(() => client.request("x/fail"), MCPRpcError, "no");
  assertEquals([error.code, error.data], [7, { why: 1 }]);
});

Deno.test("request() runs out of time, tells the server, and counts it", async () => {
  await using playing = play(({ method }) => method === "x/slow");
  await using client = makeClient(playing.url, { era: "legacy", requestTimeout: 20 });
  await client.connect();
  const error = await assertRejects(() => client.request("x/slow"), MCPTimeoutError);
  assertEquals(error.timeout, 20);
  await until(() => methods(playing).includes("notifications/cancelled"));
  const { requests, pendingRequests } = client.getStats();
  assertEquals([requests.timeouts, requests.pending, pendingRequests], [1, 0, 0]);
  assert(Object.isFrozen(client.getStats()));
});

Deno.test("updateOptions() changes the time limit of requests to come", async () => {
  await using playing = play(({ method }) => method === "x/slow");
  await using client = makeClient(playing.url, { era: "legacy" });
  await client.connect();
  client.updateOptions({ requestTimeout: 15 });
  const error = await assertRejects(() => client.request("x/slow"), MCPTimeoutError);
  assertEquals(error.timeout, 15);
});

Deno.test("a request in flight that is not safe rejects with outcome unknown when the connection is lost", async () => {
  await using playing = play(({ method }, visit) => {
    if (method !== "tools/call") return false;
    visit.cut();
    return true;
  });
  await using client = makeClient(playing.url, { era: "legacy" });
  await client.connect();
  const error = await assertRejects(
    () => client.request("tools/call", { name: "pay" }),
    MCPConnectionError,
  );
  assertEquals(error.outcome, "unknown");
  await until(() => client.isInitialized);
});

Deno.test("a request in flight that says retry is sent again", async () => {
  await using playing = play(({ method }, visit) => {
    if (method !== "tools/call" || visit.number > 1) return false;
    visit.cut();
    return true;
  });
  await using client = makeClient(playing.url, { era: "legacy" });
  await client.connect();
  await client.request("tools/call", { name: "set" }, { retry: true });
  assertEquals(methods(playing).filter((method) => method === "tools/call").length, 2);
});

Deno.test("requests in flight reject when the client disconnects, or has given up", async () => {
  await using playing = play(({ method }, visit) => {
    if (method === "x/fatal") return visit.close(1008).then(() => true);
    return method === "x/slow";
  });
  const client = makeClient(playing.url, { era: "legacy" });
  await client.connect();
  const slow = assertRejects(() => client.request("x/slow"), MCPConnectionError);
  await until(() => methods(playing).includes("x/slow"));
  await client.disconnect();
  const { message, outcome } = await slow;
  assertEquals([message, outcome], ["The client was disconnected before the answer", "unknown"]);
  await client.connect();
  const error = await assertRejects(() => client.request("x/fatal"), MCPConnectionError);
  assertEquals(error.outcome, "unknown");
  await until(() => client.state.status === "failed");
  const late = await assertRejects(() => client.request("ping"), MCPConnectionError);
  assertEquals(late.verdict?.cause, "forbidden");
});

Deno.test("the client answers the server: ping by itself, what is handled, and nothing else", async () => {
  await using playing = play();
  await using client = makeClient(playing.url, { era: "legacy" });
  client.handle("x/double", ({ n }) => ({ n: Number(n) * 2 }));
  await client.connect();
  const visit = playing.visits[0] as Visit;
  await visit.send({ id: "a", method: "ping" });
  await visit.send({ id: "b", method: "x/double", params: { n: 21 } });
  await visit.send({ id: "c", method: "x/unknown" });
  await until(() => playing.heard.filter(({ method }) => method === undefined).length === 3);
  const answers = playing.heard.filter(({ method }) => method === undefined);
  assertEquals(answers.map(({ id, result, error }) => [id, result ?? error.code]), [
    ["a", {}],
    ["b", { n: 42 }],
    ["c", -32601],
  ]);
});

Deno.test("notifications are heard by their method, and all others by one handler", async () => {
  await using playing = play();
  await using client = makeClient(playing.url, { era: "legacy" });
  const heard: string[] = [];
  client.onNotification("a", () => heard.push("a"));
  client.onAnyNotification(({ method }) => heard.push(`any ${method}`));
  await client.connect();
  for (const method of ["a", "b"]) await (playing.visits[0] as Visit).send({ method });
  await until(() => heard.length === 2);
  assertEquals(heard, ["a", "any b"]);
});

Deno.test("notify() and send() say what they are told to say", async () => {
  await using playing = play();
  await using client = makeClient(playing.url, { era: "legacy" });
  await client.connect();
  await client.notify("x/one", { n: 1 });
  await client.send({ jsonrpc: "2.0", method: "x/two" });
  await until(() => playing.heard.length === 4);
  assertEquals(playing.heard.slice(2), [
    { jsonrpc: "2.0", method: "x/one", params: { n: 1 } },
    { jsonrpc: "2.0", method: "x/two" },
  ]);
});

Deno.test("events of the transport are the client's, too, in order", async () => {
  await using playing = play();
  await using client = makeClient(playing.url, { era: "legacy" });
  const events: string[] = [];
  client.addEventListener("statechange", ({ detail }) => events.push(detail.state.status));
  client.addEventListener("initialized", ({ detail }) => events.push(`initialized ${detail.era}`));
  client.addEventListener("lost", ({ detail }) => events.push(`lost ${detail.loss.cause}`));
  client.addEventListener("recovered", () => events.push("recovered"));
  client.addEventListener("error", ({ detail }) => events.push(`error ${detail.context}`));
  await client.connect();
  await until(() => playing.heard.length === 2);
  await (playing.visits[0] as Visit).sendText("no JSON");
  await until(() => events.includes("error connection"));
  playing.visits[0]?.cut();
  await until(() => events.includes("recovered"));
  assertEquals([client.state.status, client.isInitialized], ["initialized", true]);
  assertEquals(events, [
    "connecting",
    "connected",
    "initialized legacy",
    "error connection",
    "lost reset",
    "reconnecting",
    "connecting",
    "connected",
    "recovered",
  ]);
});

Deno.test("the client is not initialized while it reconnects, and reconnect() hurries it", async () => {
  await using playing = play();
  const slow = { ...EAGER, minDelay: 30_000, maxDelay: 30_000 };
  await using client = makeClient(playing.url, { era: "legacy", reconnect: slow });
  await client.connect();
  playing.visits[0]?.cut();
  await until(() => client.state.status === "reconnecting");
  assertEquals([client.isConnected, client.isInitialized, client.era], [false, false, "legacy"]);
  client.reconnect();
  await until(() => client.isInitialized);
});

Deno.test("a handler of notifications that throws becomes an error event", async () => {
  await using playing = play();
  await using client = makeClient(playing.url, { era: "legacy" });
  const errors: [string, string][] = [];
  client.addEventListener("error", ({ detail }) => {
    errors.push([detail.context, detail.error.message]);
  });
  client.onNotification("a", () => {
    throw new Error("boom");
  });
  await client.connect();
  await (playing.visits[0] as Visit).send({ method: "a" });
  await until(() => errors.length === 1);
  assertEquals(errors, [["peer", "boom"]]);
});

Deno.test("the client is offline while the network is", async () => {
  await using playing = play();
  const client = makeClient(playing.url, { era: "legacy" });
  await client.connect();
  globalThis.dispatchEvent(new Event("offline"));
  playing.visits[0]?.cut();
  await until(() => client.isOffline);
  assertEquals(client.state.status, "offline");
  globalThis.dispatchEvent(new Event("online"));
  await until(() => client.isInitialized);
  await client.disconnect();
});

Deno.test("the client says who it is when nobody tells it", async () => {
  await using playing = play();
  await using client = new MCPWebSocketClient(playing.url, { era: "legacy" });
  await client.connect();
  assertEquals(playing.heard[0].params.clientInfo.name, "bowline");
});

Deno.test("the client refuses a URL that is none, at once", () => {
  assertThrows(() => new MCPWebSocketClient("http://127.0.0.1/"), TypeError, "scheme");
  assertThrows(() => new MCPWebSocketClient("nonsense"), SyntaxError);
});

Deno.test("requests and handlers are typed by their method", () => {
  // Compiled, never run.
  const _typed = async (client: MCPWebSocketClient) => {
    const { tools } = await client.request("tools/list");
    tools[0]?.name satisfies string | undefined;
    const { content } = await client.request("tools/call", { name: "add", arguments: { a: 1 } });
    content satisfies readonly unknown[];
    // @ts-expect-error: its parameters are required
    await client.request("tools/call");
    // @ts-expect-error: a name is missing
    await client.request("tools/call", { arguments: {} });
    // @ts-expect-error: a name is a string
    await client.request("tools/call", { name: 1 });
    // @ts-expect-error: a URI is missing
    await client.request("resources/read", {});
    (await client.request("x/echo", { any: "thing" })) satisfies unknown;
    (await client.request<{ n: number }>("x/echo")).n satisfies number;
    // @ts-expect-error: the result is not known
    (await client.request("x/echo")).n;
    client.handle("roots/list", () => ({ roots: [] }));
    // @ts-expect-error: roots are missing
    client.handle("roots/list", () => ({}));
    client.handle("x/own", ({ n }, { signal }) => ({ n, aborted: signal.aborted }));
  };
  const _custom = async (
    client: MCPWebSocketClient<{ "math/add": { params: { a: number }; result: { sum: number } } }>,
  ) => {
    (await client.request("math/add", { a: 1 })).sum satisfies number;
    // @ts-expect-error: a number is missing
    await client.request("math/add", {});
  };
  assertInstanceOf(_typed, Function);
  assertInstanceOf(_custom, Function);
});
