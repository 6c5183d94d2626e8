import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { MCPWebSocketPool } from "../../client/pool.ts";
import {
  MCPCapacityError,
  MCPConnectionError,
  MCPRpcError,
  MCPTimeoutError,
} from "../../protocol/errors.ts";
import { until } from "../support/until.ts";
import { DIALECTS, makePool, openPool, range, Site, untilUsable, type Who } from "./_pools.ts";

for (const protocols of DIALECTS) {
  const dialect = protocols.at(-1);

  Deno.test(`request() spreads requests evenly over connections and endpoints (${dialect})`, async () => {
    await using east = await Site.open("east");
    await using west = await Site.open("west");
    await using pool = await openPool([east, west], { size: 2, clientOptions: { protocols } });
    for (const key of range(40)) await pool.request("x/who", { key });
    const counts = [...east.bySession.values(), ...west.bySession.values()];
    assertEquals(counts, [10, 10, 10, 10]);
  });

  Deno.test(`request() takes the connection with the fewest in flight (${dialect})`, async () => {
    await using site = await Site.open("only");
    await using pool = await openPool([site], { size: 2, clientOptions: { protocols } });
    const held = pool.request<Who>("x/held", { key: "held" });
    await until(() => site.count === 1);
    const others = await Promise.all(
      range(5).map(async (key) => {
        return await pool.request<Who>("x/who", { key });
      }),
    );
    // With one in flight on each, they take turns; with none, it is the idle one's.
    site.release();
    const { session } = await held;
    const same = others.filter((who) => who.session === session).length;
    assertEquals(same, 2);
  });
}

Deno.test("connect() resolves with the first connection, and the rest follows", async () => {
  await using up = await Site.open("up");
  await using down = await Site.open("down");
  down.kill();
  await using pool = makePool([down, up], { size: 1 });
  await pool.connect();
  assertEquals(await pool.request<Who>("x/who", { key: 1 }).then(({ name }) => name), "up");
  down.link.admit();
  await untilUsable(pool, 2);
});

Deno.test("connect() fails when too few connections can be opened, and closes the others", async () => {
  await using up = await Site.open("up");
  await using down = await Site.open("down");
  down.kill();
  const pool = makePool([up, down], { size: 1 });
  const error = await assertRejects(
    () => pool.connect({ minConnections: 2 }),
    MCPConnectionError,
    "Cannot connect pool as 1 of 2 connections failed",
  );
  assertEquals([error.kind, error.retryable], ["network", true]);
  assertInstanceOf(error.cause, MCPConnectionError);
  assertEquals([pool.isUsable, pool.getStats().usable], [false, 0]);
});

Deno.test("connect() can be aborted, and leaves nothing open", async () => {
  await using site = await Site.open("slow");
  site.link.freeze();
  const pool = makePool([site]);
  const controller = new AbortController();
  const connecting = pool.connect({ signal: controller.signal });
  const reason = new Error("enough");
  await until(() => site.link.stats.accepted === 2);
  controller.abort(reason);
  assertStrictEquals(await assertRejects(() => connecting), reason);
  assertStrictEquals(
    await assertRejects(() => pool.connect({ signal: controller.signal })),
    reason,
  );
});

Deno.test("connect() works again after close(), and not twice before", async () => {
  await using site = await Site.open("again");
  await using pool = await openPool([site], { size: 1 });
  await assertRejects(() => pool.connect(), TypeError, "it is connected");
  await pool.close();
  await pool.close();
  await assertRejects(() => pool.request("x/who"), MCPConnectionError, "the pool is not connected");
  await pool.connect();
  assertEquals((await pool.request<Who>("x/who")).name, "again");
});

Deno.test("close() rejects what is in flight once, with an unknown outcome", async () => {
  await using site = await Site.open("closing");
  const pool = await openPool([site]);
  const held = pool.request("x/held");
  const rejected = assertRejects(() => held, MCPConnectionError);
  await until(() => site.count === 1);
  await pool.close();
  assertEquals((await rejected).outcome, "unknown");
});

Deno.test("request() is typed like the client's", async () => {
  await using site = await Site.open("typed");
  await using pool = await openPool([site]);
  site.release();
  const { contents } = await pool.request("resources/read", { uri: "a:b" }, { lane: "small" });
  assertEquals(contents[0]?.uri, "a:b");
  // @ts-expect-error: parameters are required.
  await assertRejects(() => pool.request("resources/read"), MCPRpcError);
  // @ts-expect-error: no such lane.
  await pool.request("x/who", {}, { lane: "middle" }).catch(() => {});
});

Deno.test("request() rejects with the server's error, and counts it", async () => {
  await using site = await Site.open("errors");
  await using pool = await openPool([site]);
  const error = await assertRejects(() => pool.request("x/unknown"), MCPRpcError);
  assertEquals(error.code, -32601);
  const { requestsSettled, requestsFailed, errorRate, moved } = pool.getStats();
  assertEquals([requestsSettled, requestsFailed, errorRate, moved], [1, 1, 1, 0]);
});

Deno.test("request() can be aborted before and in flight; the server is told", async () => {
  await using site = await Site.open("abort");
  await using pool = await openPool([site]);
  const reason = new Error("enough");
  const aborted = AbortSignal.abort(reason);
  const early = await assertRejects(() => pool.request("x/held", {}, { signal: aborted }));
  assertStrictEquals(early, reason);
  const controller = new AbortController();
  const held = pool.request("x/held", {}, { signal: controller.signal });
  await until(() => site.count === 1);
  controller.abort(reason);
  assertStrictEquals(await assertRejects(() => held), reason);
  await until(() => site.aborted === 1);
  assertEquals(pool.getStats().pendingRequests, 0);
});

Deno.test("request() times out like the client's", async () => {
  await using site = await Site.open("late");
  await using pool = await openPool([site]);
  const error = await assertRejects(
    () => pool.request("x/held", {}, { timeout: 20 }),
    MCPTimeoutError,
  );
  assertEquals(error.timeout, 20);
});

Deno.test("request() refuses what belongs to one session, and points to clients", async () => {
  await using site = await Site.open("bound");
  await using pool = await openPool([site]);
  for (const method of ["resources/subscribe", "resources/unsubscribe"] as const) {
    await assertRejects(() => pool.request(method, { uri: "a:b" }), TypeError, '"clients"');
  }
  assertEquals(pool.clients.length, 2);
  const [client] = pool.clients;
  assertEquals((await client?.request<Who>("x/who"))?.name, "bound");
});

Deno.test("maxPendingPerConnection bounds each connection, and the error names the sum", async () => {
  await using site = await Site.open("full");
  await using pool = await openPool([site], { size: 2, maxPendingPerConnection: 3 });
  const held = range(6).map((key) => pool.request<Who>("x/held", { key }));
  const error = await assertRejects(
    () => pool.request("x/who"),
    MCPCapacityError,
    'Cannot send request "x/who" as 2 connections have 3 in flight already each',
  );
  assertEquals([error.limit, error.retryable], [6, true]);
  assertEquals(pool.getStats().refused, 1);
  site.release();
  await Promise.all(held);
  assertEquals([...site.bySession.values()], [3, 3]);
  await pool.request("x/who");
});

Deno.test("handle() answers the servers of present and future connections", async () => {
  await using east = await Site.open("east");
  await using west = await Site.open("west");
  await using pool = await openPool([east], { size: 1, clientOptions: { era: "legacy" } });
  pool.handle("roots/list", () => ({ roots: [{ uri: "file:///first" }] }));
  await pool.add(west.url);
  pool.handle("roots/list", () => ({ roots: [{ uri: "file:///second" }] }));
  const listRoots = async (_params: unknown, { session }: { session: { request: AskRoots } }) => {
    return { ...await session.request("roots/list") };
  };
  for (const { server } of [east, west]) server.handle("x/roots", listRoots);
  for (const _ of range(2)) {
    assertEquals(await pool.request("x/roots"), { roots: [{ uri: "file:///second" }] });
  }
});

type AskRoots = (method: "roots/list") => Promise<{ roots: { uri: string }[] }>;

Deno.test("onNotification() hears every connection, present and future", async () => {
  await using east = await Site.open("east");
  await using west = await Site.open("west");
  await using pool = await openPool([east], { size: 2 });
  const heard: unknown[] = [];
  const others: string[] = [];
  pool.onNotification("x/news", ({ from }) => heard.push(from));
  pool.onAnyNotification(({ method }) => others.push(method));
  await pool.add(west.url);
  await untilUsable(pool, 4);
  for (const [name, { server }] of Object.entries({ east, west })) {
    server.broadcast("x/news", { from: name });
    server.broadcast("x/other");
  }
  await until(() => heard.length === 4 && others.length === 4);
  assertEquals(heard.sort(), ["east", "east", "west", "west"]);
});

Deno.test("notify() tells every session", async () => {
  await using site = await Site.open("notified");
  await using pool = await openPool([site], { size: 3 });
  await pool.notify("x/note", {}, { delivered: true });
  await until(() => site.heard.length === 3);
  assertEquals(new Set(site.heard).size, 3);
  site.kill();
  await untilUsable(pool, 0);
  await assertRejects(() => pool.notify("x/note"), MCPConnectionError, "none of 4 connections");
  await pool.close();
  await assertRejects(() => pool.notify("x/note"), MCPConnectionError, "not connected");
});

Deno.test("getStats() adds up what can be added, and measures latency itself", async () => {
  await using east = await Site.open("east");
  await using west = await Site.open("west");
  await using pool = await openPool([east, west], { size: 1, largeRequestBytes: false });
  await Promise.all(range(30).map((key) => pool.request("x/who", { key })));
  const stats = pool.getStats();
  assertEquals([stats.connections, stats.usable, stats.pendingRequests], [2, 2, 0]);
  assertEquals([stats.requestsSettled, stats.requestsFailed, stats.waiting], [30, 0, 0]);
  assertEquals(stats.requestLatency?.samples, 30);
  const sent = stats.members.reduce((sum, { stats }) => sum + stats.messagesSent, 0);
  assertEquals([stats.messagesSent, stats.successes], [sent, 2]);
  const [slowest = 0] = stats.members.map(({ stats }) => stats.requestLatency?.p99 ?? 0)
    .sort((a, b) => b - a);
  assertEquals(stats.slowest?.stats.requestLatency?.p99, slowest);
  assert(Object.isFrozen(stats));
  // What an endpoint has done is not forgotten when it leaves.
  await pool.drain(west.url);
  assertEquals(pool.getStats().messagesSent >= sent, true);
  assertEquals(pool.getStats().connections, 1);
});

Deno.test("healthCheck() sums up the connections", async () => {
  await using east = await Site.open("east");
  await using west = await Site.open("west");
  await using pool = await openPool([east, west], { size: 1 });
  const healthy = await pool.healthCheck();
  assertEquals([healthy.status, healthy.members.length], ["healthy", 2]);
  west.kill();
  await untilUsable(pool, 1);
  const degraded = await pool.healthCheck();
  assertEquals(degraded.status, "degraded");
  assertEquals(degraded.members.map(({ report }) => report.status), ["healthy", "unhealthy"]);
  east.kill();
  await untilUsable(pool, 0);
  assertEquals((await pool.healthCheck()).status, "unhealthy");
});

Deno.test("events tell which connection changed, or failed", async () => {
  await using site = await Site.open("events");
  await using pool = makePool([site], { size: 1 });
  const changes: string[] = [];
  const contexts: string[] = [];
  pool.addEventListener("statechange", ({ detail }) => changes.push(detail.state.status));
  pool.addEventListener("error", ({ detail }) => contexts.push(detail.context));
  await pool.connect();
  site.kill();
  await until(() => contexts.length > 0);
  assertEquals(changes.slice(0, 3), ["connecting", "connected", "reconnecting"]);
  assertEquals(contexts[0], `${site.url}: dial`);
});

Deno.test("add() takes an endpoint out again when none of its connections opens", async () => {
  await using up = await Site.open("up");
  await using down = await Site.open("down");
  down.kill();
  await using pool = await openPool([up], { size: 1 });
  await assertRejects(() => pool.add(down.url), MCPConnectionError);
  assertEquals(pool.endpoints, [up.url]);
  await assertRejects(() => pool.add(up.url), TypeError, "it is there");
});

Deno.test("the pool refuses wrong options", () => {
  const url = "ws://127.0.0.1:1/mcp";
  const make = (options: object) => () => new MCPWebSocketPool(url, options);
  const counts = ["size", "maxPendingPerConnection", "largeRequestBytes", "maxWaiting"];
  for (const name of counts) assertThrows(make({ [name]: 0 }), RangeError, `"${name}"`);
  for (const name of ["largeIdleTimeout", "failoverDelay", "maxWait"]) {
    assertThrows(make({ [name]: -1 }), RangeError, `"${name}"`);
  }
  assertThrows(make({ whenDown: "hope" }), TypeError, 'current value is "hope"');
  assertThrows(make({ clientOptions: { connectTimeout: 0 } }), RangeError, "connectTimeout");
  assertThrows(() => new MCPWebSocketPool([url, url]), TypeError, "it is there");
  assertThrows(() => new MCPWebSocketPool("http://127.0.0.1"), TypeError);
});

Deno.test("connect() refuses a minimum that cannot be met", async () => {
  await using site = await Site.open("few");
  await using pool = makePool([site], { size: 2 });
  await assertRejects(() => pool.connect({ minConnections: 3 }), RangeError, "at most 2");
  await assertRejects(() => pool.connect({ minConnections: 0 }), RangeError, "positive integer");
});
