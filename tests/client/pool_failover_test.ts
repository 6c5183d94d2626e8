import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStrictEquals,
} from "@std/assert";
import {
  MCPCapacityError,
  MCPConnectionError,
  MCPError,
  MCPTimeoutError,
} from "../../protocol/errors.ts";
import { until } from "../support/until.ts";
import { DIALECTS, openPool, range, Site, untilUsable, type Who } from "./_pools.ts";

const PLAIN = { protocols: ["mcp"] };

/** Sends requests one after the other until it is stopped. */
async function keepAsking(ask: (key: string) => Promise<unknown>, mayGoOn: () => boolean) {
  const keys: string[] = [];
  const run = async (worker: number) => {
    for (let n = 0; mayGoOn(); n++) {
      const key = `${worker}/${n}`;
      keys.push(key);
      await ask(key);
    }
  };
  await Promise.all(range(8).map(run));
  return keys;
}

for (const protocols of DIALECTS) {
  const dialect = protocols.at(-1);
  const clientOptions = { protocols };

  Deno.test(`a connection that is lost gets nothing while another is usable (${dialect})`, async () => {
    await using east = await Site.open("east");
    await using west = await Site.open("west");
    await using pool = await openPool([east, west], { clientOptions });
    west.kill();
    await untilUsable(pool, 2);
    const names = await Promise.all(
      range(20).map(async (key) => {
        return (await pool.request<Who>("x/who", { key })).name;
      }),
    );
    assertEquals(new Set(names), new Set(["east"]));
    west.link.admit();
    await untilUsable(pool, 4);
    const { name } = await pool.request<Who>("x/who", {}).then(() => pool.request<Who>("x/who"));
    assert(["east", "west"].includes(name));
    await until(() => west.count > 0 || (pool.request("x/who"), false));
  });

  Deno.test(`what may run twice moves when its endpoint is gone (${dialect})`, async () => {
    await using east = await Site.open("east");
    await using west = await Site.open("west");
    await using pool = await openPool([east, west], { failoverDelay: 20, clientOptions });
    const uris = range(8).map((key) => `a:${key}`);
    const reads = uris.map((uri) => pool.request("resources/read", { uri }));
    await until(() => east.count === 4 && west.count === 4);
    west.kill();
    await until(() => east.count === 8);
    east.release();
    const texts = (await Promise.all(reads)).map(({ contents }) => contents[0]?.text);
    assertEquals(new Set(texts), new Set(["east"]));
    assertEquals([...east.runs.values()], range(8).map(() => 1));
    assertEquals([pool.getStats().moved, pool.getStats().requestsFailed], [4, 0]);
  });

  Deno.test(`what must not run twice never does (${dialect})`, async () => {
    await using east = await Site.open("east");
    await using west = await Site.open("west");
    await using pool = await openPool([east, west], { failoverDelay: 1, clientOptions });
    const calls = range(8).map((key) => pool.request<Who>("x/held", { key }));
    const outcomes = Promise.allSettled(calls);
    await until(() => east.count + west.count === 8);
    west.link.cut();
    await until(() => pool.getStats().losses >= 2);
    await untilUsable(pool, 4);
    east.release();
    west.release();
    const settled = await outcomes;
    const errors = settled.flatMap((one) => one.status === "rejected" ? [one.reason] : []);
    const isPlain = protocols.length === 1;
    // A session goes on; a plain peer has forgotten.
    assertEquals(errors.length, isPlain ? 4 : 0);
    for (const error of errors) assertEquals(error.outcome, "unknown");
    const runs = [...east.runs, ...west.runs];
    assertEquals([runs.length, runs.every(([, count]) => count === 1)], [8, true]);
    assertEquals(pool.getStats().moved, 0);
  });

  Deno.test(`drain() under load loses nothing (${dialect})`, async () => {
    await using east = await Site.open("east");
    await using west = await Site.open("west");
    await using pool = await openPool([east, west], { clientOptions });
    let isDrained = false;
    let after = 0;
    const asking = keepAsking(
      (key) => pool.request("x/who", { key }),
      () => !isDrained || after++ < 50,
    );
    await until(() => west.count > 20);
    await pool.drain(west.url);
    const drained = west.count;
    isDrained = true;
    const keys = await asking;
    assertEquals(west.count, drained);
    assertEquals(east.count + west.count, keys.length);
    assertEquals([pool.endpoints, pool.getStats().requestsFailed], [[east.url], 0]);
    await until(() => west.server.clients.length === 0);
  });
}

Deno.test("dropped connections under load: every request that may be repeated is answered", async () => {
  await using east = await Site.open("east");
  await using west = await Site.open("west");
  east.release();
  west.release();
  const clientOptions = PLAIN;
  await using pool = await openPool([east, west], { whenDown: "wait", clientOptions });
  let cuts = 0;
  const ask = (uri: string) => pool.request("resources/read", { uri });
  const asking = keepAsking(ask, () => cuts < 10);
  for (; cuts < 10; cuts++) {
    const { losses, requestsSettled } = pool.getStats();
    // Who was cut off before has its answer by now.
    await until(() => pool.getStats().requestsSettled > requestsSettled + 100);
    [east, west][cuts % 2]?.link.cut();
    await until(() => pool.getStats().losses > losses);
  }
  const keys = await asking;
  const { requestsSettled, requestsFailed } = pool.getStats();
  assertEquals([requestsSettled, requestsFailed], [keys.length, 0]);
});

Deno.test("what a tool's list calls safe may move", async () => {
  await using east = await Site.open("east");
  await using west = await Site.open("west");
  const sites = [east, west];
  for (const { server, runs } of sites) {
    server.handle("tools/list", () => ({
      tools: [{
        name: "get",
        inputSchema: { type: "object" },
        annotations: { readOnlyHint: true },
      }],
    }));
    server.handle("tools/call", async ({ name }) => {
      runs.set(name, (runs.get(name) ?? 0) + 1);
      if (sites.every((site) => !site.runs.has("stop"))) await new Promise<void>(() => {});
      return { content: [] };
    });
  }
  await using pool = await openPool(sites, { size: 1, clientOptions: PLAIN });
  await pool.request("tools/list");
  const call = pool.request("tools/call", { name: "get" });
  const first = () => sites.find(({ runs }) => runs.has("get"));
  await until(() => first() !== undefined);
  const lost = first();
  for (const { runs } of sites) runs.set("stop", 1);
  lost?.kill();
  await call;
  assertEquals(sites.map(({ runs }) => runs.get("get")), [1, 1]);
});

Deno.test("resend decides what may move, and a resend that throws moves nothing", async () => {
  await using east = await Site.open("east");
  await using west = await Site.open("west");
  const asked: [string, boolean][] = [];
  const resend = ({ method }: { method: string }, isSafe: boolean) => {
    asked.push([method, isSafe]);
    if (method === "resources/read") throw new Error("undecided");
    return true;
  };
  const clientOptions = { ...PLAIN, resend };
  await using pool = await openPool([west], { size: 1, clientOptions });
  const read = pool.request("resources/read", { uri: "a:b" });
  const rejected = assertRejects(() => read, MCPConnectionError);
  const held = pool.request<Who>("x/held");
  await until(() => west.count === 2);
  await pool.add(east.url);
  east.release();
  west.kill();
  assertEquals((await held).name, "east");
  assertEquals((await rejected).outcome, "unknown");
  assertEquals(asked, [["resources/read", true], ["x/held", false]]);
});

Deno.test("a request that kills every connection moves three times at most", async () => {
  await using site = await Site.open("fragile");
  let runs = 0;
  site.server.handle("prompts/get", () => {
    runs++;
    site.link.cut();
    return new Promise<never>(() => {});
  });
  const options = { size: 2, whenDown: "wait", clientOptions: PLAIN } as const;
  await using pool = await openPool([site], options);
  const error = await assertRejects(
    () => pool.request("prompts/get", { name: "x" }),
    MCPConnectionError,
  );
  assertEquals([error.outcome, runs], ["unknown", 4]);
});

Deno.test("time and progress go on with the request that has moved", async () => {
  await using east = await Site.open("east");
  await using west = await Site.open("west");
  const late = Promise.withResolvers<void>();
  const tell = (site: Site, told: number) => {
    site.server.handle("resources/read", async ({ uri }, { progress }) => {
      site.runs.set(uri, 1);
      if (site === west) await late.promise;
      progress(told);
      await new Promise<void>((resolve) => site === west && late.promise.then(resolve));
      return { contents: [] };
    });
  };
  tell(east, 2);
  tell(west, 1);
  await using pool = await openPool([west], { size: 1, failoverDelay: 20 });
  const news: number[] = [];
  const read = pool.request("resources/read", { uri: "a:b" }, {
    onProgress: ({ progress }) => news.push(progress),
    timeout: 400,
    maxTimeout: 400,
  });
  const rejected = assertRejects(() => read, MCPTimeoutError);
  await until(() => west.count === 1);
  await pool.add(east.url);
  west.kill();
  await until(() => news.length === 1);
  // The first attempt goes on as its session does, and nobody listens any more.
  west.link.admit();
  await untilUsable(pool, 2);
  late.resolve();
  assert((await rejected).timeout < 400);
  assertEquals(news, [2]);
});

for (const whenDown of ["reject", "wait"] as const) {
  Deno.test(`a pool of one connection: whenDown "${whenDown}" decides over what is lost`, async () => {
    await using site = await Site.open("single");
    await using pool = await openPool([site], { size: 1, whenDown, clientOptions: PLAIN });
    const read = pool.request("resources/read", { uri: "a:b" });
    const settled = read.then(() => "answered", ({ outcome }) => outcome);
    await until(() => site.count === 1);
    site.release();
    site.link.cut();
    assertEquals(await settled, whenDown === "wait" ? "answered" : "unknown");
  });
}

Deno.test("fail-fast: when all are down, requests are rejected at once, with what and where", async () => {
  await using east = await Site.open("east");
  await using west = await Site.open("west");
  await using pool = await openPool([east, west]);
  for (const site of [east, west]) site.kill();
  await untilUsable(pool, 0);
  const outcome = pool.request("tools/call", { name: "any" }).catch((error) => error);
  // Sooner than any timer.
  const later = new Promise((resolve) => setTimeout(resolve, 0));
  const error = await Promise.race([outcome, later]);
  assertInstanceOf(error, MCPConnectionError);
  const text = `Cannot send request "tools/call": none of 6 connections to "${east.url}", ` +
    `"${west.url}" is usable`;
  assertEquals(error.message, text);
  assertEquals([error.kind, error.retryable, error.outcome], ["network", true, "not-sent"]);
  assertEquals([pool.isUsable, pool.getStats().refused], [false, 1]);
});

Deno.test('whenDown "wait": requests wait for a connection, in order and bounded', async () => {
  await using site = await Site.open("back");
  await using pool = await openPool([site], { size: 1, whenDown: "wait", maxWaiting: 3 });
  site.kill();
  await untilUsable(pool, 0);
  const { signal } = new AbortController();
  let listeners = 0;
  const { addEventListener, removeEventListener } = signal;
  signal.addEventListener = (...args: unknown[]) => {
    listeners++;
    Reflect.apply(addEventListener, signal, args);
  };
  signal.removeEventListener = (...args: unknown[]) => {
    listeners--;
    Reflect.apply(removeEventListener, signal, args);
  };
  const waiting = range(3).map((key) => pool.request("x/who", { key }, { signal }));
  const error = await assertRejects(() => pool.request("x/who"), MCPCapacityError, "3 wait");
  assertEquals([error.limit, pool.getStats().waiting], [3, 3]);
  site.link.admit();
  await Promise.all(waiting);
  assertEquals([...site.runs.keys()], ["0", "1", "2"]);
  assertEquals(listeners, 0);
  assertEquals(pool.getStats().waiting, 0);
});

Deno.test('whenDown "wait": waiting ends with maxWait, an abort, or the pool', async () => {
  await using site = await Site.open("away");
  await using pool = await openPool([site], { size: 1, whenDown: "wait", maxWait: 60_000 });
  site.kill();
  await untilUsable(pool, 0);
  const reason = new Error("enough");
  const controller = new AbortController();
  const aborted = pool.request("x/who", {}, { signal: controller.signal });
  const closed = pool.request("x/who");
  const rejected = assertRejects(() => closed, MCPConnectionError, "the pool is not connected");
  controller.abort(reason);
  assertStrictEquals(await assertRejects(() => aborted), reason);
  assertEquals(pool.getStats().waiting, 1);
  await pool.close();
  await rejected;
});

Deno.test('whenDown "wait": a request waits no longer than maxWait', async () => {
  await using site = await Site.open("away");
  await using pool = await openPool([site], { size: 1, whenDown: "wait", maxWait: 30 });
  site.kill();
  await untilUsable(pool, 0);
  const error = await assertRejects(() => pool.request("x/who"), MCPTimeoutError);
  const text = 'Cannot send request "x/who": no connection was usable within 30 ms';
  assertEquals([error.message, error.retryable, error.timeout], [text, true, 30]);
});

Deno.test("a connection that has given up is opened again by the pool", async () => {
  await using site = await Site.open("phoenix");
  const reconnect = { attempts: 1, minDelay: 1, maxDelay: 20, minUptime: 1, immediate: [] };
  const clientOptions = { ...PLAIN, reconnect };
  await using pool = await openPool([site], { size: 1, clientOptions });
  const states: string[] = [];
  pool.addEventListener("statechange", ({ detail }) => states.push(detail.state.status));
  site.kill();
  await until(() => states.filter((state) => state === "failed").length > 2);
  site.link.admit();
  await untilUsable(pool, 1);
  assertEquals((await pool.request<Who>("x/who")).name, "phoenix");
});

Deno.test("a connection that never can be opened is not dialled for ever", async () => {
  await using site = await Site.open("picky");
  const clientOptions = {
    ...PLAIN,
    require: "bowline.v1" as const,
    protocols: ["mcp", "bowline.v1"],
  };
  await using pool = await openPool([site], { size: 1, clientOptions });
  await pool.drain(site.url);
  const refusing = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, () => {
    return new Response("No", { status: 404 });
  });
  const { port } = refusing.addr;
  await assertRejects(() => pool.add(`ws://127.0.0.1:${port}/mcp`), MCPError);
  await refusing.shutdown();
  assertEquals(pool.endpoints, []);
});

Deno.test("drain() waits for what is in flight, and its signal ends the wait", async () => {
  await using site = await Site.open("busy");
  await using pool = await openPool([site]);
  const held = pool.request("x/held");
  const rejected = assertRejects(() => held, MCPConnectionError);
  await until(() => site.count === 1);
  const controller = new AbortController();
  const drained = pool.drain(undefined, { signal: controller.signal });
  await assertRejects(() => pool.request("x/who"), MCPConnectionError, "not connected");
  assertEquals(site.server.clients.length, 2);
  const reason = new Error("enough");
  controller.abort(reason);
  assertStrictEquals(await assertRejects(() => drained), reason);
  assertEquals((await rejected).outcome, "unknown");
  await assertRejects(() => pool.drain("ws://127.0.0.1:1/other"), TypeError, "it is not there");
});

Deno.test("drain() of all answers what is in flight, then closes", async () => {
  await using site = await Site.open("last");
  await using pool = await openPool([site]);
  const held = range(4).map((key) => pool.request<Who>("x/held", { key }));
  await until(() => site.count === 4);
  const drained = pool.drain();
  site.release();
  await Promise.all(held);
  await drained;
  assertEquals([pool.isUsable, pool.getStats().usable], [false, 0]);
});

Deno.test("drain() moves subscriptions instead of waiting for their end", async () => {
  await using east = await Site.open("east");
  await using west = await Site.open("west");
  for (const { server, runs } of [east, west]) {
    server.handle("subscriptions/listen", () => {
      runs.set("listen", (runs.get("listen") ?? 0) + 1);
      return new Promise<never>(() => {});
    });
  }
  await using pool = await openPool([west], { size: 1 });
  const listening = pool.request("subscriptions/listen", { notifications: {} });
  const ended = assertRejects(() => listening, MCPConnectionError);
  await until(() => west.count === 1);
  await pool.add(east.url);
  await pool.drain(west.url);
  await until(() => east.count === 1);
  await pool.drain();
  await ended;
});

Deno.test("what is lost moves to another endpoint rather than to another connection", async () => {
  await using east = await Site.open("east");
  await using west = await Site.open("west");
  for (const site of [east, west]) {
    site.server.handle("prompts/get", async (_params, { session }) => {
      site.runs.set("prompt", 1);
      if (site === west) await session.disconnect("Come back", 1012);
      return { messages: [] };
    });
  }
  await using pool = await openPool([west], { size: 2, clientOptions: PLAIN });
  await pool.add(east.url);
  await untilUsable(pool, 4);
  // The first connection is one of the west, and so would the next one be.
  await pool.request("prompts/get", { name: "any" });
  assertEquals([west.count, east.count, pool.getStats().moved], [1, 1, 1]);
});

Deno.test("what waits for its session moves as soon as another connection is usable", async () => {
  await using east = await Site.open("east");
  await using west = await Site.open("west");
  await using pool = await openPool([west], { size: 1, failoverDelay: 1 });
  const read = pool.request("resources/read", { uri: "a:b" });
  await until(() => west.count === 1);
  west.kill();
  await untilUsable(pool, 0);
  east.release();
  await pool.add(east.url);
  assertEquals((await read).contents[0]?.text, "east");
});

Deno.test("drain() of all still moves what is lost meanwhile", async () => {
  await using east = await Site.open("east");
  await using west = await Site.open("west");
  await using pool = await openPool([west], { size: 1, clientOptions: PLAIN });
  const read = pool.request("resources/read", { uri: "a:b" });
  await until(() => west.count === 1);
  await pool.add(east.url);
  const drained = pool.drain();
  east.release();
  west.kill();
  assertEquals((await read).contents[0]?.text, "east");
  await drained;
});

Deno.test("drain() waits for requests, whatever becomes of subscriptions meanwhile", async () => {
  await using site = await Site.open("both");
  const ended = Promise.withResolvers<Record<string, never>>();
  site.server.handle("subscriptions/listen", () => ended.promise);
  await using pool = await openPool([site], { size: 1 });
  const held = pool.request<Who>("x/held");
  const listening = pool.request("subscriptions/listen", { notifications: {} });
  await until(() => site.count === 1);
  const drained = pool.drain();
  ended.resolve({});
  await listening;
  site.release();
  assertEquals((await held).name, "both");
  await drained;
});
