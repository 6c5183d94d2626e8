import { assert, assertEquals } from "@std/assert";
import {
  createWebSocketHandler,
  MCPRpcError,
  MCPWebSocketServer,
  type MetricLabels,
  type MetricsSink,
  type WebSocketHandlerOptions,
} from "../../server/mod.ts";
import { JsonSocket } from "../support/json_socket.ts";
import { ManualClock } from "../support/manual_clock.ts";
import { RawSocket, UPGRADE_HEADERS } from "../support/raw_socket.ts";
import { mintToken, SessionPeer } from "../support/session_peer.ts";
import { until } from "../support/until.ts";
import { echo, serve, type Serving } from "./_serving.ts";
import { nonZero, parseMetrics, sample } from "./_prometheus.ts";

/** Everything that is not 0, without what depends on the time. */
function countsOf({ handler }: Serving): Record<string, number> {
  const { bowline_ready: _, bowline_uptime_seconds: __, ...counts } = nonZero(handler.metrics());
  const left = /_(bucket|sum|characters_total)\b/;
  const untimed = Object.entries(counts).filter(([key]) => !left.test(key));
  return Object.fromEntries(untimed);
}

/** Waits until a sample has a value. */
async function untilSample({ handler }: Serving, key: string, value: number): Promise<void> {
  await until(() => sample(handler.metrics(), key) === value);
}

/** A sink that writes down what it is told, in one line each. */
function recordSink(): { sink: MetricsSink; lines: string[] } {
  const lines: string[] = [];
  const note = (name: string, value: number, labels: MetricLabels) =>
    lines.push([name.replace("bowline_", ""), value, ...Object.values(labels)].join(" "));
  return { sink: { add: note, record: note }, lines };
}

async function callError(client: JsonSocket, method: string): Promise<number> {
  return (await client.request(method)).error.code;
}

Deno.test("metrics() starts with every kind at 0, each with HELP and TYPE", () => {
  const handler = createWebSocketHandler(echo);
  const families = parseMetrics(handler.metrics());
  assertEquals([...families].map(([name, { type }]) => `${type} ${name}`), [
    "gauge bowline_ready",
    "gauge bowline_uptime_seconds",
    "gauge bowline_connections",
    "gauge bowline_sessions",
    "counter bowline_messages_received_total",
    "counter bowline_messages_sent_total",
    "gauge bowline_requests_in_flight",
    "gauge bowline_buffered_bytes",
    "counter bowline_failures_total",
    "counter bowline_received_characters_total",
    "counter bowline_sent_characters_total",
    "counter bowline_compressed_frames_total",
    "counter bowline_compression_saved_bytes_total",
    "counter bowline_connections_opened_total",
    "counter bowline_connections_closed_total",
    "counter bowline_upgrades_refused_total",
    "counter bowline_connections_refused_total",
    "counter bowline_sessions_opened_total",
    "counter bowline_sessions_resumed_total",
    "counter bowline_sessions_ended_total",
    "counter bowline_error_responses_total",
    "histogram bowline_request_duration_seconds",
  ]);
  for (const { help } of families.values()) assert(help.endsWith("."));
  const { bowline_uptime_seconds: _, ...rest } = nonZero(handler.metrics());
  assertEquals(rest, { bowline_ready: 1 });
});

Deno.test("metrics() counts a plain connection in, and out again with its close code", async () => {
  await using serving = serve();
  const client = await JsonSocket.open(serving.url);
  await client.request("a");
  client.notify("b");
  await client.request("c");
  assertEquals(countsOf(serving), {
    'bowline_connections{protocol="plain"}': 1,
    'bowline_connections_opened_total{protocol="plain"}': 1,
    bowline_messages_received_total: 3,
    bowline_messages_sent_total: 2,
    bowline_request_duration_seconds_count: 2,
  });
  await client.close();
  await untilSample(serving, 'bowline_connections{protocol="plain"}', 0);
  assertEquals(countsOf(serving), {
    'bowline_connections_opened_total{protocol="plain"}': 1,
    'bowline_connections_closed_total{code="1005"}': 1,
    bowline_messages_received_total: 3,
    bowline_messages_sent_total: 2,
    bowline_request_duration_seconds_count: 2,
  });
});

Deno.test("metrics() counts the text that passes, in UTF-16 units", async () => {
  await using serving = serve((session) => session.start());
  await using client = await JsonSocket.open(serving.url);
  const text = '{"jsonrpc":"2.0","method":"é😀"}';
  client.send(text);
  await untilSample(serving, "bowline_received_characters_total", text.length);
  serving.handler.broadcast({ jsonrpc: "2.0", method: "x" });
  await client.next();
  assertEquals(sample(serving.handler.metrics(), "bowline_sent_characters_total"), 30);
});

Deno.test("metrics() follows a session over drops to its end", async () => {
  await using serving = serve();
  await using peer = new SessionPeer(serving.port);
  await peer.dial();
  await untilSample(serving, 'bowline_connections{protocol="undecided"}', 1);
  peer.hello();
  peer.welcomed(await peer.control("welcome"));
  await peer.request("a");
  assertEquals(countsOf(serving)['bowline_connections{protocol="session"}'], 1);
  assertEquals(countsOf(serving)['bowline_sessions{state="attached"}'], 1);
  await peer.drop();
  await untilSample(serving, 'bowline_sessions{state="detached"}', 1);
  assertEquals(countsOf(serving)['bowline_connections{protocol="session"}'], undefined);
  await peer.open();
  assertEquals(countsOf(serving)["bowline_sessions_resumed_total"], 1);
  // A newer connection takes the session from the one that is still open.
  await peer.open();
  await peer.bye();
  await untilSample(serving, 'bowline_sessions_ended_total{reason="done"}', 1);
  assertEquals(countsOf(serving), {
    'bowline_connections_opened_total{protocol="session"}': 3,
    'bowline_connections_closed_total{code="1000"}': 1,
    'bowline_connections_closed_total{code="1006"}': 1,
    'bowline_connections_closed_total{code="4409"}': 1,
    bowline_sessions_opened_total: 1,
    bowline_sessions_resumed_total: 2,
    'bowline_sessions_ended_total{reason="done"}': 1,
    bowline_messages_received_total: 1,
    bowline_messages_sent_total: 1,
    bowline_request_duration_seconds_count: 1,
  });
});

Deno.test("metrics() tells why sessions have ended", async () => {
  const clock = new ManualClock();
  const endings = async (
    options: WebSocketHandlerOptions,
    end: (peer: SessionPeer, serving: Serving) => unknown,
  ) => {
    await using serving = serve(echo, options);
    await using peer = new SessionPeer(serving.port);
    await peer.open();
    await end(peer, serving);
    await until(() =>
      sample(serving.handler.metrics(), 'bowline_sessions{state="detached"}') === 0
    );
    await until(() => serving.handler.sessions.size === 0);
    const ended = Object.entries(countsOf(serving)).filter(([key]) => key.includes("ended"));
    return ended.map(([key, value]) => `${/"(.*)"/.exec(key)?.[1]} ${value}`).join();
  };
  const sessionOf = ({ handler }: Serving) => handler.sessions.values().next().value!;
  const isDetached = (serving: Serving) => until(() => !sessionOf(serving).isAttached);

  assertEquals(await endings({}, (peer) => peer.bye()), "done 1");
  assertEquals(await endings({}, (_, serving) => sessionOf(serving).disconnect("x")), "closed 1");
  assertEquals(await endings({}, (peer) => peer.say("nonsense")), "violation 1");
  assertEquals(
    await endings({ clock, session: { window: 60_000 } }, async (peer, serving) => {
      await peer.drop();
      await isDetached(serving);
      clock.advance(60_000);
    }),
    "expired 1",
  );
  assertEquals(
    await endings({ session: { maxTotalBytes: 1_000 } }, async (peer, serving) => {
      await peer.drop();
      await isDetached(serving);
      const params = { text: "x".repeat(2_000) };
      sessionOf(serving).post({ jsonrpc: "2.0", method: "x", params });
    }),
    "evicted 1",
  );
  const narrow = { bufferMessages: 1, maxWaitingMessages: 1 };
  assertEquals(
    await endings({ session: narrow }, async (peer, serving) => {
      await peer.drop();
      await isDetached(serving);
      const session = sessionOf(serving);
      for (let i = 0; i < 3; i++) session.post({ jsonrpc: "2.0", method: "x" });
    }),
    "overflow 1",
  );
});

Deno.test("metrics() counts refused upgrades by reason", async () => {
  await using serving = serve(echo, { maxConnections: 1 });
  await using _ = await JsonSocket.open(serving.url);
  const { port } = serving;
  const refused: [Record<string, string>, string, string][] = [
    [{}, "GET /nowhere HTTP/1.1", "path"],
    [{}, "POST /mcp HTTP/1.1", "method"],
    [{ Upgrade: "h2c" }, "GET /mcp HTTP/1.1", "upgrade"],
    [{ "Sec-WebSocket-Version": "8" }, "GET /mcp HTTP/1.1", "headers"],
    [{ Origin: "https://evil.example" }, "GET /mcp HTTP/1.1", "origin"],
    [{}, "GET /mcp HTTP/1.1", "full"],
    [{}, "GET /mcp HTTP/1.1", "full"],
  ];
  const expected: Record<string, number> = {};
  for (const [headers, line, reason] of refused) {
    const { socket } = await RawSocket.request(port, { ...UPGRADE_HEADERS, ...headers }, line);
    socket.close();
    const key = `bowline_upgrades_refused_total{reason="${reason}"}`;
    expected[key] = (expected[key] ?? 0) + 1;
  }
  const counts = Object.entries(countsOf(serving)).filter(([key]) => key.includes("refused"));
  assertEquals(Object.fromEntries(counts), expected);
});

Deno.test("metrics() counts connections that did not get their session by reason", async () => {
  const principalOf: WebSocketHandlerOptions["principalOf"] = ({ headers }) =>
    headers.get("X-User") ?? undefined;
  await using serving = serve(echo, { maxConnections: 1, principalOf });
  const { port } = serving;
  await using owner = new SessionPeer(port, { headers: { "X-User": "ada" } });
  await owner.open();
  await using thief = new SessionPeer(port, { headers: { "X-User": "eve" } });
  await thief.dial();
  thief.hello({ session: owner.session, token: owner.token, attempt: 9, resume: true });
  await thief.closed;
  await owner.dial();
  owner.hello({ attempt: 1 });
  await owner.closed;
  await using other = new SessionPeer(port);
  await other.dial();
  other.hello({ token: mintToken(), resume: true });
  await other.control("welcome");
  // The store of this server has no room for a second one.
  other.hello({ token: mintToken(), resume: false });
  await other.closed;
  await other.dial();
  other.write("nonsense");
  await other.closed;
  const counts = Object.entries(countsOf(serving)).filter(([key]) => key.includes("refused"));
  const of = (reason: string) => [`bowline_connections_refused_total{reason="${reason}"}`, 1];
  assertEquals(counts, ["unknown", "stale", "forbidden", "full", "protocol"].map(of));
});

Deno.test("metrics() counts errors by code, and those it does not know together", async () => {
  const server = new MCPWebSocketServer({ name: "a", version: "1", maxInFlight: 1 });
  let code = 0;
  server.handle("x/fail", () => {
    throw new MCPRpcError(++code, "No");
  });
  server.handle("x/oops", () => {
    throw new TypeError("oops");
  });
  const { url } = await server.start({ port: 0 });
  const client = await JsonSocket.open(url);
  for (let i = 1; i <= 50; i++) assertEquals(await callError(client, "x/fail"), i);
  assertEquals(await callError(client, "x/none"), -32601);
  assertEquals(await callError(client, "x/oops"), -32603);
  client.send("nonsense");
  assertEquals((await client.next()).error.code, -32700);
  client.send('{"jsonrpc":"1.0"}');
  assertEquals((await client.next()).error.code, -32600);
  const errors = Object.entries(nonZero(server.metrics()))
    .filter(([key]) => /error|failures/.test(key));
  assertEquals(Object.fromEntries(errors), {
    'bowline_failures_total{side="server"}': 1,
    'bowline_failures_total{side="peer"}': 2,
    'bowline_error_responses_total{code="-32700"}': 1,
    'bowline_error_responses_total{code="-32600"}': 1,
    'bowline_error_responses_total{code="-32601"}': 1,
    'bowline_error_responses_total{code="-32603"}': 1,
    'bowline_error_responses_total{code="other"}': 50,
  });
  await client.close();
  await server.stop();
});

Deno.test("metrics() makes no label of what strangers write", async () => {
  await using serving = serve();
  const before = serving.handler.metrics().split("\n").length;
  for (let i = 0; i < 20; i++) {
    const client = await JsonSocket.open(serving.url);
    await client.request(`x/${i}-CANARY`, { CANARY: i });
    client.socket.close(3_000 + i, "CANARY");
    await client.closed;
  }
  const key = 'bowline_connections_closed_total{code="other"}';
  await until(() => serving.handler.metrics().includes(`${key} 20\n`));
  const text = serving.handler.metrics();
  assertEquals(text.split("\n").length, before + 1);
  assertEquals(/CANARY|127\.0\.0\.1/.test(text), false);
  const longest = Math.max(...[...parseMetrics(text).values()].map(({ samples }) => samples.size));
  assert(longest < 30);
});

Deno.test("metrics() measures requests from their arrival to their answer", async () => {
  const clock = new ManualClock();
  const server = new MCPWebSocketServer({
    name: "a",
    version: "1",
    clock,
    heartbeatTimeout: false,
  });
  const calls: PromiseWithResolvers<object>[] = [];
  server.onRequest(async (_params, { method, signal }) => {
    const call = Promise.withResolvers<object>();
    calls.push(call);
    if (method === "subscriptions/listen") signal.onabort = () => call.resolve({});
    return await call.promise;
  });
  const { url } = await server.start({ port: 0 });
  const client = await JsonSocket.open(url);
  const gauge = () => sample(server.metrics(), "bowline_requests_in_flight");
  for (const ms of [0, 5, 6, 2_500, 400_000]) {
    client.ask("x/work");
    await until(() => gauge() === 1);
    clock.stall(ms);
    calls.pop()?.resolve({});
    await client.next();
    assertEquals(gauge(), 0);
  }
  // What is cancelled has no answer.
  const id = client.ask("x/work");
  await until(() => gauge() === 1);
  client.notify("notifications/cancelled", { requestId: id });
  await until(() => gauge() === 0);
  const name = "bowline_request_duration_seconds";
  const { samples } = parseMetrics(server.metrics()).get(name)!;
  assertEquals(Object.fromEntries(samples), {
    [`${name}_bucket{le="0.005"}`]: 2,
    [`${name}_bucket{le="0.01"}`]: 3,
    [`${name}_bucket{le="0.025"}`]: 3,
    [`${name}_bucket{le="0.05"}`]: 3,
    [`${name}_bucket{le="0.1"}`]: 3,
    [`${name}_bucket{le="0.25"}`]: 3,
    [`${name}_bucket{le="0.5"}`]: 3,
    [`${name}_bucket{le="1"}`]: 3,
    [`${name}_bucket{le="2.5"}`]: 4,
    [`${name}_bucket{le="5"}`]: 4,
    [`${name}_bucket{le="10"}`]: 4,
    [`${name}_bucket{le="30"}`]: 4,
    [`${name}_bucket{le="60"}`]: 4,
    [`${name}_bucket{le="300"}`]: 4,
    [`${name}_bucket{le="+Inf"}`]: 5,
    [`${name}_sum`]: 402.511,
    [`${name}_count`]: 5,
  });
  assertEquals(sample(server.metrics(), "bowline_uptime_seconds"), 402.511);
  await client.close();
  await server.stop({ timeout: 0 });
});

Deno.test("metrics() takes no time below zero when the clock is set back", async () => {
  const clock = new ManualClock();
  await using serving = serve(async (session) => {
    session.onmessage = () => {
      clock.stall(-10_000);
      session.post({ jsonrpc: "2.0", id: 1, result: {} });
    };
    await session.start();
  }, { clock, heartbeatTimeout: false });
  const client = await JsonSocket.open(serving.url);
  await client.request("a");
  assertEquals(sample(serving.handler.metrics(), "bowline_request_duration_seconds_sum"), 0);
  assertEquals(sample(serving.handler.metrics(), "bowline_request_duration_seconds_count"), 1);
  await client.close();
});

Deno.test("metrics() tells what is held for clients, and comes back to zero", async () => {
  await using serving = serve();
  await using peer = new SessionPeer(serving.port);
  await peer.open();
  peer.acks = false;
  const [session] = serving.handler.sessions.values();
  session!.post({ jsonrpc: "2.0", method: "x", params: { text: "x".repeat(10_000) } });
  const key = 'bowline_buffered_bytes{where="sessions"}';
  assert(sample(serving.handler.metrics(), key) > 10_000);
  await peer.next();
  peer.ack();
  await untilSample(serving, key, 0);
});

Deno.test("a MetricsSink hears of everything when it happens, under the same names", async () => {
  const { sink, lines } = recordSink();
  await using serving = serve(echo, { metrics: sink, clock: new ManualClock() });
  const client = await JsonSocket.open(serving.url);
  await client.request("a");
  client.send("nonsense");
  await client.next();
  await client.close();
  await until(() => serving.handler.health().activeConnections === 0);
  await fetch(`http://127.0.0.1:${serving.port}/`).then((response) => response.body?.cancel());
  assertEquals(lines, [
    "connections_opened_total 1 plain",
    "messages_received_total 1",
    "messages_sent_total 1",
    "request_duration_seconds 0",
    "error_responses_total 1 -32700",
    "failures_total 1 peer",
    "connections_closed_total 1 1005",
    "upgrades_refused_total 1 path",
  ]);
  lines.length = 0;
  await using peer = new SessionPeer(serving.port);
  await peer.open();
  await peer.bye();
  await until(() => serving.handler.sessions.size === 0);
  assertEquals(lines, [
    "sessions_opened_total 1",
    "connections_opened_total 1 session",
    "connections_closed_total 1 1000",
    "sessions_ended_total 1 done",
  ]);
  const names = parseMetrics(serving.handler.metrics());
  for (const line of lines) assert(names.has(`bowline_${line.split(" ")[0]}`));
});

Deno.test("a MetricsSink that throws or rejects harms nobody", async () => {
  const metrics: MetricsSink = {
    add() {
      throw new Error("add");
    },
    record: () => Promise.reject(new Error("record")),
  };
  const errors: Error[] = [];
  await using serving = serve(echo, { metrics, onError: (error) => errors.push(error) });
  await using client = await JsonSocket.open(serving.url);
  assertEquals((await client.request("a")).result, {});
  await using peer = new SessionPeer(serving.port);
  await peer.open();
  assertEquals((await peer.request("a")).result, {});
  assertEquals(errors, []);
  assertEquals(sample(serving.handler.metrics(), "bowline_messages_sent_total"), 2);
});
