import { assert, assertEquals } from "@std/assert";
import { delay } from "@std/async/delay";
import type { RequestContext } from "../../protocol/inbound.ts";
import { MCPWebSocketServer } from "../../server/mod.ts";
import type { MCPWebSocketServerOptions } from "../../server/mod.ts";
import { type Json, JsonSocket } from "../support/json_socket.ts";
import { ManualClock } from "../support/manual_clock.ts";
import { until } from "../support/until.ts";

/** A server, and a client of one revision over a bare socket. */
class Stage implements AsyncDisposable {
  readonly server: MCPWebSocketServer;
  readonly notes: unknown[] = [];
  readonly held = new Map<unknown, PromiseWithResolvers<void> & { context: RequestContext }>();
  readonly #sockets: JsonSocket[] = [];
  url = "";

  constructor(options: Partial<MCPWebSocketServerOptions> = {}) {
    this.server = new MCPWebSocketServer({ name: "batches", version: "1.0.0", ...options });
    this.server.handle("x/echo", (params) => params);
    this.server.handle("x/fail", () => {
      throw new Error("Not told");
    });
    this.server.handle("x/hold", async (_params, context) => {
      const held = { ...Promise.withResolvers<void>(), context };
      this.held.set(context.id, held);
      await held.promise;
      return { held: true };
    });
    this.server.onNotification("x/note", (params) => void this.notes.push(params));
  }

  async open(version = "2025-03-26"): Promise<JsonSocket> {
    this.url ||= (await this.server.start({ port: 0 })).url;
    const socket = await JsonSocket.open(this.url);
    this.#sockets.push(socket);
    const params = { protocolVersion: version, capabilities: {}, clientInfo: {} };
    socket.send({ jsonrpc: "2.0", id: "open", method: "initialize", params });
    assertEquals((await socket.next()).result.protocolVersion, version);
    socket.notify("notifications/initialized");
    return socket;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const held of this.held.values()) held.resolve();
    for (const socket of this.#sockets) await socket.close();
    await this.server.stop({ timeout: 0 });
  }
}

const request = (id: unknown, method: string, params: object = {}) => ({
  jsonrpc: "2.0",
  id,
  method,
  params,
});
const note = (n: number) => ({ jsonrpc: "2.0", method: "x/note", params: { n } });
const result = (id: unknown, result: object) => ({ jsonrpc: "2.0", id, result });
const codes = (answers: Json[]) => answers.map(({ id, error }) => [id, error?.code]);

Deno.test("a batch of requests is answered by one array, and its notifications are heard", async () => {
  await using stage = new Stage();
  const socket = await stage.open();
  socket.send([note(1), request(1, "x/echo", { a: 1 }), note(2), request("two", "x/echo")]);
  assertEquals(await socket.next(), [result(1, { a: 1 }), result("two", {})]);
  assertEquals(stage.notes, [{ n: 1 }, { n: 2 }]);
});

Deno.test("each item of a batch fails for itself", async () => {
  await using stage = new Stage();
  const socket = await stage.open();
  socket.send([
    1,
    request(1, "x/echo"),
    { id: 2, method: "x/echo" },
    request(3, "x/fail"),
    request(4, "x/none"),
    request(null, "x/echo"),
    [request(5, "x/echo")],
    request(6, "initialize"),
  ]);
  const answers = await socket.next();
  const byId = (a: Json, b: Json) => String(a[0]).localeCompare(String(b[0]));
  assertEquals(codes(answers).sort(byId), [
    [1, undefined],
    [2, -32600],
    [3, -32603],
    [4, -32601],
    [6, -32600],
    [null, -32600],
    [null, -32600],
    [null, -32600],
  ]);
  assert(!JSON.stringify(answers).includes("Not told"));
});

Deno.test("a batch of notifications is not answered", async () => {
  await using stage = new Stage();
  const socket = await stage.open();
  socket.send([note(1), note(2)]);
  assertEquals((await socket.request("x/echo")).result, {});
  assertEquals(stage.notes.length, 2);
});

Deno.test("an empty batch, a torn one and one with too many items are one error each", async () => {
  await using stage = new Stage({ maxBatchItems: 3 });
  const socket = await stage.open();
  socket.send([]);
  const empty = await socket.next();
  assertEquals([empty.error.code, "id" in empty], [-32600, false]);
  socket.send('[{"jsonrpc":"2.0","id":1,"method":"x/echo"}');
  assertEquals((await socket.next()).error.code, -32700);
  socket.send([note(1), note(2), note(3), note(4)]);
  assertEquals((await socket.next()).error, {
    code: -32600,
    message: "Invalid request: a batch must have at most 3 items: current value is 4",
  });
  assertEquals(stage.notes, []);
  socket.send([note(1), note(2), request(1, "x/echo")]);
  assertEquals(await socket.next(), [result(1, {})]);
});

Deno.test("a hundred items are taken by default, and no more", async () => {
  await using stage = new Stage();
  const socket = await stage.open();
  const ids = Array.from({ length: 100 }, (_, id) => id);
  socket.send(ids.map((id) => request(id, "x/echo")));
  assertEquals((await socket.next()).map(({ id }: Json) => id), ids);
  socket.send([...ids, 100].map((id) => request(id, "x/echo")));
  assertEquals((await socket.next()).error.code, -32600);
});

Deno.test("a batch is refused unread by a server of any other revision, and before initialize", async () => {
  await using stage = new Stage();
  for (const version of ["2024-11-05", "2025-06-18", "2025-11-25"]) {
    const socket = await stage.open(version);
    socket.send([request(1, "x/echo"), note(1)]);
    assertEquals((await socket.next()).error, {
      code: -32600,
      message: "Invalid request: batches were not negotiated",
    });
  }
  await using early = await JsonSocket.open(stage.url);
  early.send([request(1, "x/echo")]);
  assertEquals((await early.next()).error.code, -32600);
  assertEquals(stage.notes, []);
});

Deno.test("the answer to a batch waits for its slowest item, and other answers do not wait for it", async () => {
  await using stage = new Stage();
  const socket = await stage.open();
  socket.send([request(11, "x/hold"), request(12, "x/echo")]);
  await until(() => stage.held.has(11));
  assertEquals((await socket.request("x/echo", { alone: true })).result, { alone: true });
  stage.held.get(11)?.resolve();
  assertEquals(await socket.next(), [result(12, {}), result(11, { held: true })]);
});

Deno.test("an item of a batch that is cancelled is answered by nothing, and the rest is not held up", async () => {
  await using stage = new Stage();
  const socket = await stage.open();
  socket.send([request(11, "x/hold"), request(12, "x/echo")]);
  await until(() => stage.held.has(11));
  socket.notify("notifications/cancelled", { requestId: 11 });
  assertEquals(await socket.next(), [result(12, {})]);
  assert(stage.held.get(11)?.context.signal.aborted);
  socket.send([request(13, "x/hold")]);
  await until(() => stage.held.has(13));
  socket.send([{ jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: 13 } }]);
  assertEquals((await socket.request("x/echo")).result, {});
});

Deno.test("answers of a batch leave after 30 s without the slowest, which follows", async () => {
  const clock = new ManualClock();
  await using stage = new Stage({ clock, heartbeatTimeout: false });
  const socket = await stage.open();
  socket.send([request(11, "x/hold"), request(12, "x/echo"), request(13, "x/hold")]);
  await until(() => stage.held.has(13));
  // The answer to the second has been kept by now.
  assertEquals((await socket.request("x/echo")).result, {});
  clock.advance(30_000);
  assertEquals(await socket.next(), [result(12, {})]);
  stage.held.get(11)?.resolve();
  stage.held.get(13)?.resolve();
  assertEquals(await socket.next(), [result(11, { held: true }), result(13, { held: true })]);
});

Deno.test("an id that is in use in a batch is refused in another one, and alone", async () => {
  await using stage = new Stage();
  const socket = await stage.open();
  socket.send([request(1, "x/hold")]);
  await until(() => stage.held.has(1));
  socket.send([request(1, "x/echo"), request(2, "x/echo")]);
  assertEquals(codes(await socket.next()), [[1, -32600], [2, undefined]]);
  socket.send(request(1, "x/echo"));
  assertEquals((await socket.next()).error.code, -32600);
  stage.held.get(1)?.resolve();
  assertEquals(await socket.next(), [result(1, { held: true })]);
});

Deno.test("a connection that ends with a batch open leaves nothing behind, and aborts its handlers", async () => {
  await using stage = new Stage();
  const socket = await stage.open();
  socket.send([request(1, "x/hold"), request(2, "x/echo")]);
  await until(() => stage.held.has(1));
  const { signal } = stage.held.get(1)!.context;
  const aborted = new Promise((resolve) => signal.addEventListener("abort", resolve));
  await socket.close();
  await aborted;
  stage.held.get(1)?.resolve();
  await delay(0);
  assertEquals(stage.server.clients.length, 0);
});

Deno.test("every message of a batch counts against the rate", async () => {
  await using stage = new Stage({ rate: { messages: { perSecond: 1, burst: 10 } } });
  const socket = await stage.open();
  socket.send(Array.from({ length: 20 }, (_, n) => note(n)));
  assertEquals((await socket.closed).code, 4429);
  assertEquals(stage.notes, []);
});

Deno.test("ten invalid batches in a row end the connection", async () => {
  await using stage = new Stage();
  const socket = await stage.open();
  for (let i = 0; i < 10; i++) socket.send([i]);
  assertEquals((await socket.closed).code, 1002);
});

Deno.test("a batch of answers settles the server's own requests", async () => {
  await using stage = new Stage();
  stage.server.handle("x/ask", async (_params, { session }) => {
    const asked = [session.request("roots/list", {}), session.request("roots/list", {})];
    return { answers: await Promise.all(asked) };
  });
  const socket = await stage.open();
  socket.send(request(1, "x/ask"));
  const ids = [(await socket.next()).id, (await socket.next()).id];
  socket.send(ids.map((id) => result(id, { roots: [] })));
  assertEquals(await socket.next(), result(1, { answers: [{ roots: [] }, { roots: [] }] }));
});
