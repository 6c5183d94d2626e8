import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStrictEquals,
} from "@std/assert";
import { systemClock } from "../../protocol/clock.ts";
import {
  MCPCapacityError,
  MCPConnectionError,
  MCPRpcError,
  MCPTimeoutError,
} from "../../protocol/errors.ts";
import type { JsonRpcMessage } from "../../protocol/jsonrpc.ts";
import type { MessageExtra } from "../../protocol/transport.ts";
import { MCPWebSocketClient } from "../../client/client.ts";
import type { HeartbeatDetail } from "../../client/transport_events.ts";
import type { WebSocketClientOptions } from "../../client/options.ts";
import type { ConnectionStats } from "../../client/stats.ts";
import { WebSocketClientTransport } from "../../client/transport.ts";
import type { Json } from "../support/json_socket.ts";
import { ManualClock } from "../support/manual_clock.ts";
import { playLegacy, ScriptedServer, type Visit } from "../support/scripted_server.ts";
import { isPending, until } from "../support/until.ts";

/** Once a connection was lost, the next dial does not come by itself. */
const LAZY = { immediate: [], minDelay: 600_000, maxDelay: 600_000, minUptime: 0 };

const request = (id: number, method: string, params?: Json): JsonRpcMessage => ({
  jsonrpc: "2.0",
  id,
  method,
  ...(params === undefined ? {} : { params }),
});

const notification = (method: string): JsonRpcMessage => ({ jsonrpc: "2.0", method });

/** A legacy server whose connections can be cut. */
class Played implements AsyncDisposable {
  readonly visits: Visit[] = [];
  readonly heard: Json[] = [];
  readonly #server: ScriptedServer;

  constructor(heard: (message: Json, visit: Visit) => unknown = () => {}) {
    this.#server = new ScriptedServer((visit) => {
      this.visits.push(visit);
      return playLegacy(visit, (message) => {
        this.heard.push(message);
        return heard(message, visit);
      });
    });
  }

  get url(): string {
    return this.#server.url;
  }

  cut(): void {
    this.visits.at(-1)?.cut();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server[Symbol.asyncDispose]();
  }
}

/** A transport, and what came in through it. */
class Watched implements AsyncDisposable {
  readonly transport: WebSocketClientTransport;
  readonly received: { message: Json; extra: MessageExtra | undefined }[] = [];
  readonly errors: [string, string][] = [];

  constructor(url: string, options: WebSocketClientOptions = {}) {
    this.transport = new WebSocketClientTransport(url, { reconnect: LAZY, ...options });
    this.transport.onmessage = (message, extra) => this.received.push({ message, extra });
    this.transport.addEventListener("error", ({ detail }) => {
      this.errors.push([detail.context, detail.error.message]);
    });
  }

  get status(): string {
    return this.transport.state.status;
  }

  /** Starts, and opens MCP. */
  async open(): Promise<void> {
    await this.transport.start();
    await this.transport.send(request(0, "initialize", { protocolVersion: "2025-11-25" }));
    await until(() => this.received.length > 0);
    await this.transport.send(notification("notifications/initialized"));
    this.received.length = 0;
  }

  async lose(played: Played): Promise<void> {
    await until(() => played.visits.length > 0);
    played.cut();
    await until(() => this.status === "reconnecting");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.transport.close();
  }
}

Deno.test("a full queue drops its oldest message where the policy says so", async () => {
  await using played = new Played();
  await using watched = new Watched(played.url, {
    outbox: { maxMessages: 1, overflow: "drop-oldest" },
  });
  const { transport } = watched;
  const start = transport.start();
  const dropped = assertRejects(() => transport.send(notification("x/old")), MCPCapacityError);
  const sent = transport.send(notification("x/new"));
  await Promise.all([start, dropped, sent]);
  await until(() => played.heard.length === 1);
  assertEquals(played.heard[0]?.method, "x/new");
});

Deno.test("blocked senders are sent in order after those that are queued, on reconnect too", async () => {
  await using played = new Played();
  await using watched = new Watched(played.url, { outbox: { maxMessages: 2, overflow: "block" } });
  const { transport } = watched;
  await transport.start();
  await watched.lose(played);
  const sent = [1, 2, 3, 4].map((n) => transport.send(notification(`x/${n}`)));
  const { queuedMessages, blockedMessages } = transport.getStats();
  assertEquals([queuedMessages, blockedMessages, transport.queueSize], [2, 2, 2]);
  assert(await isPending(Promise.race(sent)));
  transport.reconnect();
  await Promise.all(sent);
  await until(() => played.heard.length === 4);
  assertEquals(played.heard.map(({ method }) => method), ["x/1", "x/2", "x/3", "x/4"]);
});

Deno.test("close() settles blocked senders: not sent", async () => {
  await using played = new Played();
  const { transport } = new Watched(played.url, { outbox: { maxMessages: 1, overflow: "block" } });
  const start = assertRejects(() => transport.start(), MCPConnectionError);
  const failed = ["x", "y"].map((method) =>
    assertRejects(() => transport.send(notification(method)), MCPConnectionError)
  );
  await transport.close();
  await start;
  for (const { outcome } of await Promise.all(failed)) assertEquals(outcome, "not-sent");
});

Deno.test("clearQueue() gives up what waits, and says how much that was", async () => {
  await using played = new Played();
  await using watched = new Watched(played.url);
  const { transport } = watched;
  const start = transport.start();
  const failed = ["x", "y"].map((method) =>
    assertRejects(() => transport.send(notification(method)), MCPConnectionError)
  );
  assertEquals(transport.clearQueue("the user has left"), 2);
  for (const { message, outcome } of await Promise.all(failed)) {
    assertEquals([message, outcome], ["Message was not sent: the user has left", "not-sent"]);
  }
  assertEquals([transport.queueSize, transport.clearQueue()], [0, 0]);
  await start;
  await transport.send(notification("z"));
  await until(() => played.heard.length === 1);
});

Deno.test("while it reconnects a request is answered here, never within send()", async () => {
  await using played = new Played();
  await using watched = new Watched(played.url, {
    offlineResponse: ({ method }) =>
      method === "tools/list" ? { result: { tools: [] } } : undefined,
  });
  const { transport, received } = watched;
  await transport.start();
  await watched.lose(played);
  const sent = transport.send(request(1, "tools/list"));
  assertEquals(received, []);
  await sent;
  await until(() => received.length === 1);
  assertEquals(received[0]?.message, {
    jsonrpc: "2.0",
    id: 1,
    result: { tools: [], _meta: { "bowline/offline": true } },
  });
  assertInstanceOf(received[0]?.extra?.lost, MCPConnectionError);
  const queued = transport.send(request(2, "x/queued"));
  const told = transport.send(notification("tools/list"));
  const { queuedMessages, offlineResponses, messagesSent, requestsSettled } = transport.getStats();
  assertEquals([queuedMessages, offlineResponses, messagesSent, requestsSettled], [2, 1, 0, 0]);
  transport.reconnect();
  await Promise.all([queued, told]);
  await until(() => received.length === 2);
  assertEquals(played.heard.map(({ method }) => method), ["x/queued", "tools/list"]);
});

Deno.test("requests of the first dial, and of a connection, are not answered here", async () => {
  await using played = new Played();
  await using watched = new Watched(played.url, { offlineResponse: () => ({ result: {} }) });
  const { transport, received } = watched;
  const start = transport.start();
  await transport.send(request(1, "x"));
  await start;
  await transport.send(request(2, "x"));
  await until(() => received.length === 2);
  assertEquals(played.heard.map(({ id }) => id), [1, 2]);
});

Deno.test("an offlineResponse that throws is an error event, and the request is queued", async () => {
  await using played = new Played();
  await using watched = new Watched(played.url, {
    offlineResponse: () => {
      throw new Error("boom");
    },
  });
  const { transport, received, errors } = watched;
  await transport.start();
  await watched.lose(played);
  const sent = transport.send(request(1, "x"));
  assertEquals([errors, transport.queueSize], [[["offlineResponse", "boom"]], 1]);
  transport.reconnect();
  await sent;
  await until(() => received.length === 1);
});

Deno.test("who closes the transport hears no answer made here any more", async () => {
  await using played = new Played();
  await using watched = new Watched(played.url, { offlineResponse: () => ({ result: {} }) });
  const { transport, received } = watched;
  await transport.start();
  await watched.lose(played);
  transport.post(request(1, "x"));
  await transport.close();
  assertEquals(received, []);
});

Deno.test("an offlineResponse that closes the transport leaves nothing in the queue", async () => {
  await using played = new Played();
  const closing = { close: () => {} };
  await using watched = new Watched(played.url, { offlineResponse: () => void closing.close() });
  const { transport } = watched;
  closing.close = () => void transport.close();
  await transport.start();
  await watched.lose(played);
  await assertRejects(() => transport.send(request(1, "x")), MCPConnectionError, "disconnected");
  assertEquals(transport.queueSize, 0);
});

Deno.test("MCPWebSocketClient.request() settles with the answer made here", async () => {
  await using played = new Played();
  await using client = new MCPWebSocketClient(played.url, {
    era: "legacy",
    reconnect: LAZY,
    offlineResponse: ({ method }) =>
      method === "tools/list"
        ? { result: { tools: [] } }
        : { error: { code: -32000, message: "You are offline" } },
  });
  await client.connect();
  played.cut();
  await until(() => client.state.status === "reconnecting");
  const result = await client.request("tools/list");
  assertEquals(result._meta?.["bowline/offline"], true);
  const error = await assertRejects(
    () => client.request("tools/call", { name: "pay" }),
    MCPRpcError,
    "You are offline",
  );
  assertEquals([error.code, error.data], [-32000, { outcome: "not-sent" }]);
});

/** The host's timers, but a time that the test moves. */
function makeMeasuringClock() {
  let now = 1_000_000;
  return {
    clock: { now: () => now, after: systemClock.after },
    pass: (ms: number) => void (now += ms),
  };
}

Deno.test("getStats() tells what requests and errors there were", async () => {
  const { clock, pass } = makeMeasuringClock();
  await using played = new Played(({ id, method }, visit) => {
    pass(5);
    if (method !== "x/bad") return false;
    return visit.send({ id, error: { code: 1, message: "no" } }).then(() => true);
  });
  await using watched = new Watched(played.url, { clock });
  const { transport, received } = watched;
  await transport.start();
  for (const [id, method] of ["x/good", "x/bad"].entries()) {
    await transport.send(request(id, method));
    await until(() => received.length === id + 1);
  }
  const stats = transport.getStats();
  assertEquals([stats.requestsSettled, stats.requestsFailed, stats.errorRate], [2, 1, 0.5]);
  assertEquals(stats.requestLatency, { p50: 5, p90: 5, p99: 5, samples: 2 });
  const sent =
    '{"jsonrpc":"2.0","id":0,"method":"x/good"}{"jsonrpc":"2.0","id":1,"method":"x/bad"}';
  assertEquals([stats.unitsSent, stats.messagesSent], [sent.length, 2]);
  assertEquals(
    stats.unitsReceived,
    received.map(({ message }) => JSON.stringify(message)).join("").length,
  );
  assertEquals([stats.resumes, stats.replayedMessages, stats.sessionsLost], [0, 0, 0]);
  assertEquals([stats.bufferedMessages, stats.bufferedBytes], [0, 0]);
  assertEquals([stats.lastConnectTime, stats.maxConnectTime, stats.uptime], [0, 0, 10]);
});

Deno.test("getStats() takes a request that is lost for one that failed", async () => {
  await using played = new Played(() => true);
  await using watched = new Watched(played.url);
  const { transport, received } = watched;
  await transport.start();
  await transport.send(request(1, "tools/call", { name: "pay" }));
  await watched.lose(played);
  await until(() => received.length === 1);
  const { requestsSettled, errorRate, requestLatency } = transport.getStats();
  assertEquals([requestsSettled, errorRate, requestLatency], [1, 1, undefined]);
});

Deno.test("a heartbeat event comes for each ping that is answered, with its round trip", async () => {
  const clock = new ManualClock();
  const times = [40, 60];
  await using played = new Played(({ method }) => {
    if (method === "ping") clock.advance(times.shift() ?? 0);
  });
  await using watched = new Watched(played.url, { clock });
  const { transport } = watched;
  const heard: HeartbeatDetail[] = [];
  transport.addEventListener("heartbeat", ({ detail }) => heard.push(detail));
  await watched.open();
  for (let n = 1; n <= 2; n++) {
    clock.advance(25_000);
    await until(() => heard.length === n);
  }
  assertEquals(heard, [{ latency: 40, missed: 0 }, { latency: 60, missed: 0 }]);
  const { pings, latency, lastLatency, jitter, loss } = transport.getStats();
  assertEquals([pings, latency, lastLatency, jitter, loss], [2, 42.5, 60, 20, 0]);
});

Deno.test("a heartbeat event comes for each ping that is missed, before the loss", async () => {
  const clock = new ManualClock();
  await using played = new Played(({ method }) => method === "ping");
  await using watched = new Watched(played.url, { clock });
  const { transport } = watched;
  const heard: unknown[] = [];
  transport.addEventListener("heartbeat", ({ detail }) => heard.push(detail));
  transport.addEventListener("lost", ({ detail }) => heard.push(detail.loss.cause));
  await watched.open();
  clock.advance(40_000);
  await until(() => heard.length === 4);
  assertEquals(heard, [
    { latency: undefined, missed: 1 },
    { latency: undefined, missed: 2 },
    { latency: undefined, missed: 3 },
    "heartbeat",
  ]);
  const { loss, quality, latency } = transport.getStats();
  assertEquals([loss, quality, latency], [1, 0, undefined]);
});

Deno.test("a listener that closes the transport at a missed ping leaves no timer", async () => {
  const clock = new ManualClock();
  await using played = new Played(({ method }) => method === "ping");
  await using watched = new Watched(played.url, { clock });
  const { transport } = watched;
  let closing: Promise<void> | undefined;
  transport.addEventListener("heartbeat", () => closing = transport.close());
  await watched.open();
  clock.advance(30_000);
  await closing;
  assertEquals([watched.status, clock.timers], ["disconnected", 0]);
});

Deno.test("a stats event comes at intervals while somebody listens", async () => {
  const clock = new ManualClock();
  await using played = new Played();
  await using watched = new Watched(played.url, { clock, heartbeat: false });
  const { transport } = watched;
  const heard: ConnectionStats[] = [];
  const listener = ({ detail }: { detail: ConnectionStats }) => void heard.push(detail);
  transport.addEventListener("stats", listener);
  assertEquals(clock.timers, 0, "none before the start");
  await transport.start();
  assertEquals(clock.timers, 1);
  clock.advance(150_000);
  assertEquals(heard.map(({ uptime }) => uptime), [60_000, 120_000]);
  assert(heard.every(Object.isFrozen));
  transport.removeEventListener("stats", listener);
  assertEquals(clock.timers, 0);
});

Deno.test("a stats event comes to a listener that was added to a connection, once if it says so", async () => {
  const clock = new ManualClock();
  await using played = new Played();
  await using watched = new Watched(played.url, { clock, heartbeat: false, statsInterval: 10 });
  const { transport } = watched;
  await transport.start();
  assertEquals(clock.timers, 0);
  let count = 0;
  transport.addEventListener("stats", () => count++, { once: true });
  clock.advance(100);
  assertEquals([count, clock.timers], [1, 0]);
  const controller = new AbortController();
  transport.addEventListener("stats", () => count++, { signal: controller.signal });
  clock.advance(20);
  controller.abort();
  assertEquals([count, clock.timers], [3, 0]);
});

Deno.test("no stats event comes with statsInterval: false, nor after close()", async () => {
  for (const statsInterval of [false, 10] as const) {
    const clock = new ManualClock();
    await using played = new Played();
    const { transport } = new Watched(played.url, { clock, heartbeat: false, statsInterval });
    transport.addEventListener("stats", () => {});
    await transport.start();
    assertEquals(clock.timers, statsInterval === false ? 0 : 1);
    const close = transport.close();
    // What is left is the time for the closing handshake.
    assertEquals(clock.timers, 1);
    await close;
    assertEquals(clock.timers, 0);
  }
});

Deno.test("MCPWebSocketClient sends stats events with its own numbers while somebody listens", async () => {
  const clock = new ManualClock();
  await using played = new Played();
  await using client = new MCPWebSocketClient(played.url, {
    era: "legacy",
    clock,
    heartbeat: false,
    statsInterval: 10,
  });
  await client.connect();
  const { transport } = client;
  assertEquals(transport.listenerCount("stats"), 0);
  const requests: number[] = [];
  const controller = new AbortController();
  client.addEventListener("stats", ({ detail }) => requests.push(detail.requests.requests), {
    signal: controller.signal,
  });
  clock.advance(20);
  assertEquals([requests, transport.listenerCount("stats")], [[1, 1], 1]);
  controller.abort();
  assertEquals(transport.listenerCount("stats"), 0);
});

Deno.test("healthCheck() asks a legacy peer, under an id of the transport's own", async () => {
  await using played = new Played();
  await using watched = new Watched(played.url);
  const { transport, received } = watched;
  await watched.open();
  played.heard.length = 0;
  const report = await transport.healthCheck();
  assertEquals([report.status, report.state, report.reasons], ["healthy", "connected", []]);
  assert(report.probe !== undefined && report.quality !== undefined);
  const pings = played.heard.filter(({ method }) => method === "ping");
  assert(pings.length === 1 && pings.every(({ id }) => id < 0));
  assertEquals([received, transport.getStats().pings], [[], 1]);
});

/** Why a peer cannot be asked. */
const UNASKED: Record<string, [WebSocketClientOptions, (watched: Watched) => Promise<void>]> = {
  "before initialize": [{}, ({ transport }) => transport.start()],
  "with heartbeat: false": [{ heartbeat: false }, (watched) => watched.open()],
};

for (const [name, [options, open]] of Object.entries(UNASKED)) {
  Deno.test(`healthCheck() asks nothing ${name}`, async () => {
    await using played = new Played();
    await using watched = new Watched(played.url, options);
    await open(watched);
    const { status, probe, quality } = await watched.transport.healthCheck();
    assertEquals([status, probe, quality], ["healthy", undefined, undefined]);
    assert(played.heard.every(({ method }) => method !== "ping"));
  });
}

Deno.test("healthCheck() reports a peer that does not answer in time", async () => {
  await using played = new Played(({ method }) => method === "ping");
  await using watched = new Watched(played.url);
  await watched.open();
  const report = await watched.transport.healthCheck({ timeout: 10 });
  assertEquals([report.status, report.reasons, report.probe], [
    "unhealthy",
    ["probe-timeout", "low-quality"],
    undefined,
  ]);
});

Deno.test("healthCheck() reports a connection that is lost meanwhile", async () => {
  await using played = new Played(({ method }, visit) => {
    if (method !== "ping") return false;
    visit.cut();
    return true;
  });
  await using watched = new Watched(played.url);
  await watched.open();
  const report = await watched.transport.healthCheck();
  assertEquals([report.status, report.state], ["unhealthy", "reconnecting"]);
  assertEquals(report.reasons, ["not-connected", "connection-lost"]);
  assertEquals([report.lastError?.name, report.lastError?.context], [
    "MCPConnectionError",
    "connection",
  ]);
});

Deno.test("healthCheck() during close() is a report, too", async () => {
  await using played = new Played(({ method }) => method === "ping");
  const watched = new Watched(played.url);
  await watched.open();
  const check = watched.transport.healthCheck();
  await watched.transport.close();
  const { status, state, reasons } = await check;
  assertEquals([status, state, reasons], [
    "unhealthy",
    "disconnected",
    ["not-connected", "connection-lost"],
  ]);
});

Deno.test("healthCheck() without a connection is a report, before the start as well", async () => {
  const watched = new Watched("ws://127.0.0.1:1/");
  const report = await watched.transport.healthCheck();
  assertEquals([report.status, report.state, report.reasons], [
    "unhealthy",
    "disconnected",
    ["not-connected"],
  ]);
  assertEquals(report.lastError, undefined);
});

Deno.test("healthCheck() rejects with the reason of its signal, and waits no longer", async () => {
  await using played = new Played(({ method }) => method === "ping");
  await using watched = new Watched(played.url);
  await watched.open();
  const controller = new AbortController();
  const reason = new Error("enough");
  const check = watched.transport.healthCheck({ signal: controller.signal });
  controller.abort(reason);
  assertStrictEquals(await assertRejects(() => check), reason);
});

Deno.test("healthCheck() keeps to itself what an application's error says", async () => {
  await using played = new Played();
  await using watched = new Watched(played.url);
  watched.transport.onmessage = () => {
    throw new Error("secret");
  };
  await watched.transport.start();
  await watched.transport.send(request(1, "x"));
  await until(() => watched.errors.length === 1);
  const report = await watched.transport.healthCheck();
  assertEquals([report.lastError?.name, report.lastError?.context], ["Error", "onmessage"]);
  assert(!JSON.stringify(report).includes("secret"));
  assertEquals(watched.transport.getStats().errors, 1);
});

Deno.test("MCPWebSocketClient.healthCheck() reports on its connection", async () => {
  await using played = new Played();
  await using client = new MCPWebSocketClient(played.url, { era: "legacy" });
  assertEquals((await client.healthCheck()).status, "unhealthy");
  await client.connect();
  const { status, probe } = await client.healthCheck();
  assertEquals([status, probe === undefined], ["healthy", false]);
});

Deno.test("a request that times out in the queue as a blocked sender is told so", async () => {
  await using played = new Played();
  await using watched = new Watched(played.url, {
    outbox: { maxMessages: 1, overflow: "block", maxAge: 10 },
  });
  const { transport } = watched;
  await transport.start();
  await watched.lose(played);
  const failed = ["x", "y"].map((method) =>
    assertRejects(() => transport.send(notification(method)), MCPTimeoutError)
  );
  await Promise.all(failed);
  assertEquals(transport.queueSize, 0);
});
