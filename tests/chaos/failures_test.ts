import { assert, assertEquals, assertGreater, assertRejects } from "@std/assert";
import { delay } from "@std/async/delay";
import { MCPWebSocketClient, WebSocketClientTransport } from "../../client/mod.ts";
import { MCPConnectionError, MCPRpcError } from "../../protocol/errors.ts";
import { ChaosLink } from "../support/chaos_link.ts";
import { randomCuts } from "../support/chaos_plan.ts";
import { seededRandom } from "../support/random.ts";
import { RunningCommand } from "../support/running_command.ts";
import { until } from "../support/until.ts";
import { payload } from "./support/payload.ts";
import { PickyProxy, REFUSED } from "./support/picky_proxy.ts";
import { CountingServer, HOLD, hurry, Setting } from "./support/setting.ts";

const MIB = 1024 * 1024;
/** Notices a dead link within a second. */
const WATCHFUL = { interval: 100, timeout: 200, maxMissed: 2 };
const JOURNALING = ["--module", "tests/chaos/support/journaling_server.ts"];

/** Starts a server in a process of its own. */
function startServer(port = 0): RunningCommand {
  return new RunningCommand("server/main.ts", ["--port", `${port}`, ...JOURNALING]);
}

/** Bytes of the upgrade, the hello and the welcome, with some to spare, in either direction. */
const OPENING_BYTES = 700;

// Links that fail.

Deno.test("a link that swallows everything is left, and nothing that it swallowed is lost", async () => {
  await using setting = await Setting.open({ client: { heartbeat: WATCHFUL } });
  await setting.call();
  setting.link.freeze("pass");
  await Promise.all(Array.from({ length: 100 }, (_, n) => setting.call(payload(n))));
  assertEquals(setting.events, ["lost", "resumed"]);
  assertEquals(setting.wrong, []);
  assertGreater(setting.link.stats.swallowed, 0);
});

Deno.test("a link on which only the answers disappear is left, and no request is handled twice", async () => {
  await using setting = await Setting.open({ client: { heartbeat: WATCHFUL } });
  const held = Array.from({ length: 20 }, () => setting.call("", HOLD));
  await until(() => setting.counting.handled.size === 20);
  setting.link.freeze("pass");
  setting.counting.release();
  await Promise.all(held);
  assertEquals(setting.events, ["lost", "resumed"]);
  assertEquals(setting.wrong, []);
});

Deno.test("a slow link is not taken for dead, and small requests pass a large one on it", async () => {
  const rate = 400_000;
  await using setting = await Setting.open({
    plan: () => ({ throttle: { up: rate, down: rate } }),
    client: { maxSendBytes: 4 * MIB, heartbeat: { interval: 1_000, timeout: 5_000 } },
  });
  const text = "slow".repeat(2 * MIB / 4);
  let isDone = false;
  const large = setting.client.request<{ text: string }>("chaos/echo", { n: "large", text });
  const done = large.then((answer) => {
    isDone = true;
    assertEquals(answer.text, text);
  });
  let passed = 0;
  while (!isDone) {
    await setting.call();
    if (!isDone) passed++;
  }
  await done;
  assertEquals([setting.events, setting.wrong], [[], []]);
  // The kernel's buffers take most of the message at once: there is not much to pass.
  assertGreater(passed, 0);
});

Deno.test("a dial that stalls and completes late does not disturb the connection that came after it", async () => {
  await using setting = await Setting.open({
    plan: (index) => ({ hold: index === 1 }),
    client: { connectTimeout: 200 },
  });
  hurry(setting.client);
  setting.link.cut();
  await setting.call();
  setting.link.release();
  await delay(100);
  await setting.call();
  assertEquals([setting.events, setting.wrong], [["lost", "resumed"], []]);
});

Deno.test("a link that is cut 50 times in a row carries one session", async () => {
  await using setting = await Setting.open();
  hurry(setting.client);
  const label = setting.client.transport.session;
  for (let drop = 1; drop <= 50; drop++) {
    const calls = [setting.call(), setting.call("between")];
    setting.link.cut();
    await Promise.all(calls);
    await setting.resumed(drop);
  }
  assertEquals(setting.client.transport.session, label);
  assertEquals([setting.wrong, setting.counting.server.clients.length], [[], 1]);
});

Deno.test("a session survives that every attempt to resume it is cut, wherever", async () => {
  const offsets = Array.from({ length: 24 }, (_, index) => index);
  await Promise.all(["up", "down"].map(async (direction) => {
    const step = OPENING_BYTES / offsets.length;
    await using setting = await Setting.open({
      plan: (index) => {
        const offset = offsets[index - 1];
        return offset === undefined ? {} : { cut: { [direction]: Math.floor(offset * step) } };
      },
    });
    hurry(setting.client);
    const calls = [setting.call(), setting.call("", HOLD)];
    await until(() => setting.counting.handled.size === 2);
    setting.link.cut();
    setting.counting.release();
    await Promise.all([...calls, setting.call("meanwhile")]);
    assertEquals([setting.wrong, setting.events.includes("sessionlost")], [[], false]);
    assertGreater(setting.link.stats.cuts, 12);
  }));
});

Deno.test("a session whose welcome is lost is the same when the hello is repeated", async () => {
  await Promise.all([0, 100, 200, 300, 400].map(async (down) => {
    const counting = new CountingServer();
    await counting.start();
    await using _counting = counting;
    // The very first welcome, and the first one of the resume.
    await using link = ChaosLink.open(counting.port, {
      plan: (index) => index === 0 || index === 2 ? { cut: { down } } : {},
    });
    await using client = new MCPWebSocketClient(link.url(), {
      reconnect: { initial: true },
      era: "legacy",
    });
    await client.connect();
    await client.request("chaos/echo", { n: 0 });
    link.cut();
    await client.request("chaos/echo", { n: 1 });
    assertEquals([...counting.handled.values()], [1, 1]);
    assertEquals(counting.server.clients.length, 1);
  }));
});

// Messages that do not fit.

Deno.test("a message larger than the window passes both ways although the link is cut within it", async () => {
  const random = seededRandom(7);
  const cuts = randomCuts(random, { minBytes: MIB / 2, maxBytes: 4 * MIB, maxCuts: 5 });
  await using setting = await Setting.open({
    plan: (index) => index < 6 ? cuts(index) : {},
    client: { maxSendBytes: 8 * MIB },
  });
  const text = payload(3).repeat(MIB).slice(0, 5 * MIB);
  await Promise.all([setting.call(text), setting.call("small"), setting.call(text)]);
  assertEquals([setting.wrong, setting.events.includes("sessionlost")], [[], false]);
  assertGreater(setting.events.length, 4);
});

for (const size of ["small", "large"] as const) {
  Deno.test(`a ${size} request that a proxy refuses every time fails as unknown, and nothing else does`, async () => {
    await using counting = new CountingServer();
    await counting.start();
    await using proxy = new PickyProxy(counting.port);
    await using client = new MCPWebSocketClient(proxy.url, { era: "legacy", dialLimit: false });
    await client.connect();
    let isOver = false;
    const text = size === "small" ? REFUSED : payload(3).repeat(1_000).slice(0, 300_000) + REFUSED;
    const poison = assertRejects(
      () => client.request("chaos/echo", { n: "poison", text }).finally(() => isOver = true),
      MCPConnectionError,
    );
    for (let n = 0; !isOver; n++) {
      assertEquals(await client.request("chaos/echo", { n }), { n });
    }
    assertEquals((await poison).outcome, "unknown");
    assertEquals(counting.handled.has("poison"), false);
    assertEquals([...counting.handled.values()].filter((times) => times !== 1), []);
    assertEquals(counting.server.clients.length, 1);
  });
}

Deno.test("an answer that a proxy refuses every time becomes an error, and nothing else does", async () => {
  await using counting = new CountingServer();
  counting.server.handle("chaos/give", () => ({ text: REFUSED }));
  await counting.start();
  await using proxy = new PickyProxy(counting.port);
  await using client = new MCPWebSocketClient(proxy.url, { era: "legacy", dialLimit: false });
  // Nothing gets through while the answer is tried: backoff alone would make that last minutes.
  hurry(client);
  await client.connect();
  let isOver = false;
  const poison = assertRejects(
    () => client.request("chaos/give").finally(() => isOver = true),
    MCPRpcError,
  );
  for (let n = 0; !isOver; n++) assertEquals(await client.request("chaos/echo", { n }), { n });
  assertEquals((await poison).data, { outcome: "unknown" });
  assertEquals([...counting.handled.values()].filter((times) => times !== 1), []);
});

// Sessions that are idle, or over.

Deno.test("a session in which nothing was ever said goes on", async () => {
  await using counting = new CountingServer();
  await counting.start();
  await using link = ChaosLink.open(counting.port);
  await using transport = new WebSocketClientTransport(link.url());
  const events: string[] = [];
  for (const type of ["resumed", "sessionlost"] as const) {
    transport.addEventListener(type, () => events.push(type));
  }
  await transport.start();
  await until(() => counting.server.clients.length === 1);
  for (let drop = 1; drop <= 3; drop++) {
    link.cut();
    await until(() => transport.state.status === "reconnecting");
    transport.reconnect();
    await until(() => transport.state.status === "connected");
  }
  const answered = Promise.withResolvers<unknown>();
  transport.onmessage = answered.resolve;
  await transport.send({ jsonrpc: "2.0", id: 1, method: "ping" });
  await answered.promise;
  assertEquals([events.includes("sessionlost"), counting.server.clients.length], [false, 1]);
});

Deno.test("a session that was quiet for longer than half its window goes on", async () => {
  await using setting = await Setting.open({ server: { session: { window: 1_200 } } });
  await setting.call();
  for (let drop = 1; drop <= 2; drop++) {
    await delay(800);
    setting.link.cut();
    await setting.resumed(drop);
  }
  await delay(1_500);
  await setting.call();
  assertEquals([setting.events.length, setting.wrong], [4, []]);
});

Deno.test("a goodbye that is cut anywhere ends the client, and the session at the latest with its window", async () => {
  const window = 400;
  const open = async (up: number | undefined) => {
    return await Setting.open({
      plan: (index) => index === 0 && up !== undefined ? { cut: { up } } : {},
      server: { session: { window } },
    });
  };
  const say = async (setting: Setting) => {
    await setting.call();
    // Until nothing is left that could be acknowledged.
    await until(() => setting.client.getStats().bufferedMessages === 0);
    await delay(300);
  };
  const measured = await open(undefined);
  await say(measured);
  const before = measured.link.stats.up;
  await measured[Symbol.asyncDispose]();
  const after = measured.link.stats.up;
  assertGreater(after, before);

  const offsets = Array.from({ length: after - before + 1 }, (_, byte) => before + byte);
  let cuts = 0;
  await Promise.all(offsets.map(async (up) => {
    await using setting = await open(up);
    await say(setting);
    const startedAt = performance.now();
    await setting.client.disconnect();
    assert(performance.now() - startedAt < 3_000);
    assertEquals(setting.client.state.status, "disconnected");
    await until(() => setting.counting.server.clients.length === 0);
    cuts += setting.link.stats.cuts;
    assertEquals(setting.wrong, []);
  }));
  assertGreater(cuts, offsets.length / 2);
});

// Servers that fail.

Deno.test("a server that is suspended and continued goes on with the session", async () => {
  await using server = startServer();
  await using link = ChaosLink.open(Number(new URL(await server.url()).port));
  await using client = new MCPWebSocketClient(link.url(), { era: "legacy", heartbeat: WATCHFUL });
  const events: string[] = [];
  for (const type of ["resumed", "sessionlost"] as const) {
    client.transport.addEventListener(type, () => events.push(type));
  }
  await client.connect();
  const call = (n: number) => client.request("tools/call", { name: "unsafe", arguments: { n } });
  await call(0);
  server.kill("SIGSTOP");
  const calls = Array.from({ length: 50 }, (_, n) => call(n + 1));
  await until(() => client.transport.state.status !== "connected");
  server.kill("SIGCONT");
  await Promise.all(calls);
  assertEquals(events, ["resumed"]);
  await server.wrote(server.stdout, /^unsafe 50$/);
  const expected = Array.from({ length: 51 }, (_, n) => `unsafe ${n}`);
  assertEquals(server.stdout.filter((line) => line.startsWith("unsafe")), expected);
});

Deno.test("a server that is killed and replaced gets safe requests again, and unsafe ones settle once as unknown", async () => {
  let server = startServer();
  const url = await server.url();
  await using client = new MCPWebSocketClient(url, { era: "legacy" });
  let lost = 0;
  client.transport.addEventListener("sessionlost", () => lost++);
  await client.connect();
  await client.request("tools/list");
  const call = (name: string, args: object) => {
    return client.request("tools/call", { name, arguments: { ...args } });
  };
  let settled = 0;
  const held = { isHeld: true };
  const unsafe = [1, 2, 3].map((n) => {
    const called = call("unsafe", { n, ...held }).finally(() => settled++);
    return assertRejects(() => called, MCPConnectionError);
  });
  const safe = [4, 5].map((n) => call("safe", { n, time: 2_000 }));
  await server.wrote(server.stdout, /^safe 5$/);
  server.kill("SIGKILL");
  await server[Symbol.asyncDispose]();
  server = startServer(Number(new URL(url).port));
  await using _server = server;
  for (const error of await Promise.all(unsafe)) assertEquals(error.outcome, "unknown");
  const answers = await Promise.all(safe);
  assertEquals(answers.map(({ content }) => content), [
    [{ type: "text", text: "safe 4" }],
    [{ type: "text", text: "safe 5" }],
  ]);
  await call("unsafe", { n: 6 });
  assertEquals([settled, lost], [3, 1]);
  await server.wrote(server.stdout, /^unsafe 6$/);
  assertEquals(server.stdout.slice(1).toSorted(), ["safe 4", "safe 5", "unsafe 6"]);
});

Deno.test("a server that was restarted and whose welcome is lost opens one new session", async () => {
  await Promise.all([0, 150, 250, 350, 450, 550].map(async (down) => {
    await using setting = await Setting.open({
      plan: (index) => index === 1 ? { cut: { down } } : {},
    });
    await setting.call();
    const unsafe = assertRejects(() => setting.call("", HOLD), MCPConnectionError);
    await until(() => setting.counting.handled.size === 2);
    await using restarted = new CountingServer();
    await restarted.start();
    setting.link.target = restarted.port;
    setting.link.cut();
    assertEquals((await unsafe).outcome, "unknown");
    assertEquals(await setting.client.request("chaos/echo", { n: "new" }), { n: "new" });
    assertEquals(setting.events.filter((event) => event === "sessionlost").length, 1);
    assertEquals([...restarted.handled], [["new", 1]]);
    await until(() => restarted.server.clients.length === 1);
  }));
});

Deno.test("an answer never reaches the request of the same id in another session", async () => {
  await using setting = await Setting.open();
  await using restarted = new CountingServer();
  const asked: string[] = [];
  const aborted: string[] = [];
  const releases = new Map<string, () => void>();
  setting.client.handle("chaos/ask", async ({ by }, { signal }) => {
    const name = String(by);
    asked.push(name);
    signal.addEventListener("abort", () => aborted.push(name));
    await new Promise<void>((resolve) => releases.set(name, resolve));
    return { by };
  });
  const answers: unknown[] = [];
  for (const [name, { server }] of [["old", setting.counting], ["new", restarted]] as const) {
    server.handle("chaos/make-ask", async (_, { session }) => {
      answers.push([name, await session.request("chaos/ask", { by: name })]);
    });
  }
  await restarted.start();
  const first = assertRejects(() => setting.client.request("chaos/make-ask"), MCPConnectionError);
  await until(() => asked.length === 1);
  setting.link.target = restarted.port;
  setting.link.cut();
  await first;
  const second = setting.client.request("chaos/make-ask");
  await until(() => asked.length === 2);
  releases.get("old")?.();
  await delay(50);
  assertEquals(answers, []);
  releases.get("new")?.();
  await second;
  assertEquals([asked, aborted], [["old", "new"], ["old"]]);
  assertEquals(answers, [["new", { by: "new" }]]);
});

// Much that waits.

Deno.test("answers to the server are not refused while the session waits, however many requests do", async () => {
  await using setting = await Setting.open();
  const release = Promise.withResolvers<void>();
  setting.client.handle("chaos/ask", async ({ n }) => {
    await release.promise;
    return { n };
  });
  const answers: unknown[] = [];
  setting.counting.server.handle("chaos/make-asks", async (_, { session }) => {
    const asks = Array.from({ length: 2_000 }, (_, n) => session.request("chaos/ask", { n }));
    answers.push(...await Promise.all(asks));
  });
  const asking = setting.client.request("chaos/make-asks");
  await until(() => setting.client.getStats().requests.handling === 2_000);
  setting.link.cut();
  await until(() => setting.client.transport.state.status === "reconnecting");
  const others = Array.from({ length: 900 }, () => setting.call());
  release.resolve();
  await Promise.all([asking, ...others]);
  assertEquals([answers.length, setting.wrong, setting.events], [2_000, [], ["lost", "resumed"]]);
});
