import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { MCPCapacityError, MCPConnectionError } from "../../protocol/errors.ts";
import type { JsonRpcMessage } from "../../protocol/jsonrpc.ts";
import type { MessageExtra, Transport } from "../../protocol/transport.ts";
import type { DialRecord, MessageRecord, WebSocketClientOptions } from "../../client/options.ts";
import { WebSocketClientTransport } from "../../client/transport.ts";
import type { Json } from "../support/json_socket.ts";
import { recordLog } from "../support/recorded_log.ts";
import {
  LEGACY_RESULT,
  playLegacy,
  ScriptedServer,
  type Visit,
} from "../support/scripted_server.ts";
import { isPending, until } from "../support/until.ts";

/** Reconnects at once. */
const EAGER = { immediate: [], minDelay: 1, maxDelay: 1, minUptime: 20 };

const VERSION = "io.modelcontextprotocol/protocolVersion";

const request = (id: number | string, method: string, params?: Json): JsonRpcMessage => ({
  jsonrpc: "2.0",
  id,
  method,
  ...(params === undefined ? {} : { params }),
});

const notification = (method: string, params?: Json): JsonRpcMessage => ({
  jsonrpc: "2.0",
  method,
  ...(params === undefined ? {} : { params }),
});

/** A server whose messages are kept, and whose connections can be reached. */
class Played implements AsyncDisposable {
  readonly visits: Visit[] = [];
  readonly heard: Json[] = [];
  readonly server: ScriptedServer;

  /** @param heard Told of each message; returns `true` if it has dealt with it. */
  constructor(heard: (message: Json, visit: Visit) => unknown = () => {}) {
    this.server = new ScriptedServer((visit) => {
      this.visits.push(visit);
      return playLegacy(visit, (message) => {
        this.heard.push(message);
        return heard(message, visit);
      });
    });
  }

  get url(): string {
    return this.server.url;
  }

  get last(): Visit {
    const visit = this.visits.at(-1);
    assert(visit !== undefined);
    return visit;
  }

  methods(): (string | undefined)[] {
    return this.heard.map(({ method }) => method);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server[Symbol.asyncDispose]();
  }
}

interface Received {
  readonly message: Json;
  readonly extra: MessageExtra | undefined;
}

function make(
  url: string,
  options: WebSocketClientOptions = {},
): { transport: WebSocketClientTransport; received: Received[] } {
  const transport = new WebSocketClientTransport(url, { reconnect: EAGER, ...options });
  const received: Received[] = [];
  transport.onmessage = (message, extra) => received.push({ message, extra });
  return { transport, received };
}

async function initialize(transport: WebSocketClientTransport, received: Received[]) {
  await transport.send(request(0, "initialize", { protocolVersion: "2025-11-25" }));
  await until(() => received.some(({ message }) => message.id === 0));
  await transport.send(notification("notifications/initialized"));
}

Deno.test("the transport is what the SDKs mean by one", () => {
  const { transport } = make("ws://127.0.0.1:1/");
  const asTransport: Transport = transport;
  assertEquals(asTransport.sessionId, undefined);
  assertEquals([transport.stderr, transport.pid], [null, null]);
  transport.setProtocolVersion("2025-11-25");
  assertEquals(transport.state.status, "disconnected");
});

Deno.test("send() before start() and after close() is refused: not sent", async () => {
  await using played = new Played();
  const { transport } = make(played.url);
  for (let round = 0; round < 2; round++) {
    const error = await assertRejects(
      () => transport.send(notification("x")),
      MCPConnectionError,
      "Cannot send message: the transport is disconnected",
    );
    assertEquals(error.outcome, "not-sent");
    await transport.start();
    await transport.close();
  }
});

Deno.test("send() refuses what is no message, and ids of the transport's own", async () => {
  await using played = new Played();
  const { transport } = make(played.url);
  await using _closing = transport;
  await transport.start();
  await assertRejects(() => transport.send({} as JsonRpcMessage), TypeError, "Cannot send message");
  await assertRejects(
    () => transport.send(request(-1, "ping")),
    TypeError,
    "Cannot send request -1: negative ids are the transport's own",
  );
  assertThrows(() => transport.post(request(-1, "ping")), TypeError);
});

Deno.test("post() makes no promise where the message can leave at once", async () => {
  await using played = new Played();
  const { transport, received } = make(played.url);
  await using _closing = transport;
  await transport.start();
  assertEquals(transport.post(request(1, "ping")), undefined);
  await until(() => received.length === 1);
});

Deno.test("messages sent while connecting are sent when it is connected, in order", async () => {
  await using played = new Played();
  const { transport } = make(played.url);
  await using _closing = transport;
  const start = transport.start();
  const sent = [1, 2, 3].map((n) => transport.send(notification("x", { n })));
  assertEquals(transport.getStats().queuedMessages, 3);
  await start;
  await Promise.all(sent);
  await until(() => played.heard.length === 3);
  assertEquals(played.heard.map(({ params }) => params.n), [1, 2, 3]);
});

Deno.test("messages sent while reconnecting are queued, and sent in order after the session is open again", async () => {
  await using played = new Played();
  const { transport, received } = make(played.url);
  await using _closing = transport;
  await transport.start();
  await initialize(transport, received);
  played.heard.length = 0;
  played.last.cut();
  await until(() => transport.state.status === "reconnecting");
  const sent = [1, 2, 3].map((n) => transport.send(request(n, "tools/list", { n })));
  const { queuedMessages, queuedBytes } = transport.getStats();
  assertEquals(queuedMessages, 3);
  assert(queuedBytes > 100);
  await Promise.all(sent);
  await until(() => received.some(({ message }) => message.id === 3));
  assertEquals(played.methods(), [
    "initialize",
    "notifications/initialized",
    "tools/list",
    "tools/list",
    "tools/list",
  ]);
  assertEquals(played.heard.slice(2).map(({ id }) => id), [1, 2, 3]);
});

Deno.test("a request that is cancelled after its connection was lost is not sent again", async () => {
  await using played = new Played((message) => message.method === "tools/list");
  const { transport, received } = make(played.url, {
    reconnect: { ...EAGER, minDelay: 60_000, maxDelay: 60_000 },
  });
  await using _closing = transport;
  await transport.start();
  await transport.send(request(1, "tools/list"));
  await until(() => played.methods().includes("tools/list"));
  played.last.cut();
  await until(() => transport.state.status === "reconnecting");
  await transport.send(notification("notifications/cancelled", { requestId: 1 }));
  const after = transport.send(request(2, "x/after"));
  transport.reconnect();
  await after;
  await until(() => received.some(({ message }) => message.id === 2));
  assertEquals(played.methods(), ["tools/list", "x/after"]);
});

Deno.test("a ping goes before notifications/initialized, so that Deno holds nothing back", async () => {
  const methods: (string | undefined)[] = [];
  await using server = new ScriptedServer(async (visit) => {
    await visit.accept();
    await visit.answer(await visit.next(), LEGACY_RESULT);
    for (let n = 0; n < 3; n++) methods.push((await visit.next()).method);
    await visit.end();
  });
  const { transport, received } = make(server.url);
  await using _closing = transport;
  await transport.start();
  await initialize(transport, received);
  await transport.send(request(1, "tools/list"));
  await until(() => methods.length === 3);
  assertEquals(methods, ["ping", "notifications/initialized", "tools/list"]);
  assertEquals(received.length, 1, "its answer stays with the transport");
});

Deno.test("with heartbeat: false no ping goes before notifications/initialized either", async () => {
  const methods: (string | undefined)[] = [];
  await using server = new ScriptedServer(async (visit) => {
    await visit.accept();
    await visit.answer(await visit.next(), LEGACY_RESULT);
    methods.push((await visit.next()).method);
    await visit.end();
  });
  const { transport, received } = make(server.url, { heartbeat: false });
  await using _closing = transport;
  await transport.start();
  await initialize(transport, received);
  await until(() => methods.length === 1);
  assertEquals(methods, ["notifications/initialized"]);
});

Deno.test("send() waits for room in a connection, however much is sent at once", async () => {
  await using played = new Played();
  const { transport, received } = make(played.url);
  await using _closing = transport;
  await transport.start();
  const text = "x".repeat(256 * 1024);
  await Promise.all(
    Array.from({ length: 40 }, (_, id) => transport.send(request(id, "x/large", { text }))),
  );
  await until(() => received.length === 40);
  assertEquals(received.map(({ message }) => message.id), Array.from({ length: 40 }, (_, i) => i));
});

Deno.test("onerror hears why a connection is not opened again, before onclose", async () => {
  await using played = new Played((_message, visit) => visit.close(1008).then(() => true));
  const { transport } = make(played.url);
  const heard: string[] = [];
  transport.onerror = ({ message }) => heard.push(message);
  transport.onclose = () => heard.push("closed");
  await transport.start();
  await transport.send(notification("x/forbidden"));
  await until(() => transport.state.status === "failed");
  assertEquals(heard, ["Connection lost: forbidden (code 1008)", "closed"]);
});

Deno.test("a request that is cancelled while it waits is withdrawn, and neither is sent", async () => {
  await using played = new Played();
  const { transport } = make(played.url);
  await using _closing = transport;
  const start = transport.start();
  const asked = transport.send(request(1, "tools/call"));
  const other = transport.send(notification("x"));
  await transport.send(notification("notifications/cancelled", { requestId: 1 }));
  await start;
  await Promise.all([asked, other]);
  await until(() => played.heard.length > 0);
  assertEquals(played.methods(), ["x"]);
  assertEquals(transport.getStats().pendingRequests, 0);
});

Deno.test("a message whose sender gives up while it waits is not sent", async () => {
  await using played = new Played();
  const { transport } = make(played.url);
  await using _closing = transport;
  const controller = new AbortController();
  const start = transport.start();
  const sent = transport.send(notification("x"), { signal: controller.signal });
  const other = transport.send(notification("y"));
  const reason = new Error("enough");
  controller.abort(reason);
  assertStrictEquals(await assertRejects(() => sent), reason);
  await start;
  await other;
  await until(() => played.heard.length > 0);
  assertEquals(played.methods(), ["y"]);
});

Deno.test("too many messages that wait are refused", async () => {
  await using played = new Played();
  const { transport } = make(played.url, { outbox: { maxMessages: 1 } });
  await using _closing = transport;
  const start = transport.start();
  const first = transport.send(notification("x"));
  await assertRejects(() => transport.send(notification("y")), MCPCapacityError);
  await start;
  await first;
});

Deno.test("too many requests in flight are refused, queued ones too", async () => {
  await using played = new Played((message) => message.method === "slow");
  const { transport } = make(played.url, { maxInFlight: 2 });
  await using _closing = transport;
  const start = transport.start();
  const sent = [1, 2, 3].map((id) => transport.send(request(id, "slow")));
  await start;
  const outcomes = await Promise.allSettled(sent);
  assertEquals(outcomes.map(({ status }) => status), ["fulfilled", "fulfilled", "rejected"]);
  const error = await assertRejects(() => transport.send(request(4, "slow")), MCPCapacityError);
  assertEquals(error.message, "Cannot send request as 2 are in flight already");
  assertEquals([error.limit, transport.getStats().pendingRequests], [2, 2]);
});

Deno.test("of requests in flight the safe ones are repeated, the others settled once", async () => {
  let mayAnswer = false;
  await using played = new Played(({ method }) => method?.startsWith("tools/") && !mayAnswer);
  const { transport, received } = make(played.url);
  await using _closing = transport;
  await transport.start();
  await initialize(transport, received);
  await transport.send(request(1, "tools/list"));
  await transport.send(request(2, "tools/call", { name: "pay" }));
  await transport.send(request(3, "tools/call", { name: "pay" }), { retry: true });
  await until(() => played.heard.length === 5);
  played.heard.length = 0;
  received.length = 0;
  let recovered: Json;
  transport.addEventListener("recovered", ({ detail }) => {
    recovered = { ...detail, status: transport.state.status };
  });
  mayAnswer = true;
  played.last.cut();
  await until(() => received.length === 3);
  assertEquals(received.map(({ message }) => message.id), [2, 1, 3]);
  const [lost] = received;
  assertEquals(lost?.message.error.code, -32000);
  assertEquals(lost?.message.error.data, { outcome: "unknown" });
  assertInstanceOf(lost?.extra?.lost, MCPConnectionError);
  assertEquals(played.heard.map(({ method, id }) => [method, method && id]).slice(2), [
    ["tools/list", 1],
    ["tools/call", 3],
  ]);
  assertEquals(recovered, { attempt: 1, repeated: 2, status: "connected" });
  assertEquals(transport.getStats().pendingRequests, 0);
});

for (const code of [1009, 4413]) {
  Deno.test(`after a close with ${code} nothing is repeated`, async () => {
    await using played = new Played(({ method }, visit) => {
      if (method === "tools/list" && visit.number === 1) return visit.close(code).then(() => true);
      return false;
    });
    const { transport, received } = make(played.url);
    await using _closing = transport;
    await transport.start();
    await transport.send(request(1, "tools/list"));
    await until(() => played.visits.length === 2 && transport.state.status === "connected");
    await transport.send(request(2, "ping"));
    await until(() => received.length === 2);
    assertEquals(received.map(({ message }) => [message.id, message.error?.code]), [
      [1, -32000],
      [2, undefined],
    ]);
    assertEquals(played.methods(), ["tools/list", "ping"]);
  });
}

Deno.test("when it gives up, what is in flight and what waits is settled before onclose", async () => {
  await using server = new ScriptedServer(async (visit) => {
    if (visit.number > 1) return await visit.refuse(403);
    await visit.accept();
    await visit.next();
  });
  const { transport, received } = make(server.url);
  const order: string[] = [];
  transport.onmessage = ({ id }: Json) => order.push(`settled ${id}`);
  transport.onclose = () => order.push("onclose");
  await transport.start();
  transport.addEventListener("statechange", ({ detail }) => {
    if (detail.state.status !== "reconnecting") return;
    transport.send(notification("x")).catch((error) => order.push(error.outcome));
  });
  await transport.send(request(1, "tools/list"));
  await until(() => order.length === 3);
  assertEquals(order, ["settled 1", "onclose", "not-sent"]);
  assertEquals([transport.state.status, received.length], ["failed", 0]);
  const error = await assertRejects(() => transport.send(notification("x")), MCPConnectionError);
  assertEquals(error.message, "Cannot send message: the transport is failed");
});

Deno.test("requests of the server die with their connection, and answers to them go nowhere", async () => {
  await using played = new Played();
  const { transport, received } = make(played.url);
  await using _closing = transport;
  await transport.start();
  await until(() => played.visits.length === 1);
  await played.last.send({ id: 7, method: "roots/list" });
  await until(() => received.length === 1);
  played.last.cut();
  await until(() => played.visits.length === 2 && transport.state.status === "connected");
  assertEquals(received[1]?.message.method, "notifications/cancelled");
  assertEquals(received[1]?.message.params.requestId, 7);
  await played.last.send({ id: 7, method: "roots/list" });
  await until(() => received.length === 3);
  const { id } = received[2]?.message;
  assertEquals(id, "reused-1");
  await transport.send({ jsonrpc: "2.0", id: 7, result: { of: "the lost one" } });
  await transport.send({ jsonrpc: "2.0", id, result: { of: "the new one" } });
  await until(() => played.heard.length > 0);
  assertEquals(played.heard.map(({ id, result }) => [id, result]), [[7, { of: "the new one" }]]);
});

Deno.test("what was subscribed and the level are told to the new connection", async () => {
  await using played = new Played();
  const { transport, received } = make(played.url);
  await using _closing = transport;
  await transport.start();
  await initialize(transport, received);
  await transport.send(request(1, "resources/subscribe", { uri: "a" }));
  await transport.send(request(2, "logging/setLevel", { level: "info" }));
  await until(() => received.length === 3);
  played.heard.length = 0;
  played.last.cut();
  await until(() => played.heard.length === 4);
  assertEquals(played.methods(), [
    "initialize",
    "notifications/initialized",
    "logging/setLevel",
    "resources/subscribe",
  ]);
  assertEquals(received.length, 3, "the application hears nothing of it");
  assert(played.heard.every(({ id }) => id === undefined || id < 0));
});

Deno.test("what the new connection refuses to subscribe is reported, and it lives", async () => {
  await using played = new Played(({ id, method }, visit) => {
    if (method !== "resources/subscribe" || visit.number === 1) return false;
    return visit.send({ id, error: { code: -32002, message: "gone" } }).then(() => true);
  });
  const { transport, received } = make(played.url);
  await using _closing = transport;
  const errors: [string, string][] = [];
  transport.addEventListener("error", ({ detail }) => {
    errors.push([detail.context, detail.error.message]);
  });
  await transport.start();
  await initialize(transport, received);
  await transport.send(request(1, "resources/subscribe", { uri: "a" }));
  await until(() => received.length === 2);
  played.last.cut();
  await until(() => played.visits.length === 2 && transport.state.status === "connected");
  assertEquals(errors, [["reopening", "gone"]]);
});

Deno.test("a probe that is given up for initialize is not repeated", async () => {
  await using played = new Played(({ method }) => method === "server/discover");
  const { transport, received } = make(played.url);
  await using _closing = transport;
  await transport.start();
  const meta = { _meta: { [VERSION]: "2026-07-28" } };
  await transport.send(request(1, "server/discover", meta));
  await initialize(transport, received);
  played.heard.length = 0;
  played.last.cut();
  await until(() => played.visits.length === 2 && transport.state.status === "connected");
  assertEquals(transport.getStats().pendingRequests, 0);
  assert(!played.methods().includes("server/discover"));
});

Deno.test("a modern session comes back without initialize", async () => {
  await using played = new Played();
  const { transport, received } = make(played.url);
  await using _closing = transport;
  await transport.start();
  const meta = { _meta: { [VERSION]: "2026-07-28" } };
  await transport.send(request(1, "tools/list", meta));
  await until(() => received.length === 1);
  played.last.cut();
  await until(() => played.visits.length === 2 && transport.state.status === "connected");
  await transport.send(request(2, "tools/list", meta));
  await until(() => received.length === 2);
  assertEquals(played.methods(), ["tools/list", "tools/list"]);
});

const HEARTBEAT = { interval: 20, timeout: 20, maxMissed: 2, discover: false };

Deno.test("a legacy peer that has fallen silent is found out, and dialled again", async () => {
  let isDeaf = false;
  await using played = new Played(() => isDeaf);
  const { transport, received } = make(played.url, { heartbeat: HEARTBEAT });
  await using _closing = transport;
  const losses: Json[] = [];
  transport.addEventListener("lost", ({ detail }) => losses.push(detail.loss));
  await transport.start();
  await initialize(transport, received);
  isDeaf = true;
  await until(() => losses.length === 1);
  isDeaf = false;
  await until(() => played.visits.length === 2 && transport.state.status === "connected");
  assertEquals([losses[0].code, losses[0].cause], [4408, "heartbeat"]);
  const pings = played.heard.filter(({ method }) => method === "ping");
  assert(pings.length >= 2 && pings.every(({ id }) => id < 0), "pings have ids of their own");
  assertEquals(received.length, 1, "the application hears nothing of them");
});

Deno.test("a legacy peer that answers, even with an error, lives", async () => {
  await using played = new Played(({ id, method }, visit) => {
    if (method !== "ping") return false;
    return visit.send({ id, error: { code: -32601, message: "no" } }).then(() => true);
  });
  const { transport, received } = make(played.url, { heartbeat: HEARTBEAT });
  await using _closing = transport;
  await transport.start();
  await initialize(transport, received);
  await until(() => played.methods().filter((method) => method === "ping").length > 5);
  assertEquals([transport.state.status, received.length], ["connected", 1]);
});

Deno.test("a modern peer is not pinged, and not accused of its silence", async () => {
  await using played = new Played();
  const { transport, received } = make(played.url, { heartbeat: HEARTBEAT });
  await using _closing = transport;
  await transport.start();
  await transport.send(request(1, "tools/list", { _meta: { [VERSION]: "2026-07-28" } }));
  await until(() => received.length === 1);
  await new Promise((resolve) => setTimeout(resolve, 150));
  assertEquals([transport.state.status, played.methods()], ["connected", ["tools/list"]]);
});

Deno.test("a modern peer is asked server/discover where the option says so", async () => {
  await using played = new Played();
  const { transport } = make(played.url, { heartbeat: { ...HEARTBEAT, discover: true } });
  await using _closing = transport;
  await transport.start();
  const meta = { [VERSION]: "2026-07-28", progressToken: 1 };
  await transport.send(request(1, "tools/list", { _meta: meta }));
  await until(() => played.heard.length > 2);
  const [, probe] = played.heard;
  assertEquals([probe.method, probe.params], [
    "server/discover",
    { _meta: { [VERSION]: "2026-07-28" } },
  ]);
});

Deno.test("heartbeat: false asks nothing", async () => {
  await using played = new Played();
  const { transport, received } = make(played.url, { heartbeat: false });
  await using _closing = transport;
  await transport.start();
  await initialize(transport, received);
  await new Promise((resolve) => setTimeout(resolve, 60));
  assertEquals(played.methods().includes("ping"), false);
});

Deno.test("updateOptions() changes the token of the next dial", async () => {
  await using played = new Played();
  const { transport } = make(played.url, { token: "old" });
  await using _closing = transport;
  await transport.start();
  transport.updateOptions({ token: "new" });
  await until(() => played.visits.length === 1);
  played.last.cut();
  await until(() => played.visits.length === 2 && transport.state.status === "connected");
  const shown = played.visits.map((visit) => visit.header("authorization"));
  assertEquals(shown, ["Bearer old", "Bearer new"]);
});

Deno.test("updateOptions() switches reconnecting off from the next loss on", async () => {
  await using played = new Played();
  const { transport } = make(played.url);
  await transport.start();
  await until(() => played.visits.length === 1);
  transport.updateOptions({ reconnect: false });
  played.last.cut();
  await until(() => transport.state.status === "failed");
  assertEquals(played.visits.length, 1);
});

Deno.test("updateOptions() changes the heartbeat of the next connection", async () => {
  await using played = new Played();
  const { transport, received } = make(played.url, { heartbeat: false });
  await using _closing = transport;
  await transport.start();
  await initialize(transport, received);
  transport.updateOptions({ heartbeat: { interval: 5 } });
  played.last.cut();
  await until(() => played.methods().includes("ping"));
});

Deno.test("getStats() counts what happened, and is immutable", async () => {
  await using played = new Played();
  const { transport, received } = make(played.url);
  await using _closing = transport;
  assertEquals(transport.getStats().uptime, undefined);
  await transport.start();
  await transport.send(request(1, "ping"));
  await until(() => received.length === 1);
  const stats = transport.getStats();
  assert(Object.isFrozen(stats));
  assertEquals([stats.attempts, stats.successes, stats.failures], [1, 1, 0]);
  assertEquals([stats.messagesSent, stats.messagesReceived, stats.losses], [1, 1, 0]);
  assert(stats.uptime !== undefined && stats.averageConnectTime !== undefined);
  played.last.cut();
  await until(() => played.visits.length === 2 && transport.state.status === "connected");
  const later = transport.getStats();
  assertEquals([later.losses, later.reconnects, later.successes], [1, 1, 2]);
  assertEquals([stats.losses, stats.reconnects], [0, 0]);
});

Deno.test("getStats() takes a second start for no reconnect", async () => {
  await using played = new Played();
  const { transport } = make(played.url);
  for (let round = 0; round < 3; round++) {
    await transport.start();
    await transport.close();
  }
  const { successes, reconnects, losses } = transport.getStats();
  assertEquals([successes, reconnects, losses], [3, 0, 0]);
});

Deno.test("hooks are told of every message and dial", async () => {
  await using played = new Played();
  const messages: MessageRecord[] = [];
  const dials: DialRecord[] = [];
  const { transport, received } = make(played.url, {
    hooks: {
      onMessage: (record) => messages.push(record),
      onDial: (record) => dials.push(record),
    },
  });
  await using _closing = transport;
  await transport.start();
  await transport.send(request(1, "ping"));
  await until(() => received.length === 1);
  assertEquals(messages, [
    { direction: "out", length: '{"jsonrpc":"2.0","id":1,"method":"ping"}'.length },
    { direction: "in", length: '{"jsonrpc":"2.0","id":1,"result":{}}'.length },
  ]);
  assertEquals(dials.map(({ ok, attempt }) => [ok, attempt]), [[true, 1]]);
  assert(dials.every(({ duration }) => duration >= 0));
});

Deno.test("hooks, handlers and a logger that throw harm nobody", async () => {
  await using played = new Played();
  const boom = (where: string) => () => {
    throw new Error(where);
  };
  const { transport } = make(played.url, {
    hooks: { onMessage: boom("hook of messages"), onDial: boom("hook of dials") },
    logger: {
      debug: boom("debug"),
      info: boom("info"),
      warn: boom("warn"),
      error: boom("error"),
    },
  });
  const errors = new Set<string>();
  let answers = 0;
  transport.addEventListener("error", ({ detail }) => errors.add(detail.context));
  transport.onerror = boom("onerror");
  transport.onclose = boom("onclose");
  transport.onmessage = () => {
    answers++;
    throw new Error("onmessage");
  };
  await transport.start();
  await transport.send(request(1, "ping"));
  await until(() => answers === 1);
  played.last.cut();
  await until(() => played.visits.length === 2 && transport.state.status === "connected");
  await transport.send(request(2, "ping"));
  await until(() => answers === 2);
  await transport.close();
  assertEquals([...errors].sort(), ["hooks.onDial", "hooks.onMessage", "onclose", "onmessage"]);
});

Deno.test("the logger gets lines without payload, query or secret", async () => {
  await using played = new Played();
  const { logger, lines } = recordLog();
  const { transport, received } = make(`${played.url}?ticket=canary`, {
    token: "canary",
    logger,
  });
  await transport.start();
  await transport.send(request(1, "tools/call", { secret: "canary" }));
  await until(() => received.length === 1);
  played.last.cut();
  await until(() => played.visits.length === 2 && transport.state.status === "connected");
  await transport.close();
  const { url } = played;
  assertEquals(lines.map((line) => line.replace(/"(Unexpected EOF|Connection reset.*)"/, "…")), [
    `info ${url}: disconnected -> connecting (attempt 1)`,
    `info ${url}: connecting -> connected (attempt 1)`,
    `warn ${url}: Connection lost: reset (code 0, …); reconnecting`,
    `info ${url}: connected -> reconnecting (attempt 0)`,
    `info ${url}: reconnecting -> connecting (attempt 1)`,
    `info ${url}: connecting -> connected (attempt 1)`,
    `info ${url}: connected -> disconnected (attempt 1)`,
  ]);
});

Deno.test("states are told in order, each with the one before", async () => {
  await using played = new Played();
  const { transport } = make(played.url);
  const told: [string, string][] = [];
  transport.addEventListener("statechange", ({ detail }) => {
    told.push([detail.previous.status, detail.state.status]);
    assertEquals(transport.state, detail.state);
  });
  await transport.start();
  await until(() => played.visits.length === 1);
  played.last.cut();
  await until(() => played.visits.length === 2 && transport.state.status === "connected");
  await transport.close();
  assertEquals(told, [
    ["disconnected", "connecting"],
    ["connecting", "connected"],
    ["connected", "reconnecting"],
    ["reconnecting", "connecting"],
    ["connecting", "connected"],
    ["connected", "disconnected"],
  ]);
});

Deno.test("reconnect() cuts the pause short", async () => {
  await using played = new Played();
  const { transport } = make(played.url, {
    reconnect: { ...EAGER, minDelay: 30_000, maxDelay: 30_000 },
  });
  await using _closing = transport;
  await transport.start();
  await until(() => played.visits.length === 1);
  played.last.cut();
  await until(() => transport.state.status === "reconnecting");
  transport.reconnect();
  await until(() => transport.state.status === "connected");
});

Deno.test("what an old connection still says after close() is ignored", async () => {
  const closing = Promise.withResolvers<void>();
  await using server = new ScriptedServer(async (visit) => {
    await visit.accept();
    if (visit.number > 1) return await visit.end();
    await closing.promise;
    await visit.send({ method: "notifications/message", params: { stale: true } });
    await visit.sendText("no JSON");
    await visit.send({ id: 1, method: "ping" });
    await visit.end();
  });
  const { transport, received } = make(server.url);
  const errors: unknown[] = [];
  transport.onerror = (error) => errors.push(error);
  await transport.start();
  const close = transport.close();
  closing.resolve();
  await transport.start();
  await close;
  await until(() => server.visits === 2);
  await new Promise((resolve) => setTimeout(resolve, 20));
  assertEquals([received.length, errors.length, transport.state.status], [0, 0, "connected"]);
  await transport.close();
});

Deno.test("close() twice, at once and later, is fine; onclose comes once per start", async () => {
  await using played = new Played();
  const { transport } = make(played.url);
  let closes = 0;
  transport.onclose = () => closes++;
  await transport.close();
  assertEquals(closes, 0);
  for (let round = 1; round <= 2; round++) {
    await transport.start();
    await Promise.all([transport.close(), transport.close()]);
    await transport.close();
    assertEquals([closes, transport.state.status], [round, "disconnected"]);
  }
});

Deno.test("await using closes the transport", async () => {
  await using played = new Played();
  let transport: WebSocketClientTransport;
  {
    await using inner = make(played.url).transport;
    transport = inner;
    await inner.start();
  }
  assertEquals(transport.state.status, "disconnected");
});

Deno.test("a peer that reads slowly makes send() wait, and keeps the order", async () => {
  const reading = Promise.withResolvers<void>();
  const heard: number[] = [];
  await using server = new ScriptedServer(async (visit) => {
    await visit.accept();
    await reading.promise;
    for (;;) heard.push((await visit.next()).params.n);
  });
  const { transport } = make(server.url, { outbox: { maxBytes: 64 * 1024 * 1024 } });
  await transport.start();
  const text = "x".repeat(1_000_000);
  const sent: Promise<void>[] = [];
  for (let n = 0; n < 12; n++) sent.push(transport.send(notification("x", { n, text })));
  assert(await isPending(Promise.all(sent)));
  assert(transport.getStats().queuedMessages > 0);
  reading.resolve();
  await Promise.all(sent);
  await until(() => heard.length === 12);
  assertEquals(heard, Array.from({ length: 12 }, (_, n) => n));
  await transport.close();
});

Deno.test("nothing overtakes what waits for room, also when room has just come", async () => {
  const heard: number[] = [];
  await using server = new ScriptedServer(async (visit) => {
    await visit.accept();
    for (;;) heard.push((await visit.next()).params.n);
  });
  const { transport } = make(server.url, { outbox: { maxBytes: 64 * 1024 * 1024 } });
  await transport.start();
  const text = "x".repeat(1_000_000);
  const sent: Promise<void>[] = [];
  const send = (params: Json) => sent.push(transport.send(notification("x", params)));
  for (let n = 0; n < 12; n++) send({ n, text });
  assert(transport.getStats().queuedMessages > 0);
  while (transport.getStats().queuedMessages > 0 && sent.length < 900) {
    send({ n: sent.length });
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  await Promise.all(sent);
  await until(() => heard.length === sent.length);
  assertEquals(heard, Array.from({ length: sent.length }, (_, n) => n));
  await transport.close();
});

Deno.test("an open socket is taken over, and never dialled again", async () => {
  await using played = new Played();
  const socket = new WebSocket(played.url, "mcp");
  await new Promise((resolve) => socket.onopen = resolve);
  const transport = new WebSocketClientTransport(socket);
  const received: Json[] = [];
  transport.onmessage = (message) => received.push(message);
  await transport.start();
  await transport.send(request(1, "ping"));
  await until(() => received.length === 1);
  played.last.cut();
  await until(() => transport.state.status === "failed");
  assertEquals(played.visits.length, 1);
  await assertRejects(() => transport.start(), TypeError, "Cannot adopt socket: it is not open");
  assertEquals(transport.state.status, "failed");
});

Deno.test("the answer to initialize is compared with the first one as it was", async () => {
  await using played = new Played(({ id, method }, visit) => {
    if (method !== "initialize" || visit.number === 1) return false;
    const capabilities = { ...LEGACY_RESULT.capabilities, prompts: {} };
    return visit.answer({ id }, { ...LEGACY_RESULT, capabilities }).then(() => true);
  });
  const { transport, received } = make(played.url);
  await using _closing = transport;
  await transport.start();
  await initialize(transport, received);
  played.last.cut();
  await until(() => played.visits.length === 2 && transport.state.status === "connected");
});
