import { assert, assertEquals, assertMatch } from "@std/assert";
import { StdioGateway, type StdioGatewayOptions } from "../../server/stdio_gateway.ts";
import { JsonSocket } from "../support/json_socket.ts";
import { RawSocket, UPGRADE_HEADERS } from "../support/raw_socket.ts";
import { recordLog } from "../support/recorded_log.ts";
import { denoArgs, isRunning } from "../support/running_command.ts";
import { SessionPeer } from "../support/session_peer.ts";
import { until } from "../support/until.ts";
import { serve, type Serving } from "./_serving.ts";

interface Scene extends AsyncDisposable {
  readonly gateway: StdioGateway;
  readonly serving: Serving;
  readonly log: readonly string[];
  connect(): Promise<JsonSocket>;
}

const SCRIPTED = [Deno.execPath(), ...denoArgs("tests/support/stdio_server.ts")];

function open(options: StdioGatewayOptions = {}, command = SCRIPTED): Scene {
  const { logger, lines } = recordLog();
  const gateway = new StdioGateway(command, { logger, ...options });
  const serving = serve(gateway.serve);
  return {
    gateway,
    serving,
    log: lines,
    connect: () => JsonSocket.open(serving.url),
    async [Symbol.asyncDispose]() {
      await serving[Symbol.asyncDispose]();
      await gateway[Symbol.asyncDispose]();
      await until(() => gateway.pids.length === 0);
    },
  };
}

async function pidOf(socket: JsonSocket): Promise<number> {
  const { result } = await socket.request("x/echo", {});
  return result.pid;
}

Deno.test("StdioGateway carries messages both ways, and brings ids back as they were", async () => {
  await using scene = open();
  await using socket = await scene.connect();
  for (const id of [0, 1, -7, 2 ** 53 - 1, "1", "", "a:1", "ü\n\u2028", "null"]) {
    socket.send({ jsonrpc: "2.0", id, method: "x/echo", params: { text: "é😀\n\\" } });
    const { id: answered, result } = await socket.next();
    assertEquals(answered, id);
    assertEquals(result.id, id);
    assertEquals(result.params, { text: "é😀\n\\" });
  }
  socket.send({ jsonrpc: "2.0", id: "x", method: "x/nope" });
  const answer = await socket.next();
  assertEquals(answer, { jsonrpc: "2.0", id: "x", error: { code: -32601, message: "x/nope" } });
});

Deno.test("StdioGateway lets nothing cross between two connections", async () => {
  await using scene = open();
  await using one = await scene.connect();
  await using two = await scene.connect();
  const clients = [{ socket: one, tag: "one" }, { socket: two, tag: "two" }];
  await Promise.all(clients.map(async ({ socket, tag }) => {
    // The same ids and tokens on both connections, at the same time.
    const _meta = { progressToken: 1 };
    socket.send({ jsonrpc: "2.0", id: 1, method: "x/work", params: { steps: 50, tag, _meta } });
    socket.send({ jsonrpc: "2.0", id: "ask", method: "x/ask", params: { tag } });
    socket.send({ jsonrpc: "2.0", id: 2, method: "x/hang" });
    socket.send({
      jsonrpc: "2.0",
      method: "notifications/cancelled",
      params: { requestId: 2, reason: tag },
    });
    const seen = new Map<string, unknown[]>();
    while (!seen.has("result 1") || !seen.has("result ask") || !seen.has("x/cancelled")) {
      const { id, method, params, result } = await socket.next();
      if (method === "sampling/createMessage") {
        assertEquals(id, "ask-1");
        assertEquals(params.messages[0].content.text, tag);
        socket.send({ jsonrpc: "2.0", id, result: { answeredBy: tag } });
      }
      const key = method ?? `result ${id}`;
      seen.set(key, [...seen.get(key) ?? [], params ?? result]);
    }
    const progress = seen.get("notifications/progress") ?? [];
    assertEquals(progress.length, 50);
    assertEquals(
      progress,
      Array.from({ length: 50 }, (_, i) => ({ progressToken: 1, progress: i + 1, message: tag })),
    );
    assertEquals(seen.get("result 1"), [{ tag }]);
    assertEquals(seen.get("result ask"), [{ tag, answer: { answeredBy: tag } }]);
    assertEquals(seen.get("x/cancelled"), [{ requestId: 2, reason: tag }]);
  }));
  assert(await pidOf(one) !== await pidOf(two));
});

Deno.test("StdioGateway closes only the connection whose process exits", async () => {
  await using scene = open();
  await using one = await scene.connect();
  await using two = await scene.connect();
  const pid = await pidOf(one);
  one.ask("x/exit", { code: 3, last: "words" });
  // What it wrote before its end arrives.
  assertEquals((await one.next()).params, { last: "words" });
  assertEquals(await one.closed, { code: 1011, reason: "The MCP server exited with code 3" });
  await until(() => !isRunning(pid));
  assertEquals(scene.gateway.pids, [await pidOf(two)]);
});

Deno.test("StdioGateway says by which signal a process was ended", async () => {
  await using scene = open();
  await using socket = await scene.connect();
  Deno.kill(await pidOf(socket), "SIGKILL");
  assertEquals(await socket.closed, {
    code: 1011,
    reason: "The MCP server was ended by SIGKILL",
  });
});

Deno.test("StdioGateway ends the process when its connection ends", async () => {
  await using scene = open();
  const socket = await scene.connect();
  const pid = await pidOf(socket);
  await socket.close();
  await until(() => !isRunning(pid));
  await until(() => scene.gateway.pids.length === 0);
  assertEquals(scene.log.filter((line) => /SIGTERM|SIGKILL/.test(line)), []);
});

Deno.test("StdioGateway terminates, then kills a process that does not exit", async () => {
  await using scene = open({ grace: 100 });
  const socket = await scene.connect();
  const { result } = await socket.request("x/stubborn", {});
  await socket.close();
  await until(() => !isRunning(result.pid));
  await until(() => scene.gateway.pids.length === 0);
  const signals = scene.log.flatMap((line) => /sending (SIG\w+)/.exec(line)?.[1] ?? []);
  assertEquals(signals, ["SIGTERM", "SIGKILL"]);
});

Deno.test("StdioGateway does not wait for what a process has left behind", async () => {
  // The pipes stay open as long as what inherited them lives.
  const command = ["sh", "-c", "sleep 60 & echo pid $! >&2; exit 4"];
  await using scene = open({ grace: 100 }, command);
  await using socket = await scene.connect();
  assertEquals((await socket.closed).reason, "The MCP server exited with code 4");
  const pids = scene.log.flatMap((line) => /: pid (\d+)$/.exec(line)?.[1] ?? []);
  assertEquals(pids.length, 1);
  Deno.kill(Number(pids[0]), "SIGKILL");
});

Deno.test("StdioGateway.close() ends all processes, stubborn ones too", async () => {
  const scene = open({ grace: 100 });
  const sockets = await Promise.all([scene.connect(), scene.connect(), scene.connect()]);
  const pids = await Promise.all(sockets.map(pidOf));
  await sockets[0]?.request("x/stubborn", {});
  await scene[Symbol.asyncDispose]();
  assertEquals(pids.filter(isRunning), []);
  await Promise.all(sockets.map((socket) => socket.closed));
});

Deno.test("StdioGateway.kill() ends all processes at once", async () => {
  await using scene = open();
  const socket = await scene.connect();
  await socket.request("x/stubborn", {});
  scene.gateway.kill();
  const { reason } = await socket.closed;
  assertEquals(reason, "The MCP server was ended by SIGKILL");
});

Deno.test("StdioGateway logs what the process logs, made safe for a terminal", async () => {
  await using scene = open();
  await using socket = await scene.connect();
  await socket.request("x/log", { text: "\u001b[31mred\u001b[0m\u0007and\ttab  \nnext" });
  await until(() => scene.log.some((line) => line.endsWith(": next")));
  const lines = scene.log.filter((line) => line.startsWith("info Child of connection"));
  assertEquals(lines.map((line) => line.replace(/^.*?: /, "")), ["red and tab", "next"]);
});

Deno.test("StdioGateway logs and drops what is no message or too long, and goes on", async () => {
  await using scene = open({ maxLineBytes: 1_000 });
  await using socket = await scene.connect();
  const { result } = await socket.request("x/garbage", { size: 2_000 });
  assertEquals(result, {});
  const warnings = scene.log.filter((line) => line.startsWith("warn "));
  assertMatch(
    warnings[0] ?? "",
    /wrote a line of 16 characters: "Parse error: the text is not JSON"/,
  );
  assertMatch(warnings[1] ?? "", /"Line of 2002 bytes was dropped as at most 1000 are taken"/);
  assertMatch(warnings[2] ?? "", /"Invalid response: member \\"id\\" must be/);
  assertEquals(warnings.length, 3);
});

Deno.test("StdioGateway counts processes that are about to exit, too", async () => {
  await using scene = open({ grace: 100, maxProcesses: 1 });
  const first = await scene.connect();
  await first.request("x/stubborn", {});
  await first.close();
  await using second = await scene.connect();
  assertEquals(await second.closed, { code: 1013, reason: "Too many MCP servers are running" });
  await until(() => scene.gateway.pids.length === 0);
  await using third = await scene.connect();
  await pidOf(third);
});

Deno.test("StdioGateway closes a connection whose process cannot be started", async () => {
  await using scene = open({}, ["/secret/path/to/nothing", "--token=secret"]);
  await using socket = await scene.connect();
  assertEquals(await socket.closed, {
    code: 1011,
    reason: "The MCP server could not be started",
  });
  assert(scene.log.some((line) => line.startsWith("error Starting a child of connection")));
});

Deno.test("StdioGateway closes a connection whose process does not read", async () => {
  await using scene = open({ maxQueuedBytes: 100_000, grace: 50 });
  await using socket = await scene.connect();
  await socket.request("x/deaf", {});
  const [session] = scene.serving.handler.sessions.values();
  assert(session !== undefined);
  // One by one: Deno loses the close code when more is on its way to the server.
  while (session.isOpen) {
    const { messagesIn } = session;
    socket.notify("x/note", { text: "x".repeat(50_000) });
    await until(() => session.messagesIn > messagesIn);
  }
  assertEquals(await socket.closed, {
    code: 1013,
    reason: "The MCP server does not read its input",
  });
});

Deno.test("StdioGateway slows the process down when the client does not read", async () => {
  await using scene = open();
  const { socket } = await RawSocket.request(scene.serving.port, UPGRADE_HEADERS);
  using _ = socket;
  const request = {
    jsonrpc: "2.0",
    id: 1,
    method: "x/flood",
    params: { count: 2_000, size: 32_768 },
  };
  await socket.writeFrame(1, JSON.stringify(request));
  const [session] = scene.serving.handler.sessions.values();
  assert(session !== undefined);
  await until(() => session.bufferedAmount > 1024 * 1024);
  // All of it would be 64 MiB, and be written in a fraction of this time.
  for (let i = 0; i < 30; i++) {
    await new Promise((resolve) => setTimeout(resolve, 10));
    assert(session.bufferedAmount < 3 * 1024 * 1024, `${session.bufferedAmount} bytes wait`);
  }
  assertEquals(scene.log.some((line) => line.endsWith(": flood 2000")), false);
});

Deno.test("StdioGateway delivers a flood in order to a client that reads", async () => {
  await using scene = open();
  await using socket = await scene.connect();
  const id = socket.ask("x/flood", { count: 1_000, size: 10_000 });
  for (let n = 1; n <= 1_000; n++) assertEquals((await socket.next()).params.n, n);
  assertEquals((await socket.next()).id, id);
});

Deno.test("StdioGateway lets running requests finish when the handler is closed", async () => {
  const scene = open();
  await using socket = await scene.connect();
  const pid = await pidOf(socket);
  socket.ask("x/later", { ms: 200 });
  const { handler } = scene.serving;
  const [session] = handler.sessions.values();
  await until(() => session?.running === 1);
  const closed = handler.close({ code: 1012, reason: "Server is restarting" });
  assertEquals((await socket.next()).result, { ms: 200 });
  await closed;
  assertEquals(await socket.closed, { code: 1012, reason: "Server is restarting" });
  await scene[Symbol.asyncDispose]();
  assertEquals(isRunning(pid), false);
});

Deno.test("StdioGateway turns an answer that is too large for the client into an error", async () => {
  await using scene = open();
  const limits = { messageBytes: 2_000 };
  await using peer = new SessionPeer(scene.serving.port, { limits });
  await peer.open();
  const answer = await peer.request("x/echo", { text: "x".repeat(2_000) });
  assertEquals(answer.error, { code: -32603, message: "Internal error" });
  await until(() => scene.log.some((line) => line.includes("the client takes 2000 bytes")));
  assertEquals((await peer.request("x/echo", { a: 1 })).result.params, { a: 1 });
  await peer.bye();
});
