import { assert, assertEquals, assertRejects } from "@std/assert";
import { delay } from "@std/async/delay";
import { MCPWebSocketClient } from "../../client/client.ts";
import { MCPConnectionError, MCPRpcError } from "../../protocol/errors.ts";
import { MCPWebSocketServer } from "../../server/mod.ts";
import { ChaosLink } from "../support/chaos_link.ts";
import type { Json } from "../support/json_socket.ts";
import { SessionServer } from "../support/session_server.ts";
import { until } from "../support/until.ts";

const EAGER = { immediate: [], minDelay: 1, maxDelay: 1, minUptime: 20 };

/** The frames with messages that a server of sessions got, without what opened MCP. */
function framesOf(server: SessionServer): Json[][] {
  return server.visits.flatMap(({ frames }) => frames)
    .filter((frame) => frame.startsWith("{") && !/initialize/.test(frame))
    .map((frame) => frame.split("\n").map((line) => JSON.parse(line)));
}

const namesOf = (frames: Json[][]) =>
  frames.map((frame) => frame.map((message) => message.params?.n ?? message.method));

/** A server of sessions that answers everything. */
function playSession(): SessionServer {
  return new SessionServer(async (visit) => {
    await visit.open();
    await visit.play();
  });
}

async function connect(url: string, options = {}): Promise<MCPWebSocketClient> {
  const client = new MCPWebSocketClient(url, { era: "legacy", ...options });
  await client.connect();
  return client;
}

/** A bare server over plain `mcp` of one revision; it answers a batch by a batch, backwards. */
class PlainServer implements AsyncDisposable {
  readonly frames: Json[] = [];
  readonly texts: string[] = [];
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  constructor(protocolVersion: string) {
    const opening = { protocolVersion, capabilities: {}, serverInfo: {} };
    const answer = ({ id, method, params }: Json) => {
      if (method === "x/fail") return { jsonrpc: "2.0", id, error: { code: -1, message: "No" } };
      return { jsonrpc: "2.0", id, result: method === "initialize" ? opening : params ?? {} };
    };
    this.#server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, (request) => {
      const { socket, response } = Deno.upgradeWebSocket(request, { protocol: "mcp" });
      socket.onmessage = ({ data }) => {
        const frame = JSON.parse(data);
        this.frames.push(frame);
        this.texts.push(data);
        const asked = [frame].flat().filter(({ id }) => id !== undefined);
        if (Array.isArray(frame)) socket.send(JSON.stringify(asked.map(answer).reverse()));
        else if (asked.length > 0) socket.send(JSON.stringify(answer(frame)));
      };
      return response;
    });
  }

  get url(): string {
    return `ws://127.0.0.1:${this.#server.addr.port}/`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }
}

Deno.test("batch() sends requests and notifications of a session in one frame, in their order", async () => {
  await using server = playSession();
  await using client = await connect(server.url);
  const before = framesOf(server).length;
  const results = await client.batch((batch) => {
    const first = batch.request("x/a", { n: 1 });
    batch.notify("x/b", { n: 2 });
    return Promise.all([first, batch.request("x/c", { n: 3 })]);
  });
  assertEquals(results, [{}, {}]);
  assertEquals(namesOf(framesOf(server).slice(before)), [[1, 2, 3]]);
});

Deno.test("batch() sends one frame of any size, up to 128 KiB", async () => {
  await using server = playSession();
  await using client = await connect(server.url);
  for (const units of [300, 2_000, 30_000]) {
    const before = framesOf(server).length;
    const data = "é".repeat(units / 2);
    await client.batch((batch) =>
      Promise.all([1, 2, 3, 4].map((n) => batch.request("x/a", { n, data })))
    );
    const frames = framesOf(server).slice(before);
    assertEquals(namesOf(frames), [[1, 2, 3, 4]]);
    assertEquals(frames[0]?.map(({ params }) => params.data), [data, data, data, data]);
  }
});

Deno.test("batch() gives what its callback gives, and each item fails for itself", async () => {
  await using server = new MCPWebSocketServer({ name: "s", version: "1.0.0" });
  server.handle("x/echo", (params) => params);
  server.handle("x/fail", () => {
    throw new MCPRpcError(-5, "On purpose");
  });
  await using client = await connect((await server.start({ port: 0 })).url);
  const [one, two, three] = await client.batch((batch) =>
    Promise.allSettled([
      batch.request("x/echo", { n: 1 }),
      batch.request("x/fail"),
      batch.request("x/echo", { n: 3 }),
    ])
  );
  assertEquals([one.status, two.status, three.status], ["fulfilled", "rejected", "fulfilled"]);
  assertEquals(two.status === "rejected" && two.reason.message, "On purpose");
  const later = await client.batch(async (batch) => {
    await delay(0);
    return [batch.request("x/echo", { n: 4 })];
  });
  assertEquals(await Promise.all(later), [{ n: 4 }]);
  assertEquals(await client.batch(() => "nothing"), "nothing");
});

Deno.test("batch() sends a JSON-RPC batch to a plain peer of 2025-03-26, and takes one back", async () => {
  await using server = new PlainServer("2025-03-26");
  await using client = await connect(server.url);
  const [a, failed, c] = await client.batch((batch) => {
    batch.notify("x/note", { n: 0 });
    return Promise.allSettled([
      batch.request("x/echo", { n: 1 }),
      batch.request("x/fail"),
      batch.request("x/echo", { n: 2 }),
    ]);
  });
  assertEquals(a.status === "fulfilled" && a.value, { n: 1 });
  assertEquals(failed.status === "rejected" && failed.reason.code, -1);
  assertEquals(c.status === "fulfilled" && c.value, { n: 2 });
  const sent = server.frames.at(-1);
  assertEquals(sent.map(({ method }: Json) => method), ["x/note", "x/echo", "x/fail", "x/echo"]);
});

Deno.test("batch() fills a plain batch up as any other frame", async () => {
  await using server = new PlainServer("2025-03-26");
  await using client = await connect(server.url);
  const data = "x".repeat(800);
  await client.batch((batch) =>
    Promise.all([batch.request("x/echo", { data }), batch.request("x/echo", { data })])
  );
  assertEquals(server.texts.at(-1)?.length, 65_536);
});

Deno.test("batch() sends one frame for each message to a plain peer of any other revision", async () => {
  await using server = new PlainServer("2025-06-18");
  await using client = await connect(server.url);
  const results = await client.batch((batch) =>
    Promise.all([batch.request("x/echo", { n: 1 }), batch.request("x/echo", { n: 2 })])
  );
  assertEquals(results, [{ n: 1 }, { n: 2 }]);
  assertEquals(server.frames.slice(-2).map(({ params }) => params), [{ n: 1 }, { n: 2 }]);
});

Deno.test("batch() answers what the server asks in a batch by one array", async () => {
  const answered = Promise.withResolvers<Json>();
  const http = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, (request) => {
    const { socket, response } = Deno.upgradeWebSocket(request, { protocol: "mcp" });
    socket.onmessage = ({ data }) => {
      const frame = JSON.parse(data);
      if (Array.isArray(frame)) answered.resolve(frame);
      const result = { protocolVersion: "2025-03-26", capabilities: {}, serverInfo: {} };
      if (frame.method === "initialize") {
        socket.send(JSON.stringify({ jsonrpc: "2.0", id: frame.id, result }));
      }
      if (frame.method !== "notifications/initialized") return;
      const ask = (id: number, method: string) => ({ jsonrpc: "2.0", id, method });
      socket.send(JSON.stringify([ask(7, "ping"), ask(8, "roots/list"), ask(9, "x/none")]));
    };
    return response;
  });
  const client = new MCPWebSocketClient(`ws://127.0.0.1:${http.addr.port}/`, { era: "legacy" });
  client.handle("roots/list", async () => {
    await delay(0);
    return { roots: [] };
  });
  await client.connect();
  const answers: Json[] = await answered.promise;
  assertEquals(answers.map(({ id, error }) => [id, error?.code]), [
    [7, undefined],
    [9, -32601],
    [8, undefined],
  ]);
  await client.disconnect();
  await http.shutdown();
});

Deno.test("batch() flushes by count, bytes, age and end, and getStats() tells how often", async () => {
  await using server = playSession();
  await using client = await connect(server.url);
  const before = framesOf(server).length;
  await client.batch((batch) => {
    for (let n = 1; n <= 5; n++) batch.notify("x/note", { n });
  }, { maxItems: 2 });
  assertEquals(client.getStats().batchFlushes, { count: 2, bytes: 0, age: 0, end: 1 });
  const data = "x".repeat(400);
  await client.batch((batch) => {
    for (let n = 6; n <= 8; n++) batch.notify("x/note", { n, data });
  }, { maxBytes: 1_000 });
  assertEquals(client.getStats().batchFlushes, { count: 2, bytes: 1, age: 0, end: 2 });
  await client.batch(async (batch) => {
    batch.notify("x/note", { n: 9 });
    // It is sent although the callback is not done.
    await until(() => framesOf(server).flat().some(({ params }) => params?.n === 9));
    batch.notify("x/note", { n: 10 });
  });
  assertEquals(client.getStats().batchFlushes, { count: 2, bytes: 1, age: 1, end: 3 });
  await client.request("x/last");
  assertEquals(namesOf(framesOf(server).slice(before)), [
    [1, 2],
    [3, 4],
    [5],
    [6, 7],
    [8],
    [9],
    [10],
    ["x/last"],
  ]);
});

Deno.test("getStats() tells why frames of a session left", async () => {
  await using server = playSession();
  await using client = await connect(server.url);
  const { turn, full } = client.getStats().frameFlushes;
  await Promise.all([client.request("x/a", { n: 1 }), client.request("x/a", { n: 2 })]);
  assertEquals(client.getStats().frameFlushes.turn, turn + 1);
  const data = "x".repeat(700);
  await Promise.all([1, 2, 3].map((n) => client.request("x/a", { n, data })));
  const after = client.getStats().frameFlushes;
  assertEquals([after.turn, after.full], [turn + 2, full + 2]);
});

Deno.test("batch() waits up to maxAge for a callback that is not done", async () => {
  await using server = playSession();
  await using client = await connect(server.url);
  const before = framesOf(server).length;
  await client.batch(async (batch) => {
    batch.notify("x/note", { n: 1 });
    await delay(5);
    batch.notify("x/note", { n: 2 });
    batch.flush();
    batch.notify("x/note", { n: 3 });
  }, { maxAge: 60_000 });
  await client.request("x/last");
  assertEquals(namesOf(framesOf(server).slice(before)), [[1, 2], [3], ["x/last"]]);
  await client.batch(async (batch) => await batch.request("x/a", { n: 4 }), { maxAge: 5 });
  assertEquals(client.getStats().batchFlushes.age, 1);
});

Deno.test("batch() does not send a request that was cancelled before it left", async () => {
  await using server = playSession();
  await using client = await connect(server.url);
  const before = framesOf(server).length;
  const giveUp = new AbortController();
  const [cancelled, kept] = await client.batch((batch) => {
    const { signal } = giveUp;
    const items = [batch.request("x/a", { n: 1 }, { signal }), batch.request("x/a", { n: 2 })];
    giveUp.abort(new Error("Not needed"));
    return Promise.allSettled(items);
  });
  assertEquals([cancelled?.status, kept?.status], ["rejected", "fulfilled"]);
  assertEquals(namesOf(framesOf(server).slice(before)), [[2]]);
});

Deno.test("batch() cancels one item that has left, and the others go on", async () => {
  await using server = new MCPWebSocketServer({ name: "s", version: "1.0.0" });
  const aborted = Promise.withResolvers<void>();
  const giveUp = new AbortController();
  server.handle("x/hold", (_params, { signal }) => {
    signal.addEventListener("abort", () => aborted.resolve());
    giveUp.abort(new Error("Not needed"));
    return new Promise(() => {});
  });
  server.handle("x/echo", (params) => params);
  await using client = await connect((await server.start({ port: 0 })).url);
  const [held, echoed] = await client.batch((batch) =>
    Promise.allSettled([
      batch.request("x/hold", {}, { signal: giveUp.signal }),
      batch.request("x/echo", { n: 1 }),
    ])
  );
  assertEquals(held.status === "rejected" && held.reason.message, "Not needed");
  assertEquals(echoed.status === "fulfilled" && echoed.value, { n: 1 });
  await aborted.promise;
});

Deno.test("batch() sends nothing if its callback fails, and nothing can be added when it is over", async () => {
  await using server = playSession();
  await using client = await connect(server.url);
  const before = framesOf(server).length;
  const error = new Error("On purpose");
  await assertRejects(
    () =>
      client.batch((batch) => {
        batch.request("x/a", { n: 1 });
        batch.notify("x/b", { n: 2 });
        throw error;
      }),
    Error,
    "On purpose",
  );
  const batch = await client.batch((batch) => batch);
  await assertRejects(() => batch.request("x/a"), TypeError, "the batch has ended");
  await assertRejects(() => batch.notify("x/a"), TypeError, "the batch has ended");
  await client.request("x/last");
  assertEquals(namesOf(framesOf(server).slice(before)), [["x/last"]]);
  assertEquals(client.getStats().requests.pending, 0);
});

Deno.test("batch() refuses an item that is too large, and sends the others", async () => {
  await using server = playSession();
  await using client = await connect(server.url, { maxSendBytes: 2_000 });
  const [large, small] = await client.batch((batch) =>
    Promise.allSettled([
      batch.request("x/a", { data: "x".repeat(3_000) }),
      batch.request("x/a", { n: 1 }),
    ])
  );
  assertEquals([large.status, small.status], ["rejected", "fulfilled"]);
});

Deno.test("batch() waits for a connection, and then leaves in one frame", async () => {
  await using server: SessionServer = new SessionServer(async (visit) => {
    const received = server.visits[0]?.received ?? 0;
    await visit.open({ received });
    if (visit.number > 1) return await visit.play();
    await visit.play((message) => {
      if (message.method === "x/cut") throw new Error("cut");
    }).catch(() => {});
  });
  await using client = await connect(server.url, { reconnect: EAGER });
  await client.notify("x/cut");
  await until(() => client.state.status === "reconnecting");
  const results = await client.batch((batch) =>
    Promise.all([1, 2, 3].map((n) => batch.request("x/a", { n })))
  );
  assertEquals(results, [{}, {}, {}]);
  assert(namesOf(framesOf(server)).some((names) => names.join() === "1,2,3"));
});

Deno.test("batch() whose connection is cut is replayed in its session, each item once", async () => {
  await using server = new MCPWebSocketServer({ name: "s", version: "1.0.0" });
  const handled: unknown[] = [];
  const link = Promise.withResolvers<ChaosLink>();
  server.handle("x/cut", async ({ n }) => {
    handled.push(n);
    if (handled.length === 5) (await link.promise).cut();
    return { n };
  });
  const { port } = await server.start({ port: 0 });
  await using chaos = ChaosLink.open(port);
  link.resolve(chaos);
  await using client = await connect(chaos.url(), { reconnect: EAGER });
  const all = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];
  const results = await client.batch((batch) =>
    Promise.all(all.map((n) => batch.request("x/cut", { n })))
  );
  assertEquals(results, all.map((n) => ({ n })));
  assertEquals(handled, all);
  assertEquals(client.getStats().resumes, 1);
});

Deno.test("disconnect() with a batch open fails what it holds", async () => {
  await using server = playSession();
  const client = await connect(server.url);
  const collected = client.batch(async (batch) => {
    const item = batch.request("x/a", { n: 1 });
    await client.disconnect();
    return await item;
  }, { maxAge: 60_000 });
  await assertRejects(() => collected, MCPConnectionError, "disconnected");
  assertEquals(namesOf(framesOf(server)).flat().includes(1), false);
});

Deno.test("batch() refuses options outside their range", async () => {
  const client = new MCPWebSocketClient("ws://localhost/");
  for (const options of [{ maxItems: 0 }, { maxBytes: 131_073 }, { maxAge: -1 }]) {
    const [name = ""] = Object.keys(options);
    await assertRejects(() => client.batch(() => {}, options), RangeError, name);
  }
});
