import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { isLongerThan } from "../../client/pool/message_size.ts";
import { MCPConnectionError } from "../../protocol/errors.ts";
import { ManualClock } from "../support/manual_clock.ts";
import { playLegacy, ScriptedServer, type Visit } from "../support/scripted_server.ts";
import { isLarge, laneStates, LARGE } from "./_pool_lanes.ts";
import { makePool, openPool, range, Site, untilUsable, type Who } from "./_pools.ts";
import { until } from "../support/until.ts";
import { MCPWebSocketPool } from "../../client/pool.ts";

Deno.test("a large request goes over a connection of its own, which is opened for it", async () => {
  await using site = await Site.open("lanes");
  await using pool = await openPool([site], { size: 1 });
  assertEquals(laneStates(pool), ["small connected", "large disconnected"]);
  const small = await pool.request<Who>("x/who", { key: "small" });
  const large = await pool.request<Who>("x/who", { key: "large", data: LARGE });
  assert(small.session !== large.session);
  assertEquals(laneStates(pool), ["small connected", "large connected"]);
  const again = await pool.request<Who>("x/who", { data: LARGE });
  assertEquals(again.session, large.session);
});

Deno.test("only the caller knows that a result is large: lane says so", async () => {
  await using site = await Site.open("lanes");
  await using pool = await openPool([site], { size: 1 });
  const small = await pool.request<Who>("x/who", { data: LARGE }, { lane: "small" });
  const large = await pool.request<Who>("x/who", {}, { lane: "large" });
  assert(small.session !== large.session);
});

Deno.test("largeRequestBytes: false sends all over the same connections", async () => {
  await using site = await Site.open("lanes");
  await using pool = await openPool([site], { size: 1, largeRequestBytes: false });
  await pool.request("x/who", { data: LARGE });
  await pool.request("x/who", {}, { lane: "large" });
  assertEquals([site.bySession.size, laneStates(pool)], [1, ["small connected"]]);
});

Deno.test("a large request that crawls does not delay a small one", async () => {
  // The second connection takes ten seconds for it, the first one would, too.
  const rates = [undefined, { up: 800_000 }];
  await using site = await Site.open("lanes", (index) => ({ throttle: rates[index] ?? {} }));
  const clientOptions = { protocols: ["mcp"], maxSendBytes: 16 * 1024 * 1024 };
  await using pool = await openPool([site], { size: 1, clientOptions });
  const controller = new AbortController();
  const { signal } = controller;
  const params = { key: "large", data: "x".repeat(8_000_000) };
  const large = pool.request<Who>("x/who", params, { signal });
  const ended = assertRejects(() => large);
  await untilUsable(pool, 2);
  for (const key of range(50)) await pool.request<Who>("x/who", { key });
  assertEquals([site.count, site.runs.has("large")], [50, false]);
  assertEquals(pool.getStats().pendingRequests, 1);
  controller.abort(new Error("enough"));
  await ended;
});

Deno.test("large requests spread over endpoints: a busy connection is not the last one", async () => {
  await using east = await Site.open("east");
  await using west = await Site.open("west");
  await using pool = await openPool([east, west], { size: 1 });
  const first = pool.request<Who>("x/held", { key: 1 }, { lane: "large" });
  await until(() => east.count + west.count === 1);
  // Goes over the same one, as another is not open yet, but asks for it.
  const second = pool.request<Who>("x/held", { key: 2 }, { lane: "large" });
  await untilUsable(pool, 4);
  const third = pool.request<Who>("x/held", { key: 3 }, { lane: "large" });
  await until(() => east.count > 0 && west.count > 0);
  east.release();
  west.release();
  const names = (await Promise.all([first, second, third])).map(({ name }) => name);
  assertEquals(names[0], names[1]);
  assert(names[2] !== names[0]);
});

Deno.test("a connection for large requests is closed when it has had nothing to do for long", async () => {
  const visits: Visit[] = [];
  await using server = new ScriptedServer((visit) => {
    visits.push(visit);
    return playLegacy(visit);
  });
  const clock = new ManualClock();
  await using pool = new MCPWebSocketPool(server.url, {
    size: 1,
    clientOptions: { protocols: ["mcp"], era: "legacy", clock, heartbeat: false },
  });
  await pool.connect();
  await pool.request("x/any", { data: LARGE });
  assertEquals(laneStates(pool), ["small connected", "large connected"]);
  clock.advance(29_999);
  await pool.request("x/any", { data: LARGE });
  clock.advance(29_999);
  assertEquals(laneStates(pool), ["small connected", "large connected"]);
  clock.advance(1);
  assertEquals(laneStates(pool), ["small connected", "large disconnected"]);
  await pool.request("x/any", { data: LARGE });
  assertEquals([laneStates(pool)[1], server.visits], ["large connected", 3]);
});

Deno.test("a large request whose connection cannot be opened takes another endpoint's", async () => {
  await using east = await Site.open("east");
  await using west = await Site.open("west");
  await using pool = await openPool([east, west], { size: 1 });
  // Those that are open stay.
  east.link.refuse();
  const names = await Promise.all(
    range(2).map(async () => {
      return (await pool.request<Who>("x/who", {}, { lane: "large" })).name;
    }),
  );
  assertEquals(names, ["west", "west"]);
  west.link.refuse();
  const large = pool.getStats().members.filter(isLarge).map(({ state }) => state);
  assertEquals(large, ["failed", "connected"]);
});

Deno.test("a connection for large requests is opened where the others are usable", async () => {
  await using silent = await Site.open("silent");
  await using up = await Site.open("up");
  silent.link.freeze();
  await using pool = makePool([silent, up], { size: 1 });
  await pool.connect();
  const { name } = await pool.request<Who>("x/who", {}, { lane: "large" });
  assertEquals([name, silent.count], ["up", 0]);
});

Deno.test("a large request is rejected when no connection can be opened for it", async () => {
  await using site = await Site.open("closed");
  await using pool = await openPool([site], { size: 1 });
  site.link.refuse();
  const error = await assertRejects(
    () => pool.request("x/who", {}, { lane: "large" }),
    MCPConnectionError,
    'Cannot open a connection for large request "x/who"',
  );
  assertEquals([error.outcome, error.retryable], ["not-sent", true]);
  assertEquals((await pool.request<Who>("x/who")).name, "closed");
});

Deno.test("a large request can be aborted while its connection is being opened", async () => {
  await using site = await Site.open("slow");
  await using pool = await openPool([site], { size: 1 });
  site.link.freeze();
  const reason = new Error("enough");
  const controller = new AbortController();
  const { signal } = controller;
  const asked = pool.request("x/who", {}, { lane: "large", signal });
  assertEquals(pool.getStats().waiting, 1);
  controller.abort(reason);
  assertStrictEquals(await assertRejects(() => asked), reason);
  assertEquals(pool.getStats().waiting, 0);
});

Deno.test("a large request fails fast with all others when everything is down", async () => {
  await using site = await Site.open("down");
  await using pool = await openPool([site], { size: 1 });
  site.kill();
  await untilUsable(pool, 0);
  await assertRejects(
    () => pool.request("x/who", {}, { lane: "large" }),
    MCPConnectionError,
    "none of 2 connections",
  );
});

Deno.test("a connection that misses its pings gets nothing while another is healthy", async () => {
  await using east = await Site.open("east");
  await using west = await Site.open("west");
  await using pool = makePool([east, west], {
    size: 1,
    clientOptions: { heartbeat: { interval: 10, timeout: 200, maxMissed: 1_000 } },
  });
  await pool.connect({ minConnections: 2 });
  const [, client] = pool.clients;
  const missed = new Promise<void>((resolve) => {
    client?.addEventListener("heartbeat", ({ detail }) => detail.missed > 0 && resolve());
  });
  west.link.freeze();
  await missed;
  assertEquals(pool.getStats().usable, 2);
  const names = await Promise.all(
    range(10).map(async (key) => {
      return (await pool.request<Who>("x/who", { key })).name;
    }),
  );
  assertEquals(new Set(names), new Set(["east"]));
});

Deno.test("isLongerThan() counts roughly, and stops when it is sure", () => {
  const cases: [unknown, number, boolean][] = [
    [undefined, 10, false],
    [{}, 10, false],
    ["12345", 10, false],
    ["12345678", 10, true],
    [{ data: "x".repeat(100) }, 100, true],
    [{ data: "x".repeat(100) }, 200, false],
    [[1, 2, 3], 100, false],
    [new Array(1_000_000_000), 100, true],
    [new Uint8Array(10_000), 1_000, true],
    [{ a: { b: { c: ["x".repeat(50), null, true] } } }, 50, true],
    [range(1_000), 1_500, true],
    [LARGE, Infinity, false],
  ];
  for (const [value, limit, expected] of cases) {
    assertEquals(isLongerThan(value, limit), expected, `${typeof value} > ${limit}`);
  }
  const cycle: unknown[] = [];
  cycle.push(cycle);
  assertEquals(isLongerThan(cycle, 100_000), true);
});
