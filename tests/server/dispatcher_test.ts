import { assertEquals, assertThrows } from "@std/assert";
import { MCPRpcError, MCPWebSocketServer } from "../../server/mod.ts";
import type { JsonRpcParams, MCPWebSocketServerOptions, ServerSession } from "../../server/mod.ts";
import { type Json, JsonSocket } from "../support/json_socket.ts";
import { until } from "./_serving.ts";

const MODERN_META = {
  "io.modelcontextprotocol/protocolVersion": "2026-07-28",
  "io.modelcontextprotocol/clientCapabilities": {},
};

/** Runs a test against a server that listens, with one client. */
async function withServer(
  run: (server: MCPWebSocketServer, client: JsonSocket, errors: Error[]) => Promise<void>,
  options: Partial<MCPWebSocketServerOptions> = {},
): Promise<void> {
  const errors: Error[] = [];
  await using server = new MCPWebSocketServer({
    name: "test",
    version: "1.2.3",
    onError: (error) => errors.push(error),
    ...options,
  });
  const { url } = await server.start({ port: 0 });
  await using client = await JsonSocket.open(url);
  await run(server, client, errors);
}

function codeOf(answer: Json): unknown {
  return answer.error?.code;
}

Deno.test("MCPWebSocketServer answers initialize and remembers who asked", () =>
  withServer(
    async (server, client) => {
      server.handle("tools/list", () => ({ tools: [] }));
      server.handle("resources/list", () => ({ resources: [] }));
      server.handle("completion/complete", () => ({ completion: { values: [] } }));
      server.handle("x/custom", () => ({}));
      const clientInfo = { name: "c", version: "2" };
      const answer = await client.request("initialize", {
        protocolVersion: "2025-06-18",
        capabilities: { sampling: {} },
        clientInfo,
      });
      assertEquals(answer.result, {
        protocolVersion: "2025-06-18",
        capabilities: { tools: {}, resources: {}, completions: {} },
        serverInfo: { name: "test", version: "1.2.3", title: "Test" },
        instructions: "Be kind",
      });
      assertEquals(server.clients[0]?.clientInfo, clientInfo);
      let session: ServerSession | undefined;
      server.handle("x/session", (_params, context) => {
        session = context.session;
      });
      await client.request("x/session");
      assertEquals(session?.protocolVersion, "2025-06-18");
      assertEquals(session?.clientCapabilities, { sampling: {} });
    },
    { title: "Test", instructions: "Be kind" },
  ));

Deno.test("MCPWebSocketServer offers its newest revision to a client it does not know", () =>
  withServer(async (_server, client) => {
    const { result } = await client.request("initialize", {
      protocolVersion: "2031-01-01",
      capabilities: {},
      clientInfo: "nonsense",
    });
    assertEquals(result.protocolVersion, "2025-11-25");
  }));

Deno.test("MCPWebSocketServer says the capabilities it was given", () =>
  withServer(
    async (server, client) => {
      server.handle("tools/list", () => ({ tools: [] }));
      const { result } = await client.request("initialize", {
        protocolVersion: "2025-11-25",
        capabilities: {},
      });
      assertEquals(result.capabilities, { logging: {} });
    },
    { capabilities: { logging: {} } },
  ));

Deno.test("MCPWebSocketServer answers ping", () =>
  withServer(async (_server, client) => {
    assertEquals((await client.request("ping")).result, {});
  }));

Deno.test("MCPWebSocketServer speaks the modern era message by message", () =>
  withServer(
    async (server, client) => {
      server.handle("tools/list", async () => {
        await Promise.resolve();
        return { tools: [] };
      });
      server.handle("x/nothing", () => {});
      const serverMeta = {
        "io.modelcontextprotocol/serverInfo": { name: "test", version: "1.2.3" },
      };
      assertEquals((await client.request("server/discover", { _meta: MODERN_META })).result, {
        resultType: "complete",
        supportedVersions: ["2026-07-28"],
        capabilities: { tools: {} },
        ttlMs: 0,
        cacheScope: "private",
        instructions: "Be kind",
        _meta: serverMeta,
      });
      assertEquals((await client.request("tools/list", { _meta: MODERN_META })).result, {
        resultType: "complete",
        tools: [],
        ttlMs: 0,
        cacheScope: "private",
        _meta: serverMeta,
      });
      assertEquals((await client.request("x/nothing", { _meta: MODERN_META })).result, {
        resultType: "complete",
        _meta: serverMeta,
      });
      assertEquals((await client.request("tools/list")).result, { tools: [] });
      const initialize = { protocolVersion: "2025-11-25", capabilities: {} };
      assertEquals(
        (await client.request("initialize", initialize)).result.protocolVersion,
        "2025-11-25",
      );
    },
    { instructions: "Be kind" },
  ));

Deno.test("MCPWebSocketServer refuses in each era what belongs to the other", () =>
  withServer(async (server, client) => {
    server.handle("resources/subscribe", () => ({}));
    server.handle("logging/setLevel", () => ({}));
    server.handle("subscriptions/listen", () => ({}));
    for (
      const method of ["initialize", "ping", "resources/subscribe", "logging/setLevel", "x/unknown"]
    ) {
      const params = { uri: "a:b", level: "info", _meta: MODERN_META };
      assertEquals(codeOf(await client.request(method, params)), -32601, method);
    }
    assertEquals(codeOf(await client.request("server/discover")), -32602);
    assertEquals(
      codeOf(await client.request("subscriptions/listen", { notifications: {} })),
      -32602,
    );
    assertEquals((await client.request("logging/setLevel", { level: "info" })).result, {});
    const unknown = { ...MODERN_META, "io.modelcontextprotocol/protocolVersion": "2031-01-01" };
    const refused = await client.request("tools/list", { _meta: unknown });
    assertEquals(refused.error.code, -32022);
    assertEquals(refused.error.data, { supported: ["2026-07-28"], requested: "2031-01-01" });
    const { "io.modelcontextprotocol/clientCapabilities": _, ...partial } = MODERN_META;
    assertEquals(codeOf(await client.request("tools/list", { _meta: partial })), -32602);
  }));

Deno.test("MCPWebSocketServer answers -32700 and -32600 to what is no request", () =>
  withServer(async (_server, client) => {
    const table: [frame: string, code: number, id: unknown][] = [
      ["{", -32700, undefined],
      ["", -32700, undefined],
      ["[]", -32600, undefined],
      ['[{"jsonrpc":"2.0","id":1,"method":"ping"}]', -32600, undefined],
      ['{"jsonrpc":"1.0","id":7,"method":"ping"}', -32600, 7],
      ['{"id":7,"method":"ping"}', -32600, 7],
      ['{"jsonrpc":"2.0","id":null,"method":"ping"}', -32600, undefined],
      ['{"jsonrpc":"2.0","id":1.5,"method":"ping"}', -32600, undefined],
      ['{"jsonrpc":"2.0","id":7,"method":1}', -32600, 7],
      ['{"jsonrpc":"2.0","id":7,"method":"ping","params":[]}', -32600, 7],
    ];
    for (const [frame, code, id] of table.slice(0, 9)) {
      client.send(frame);
      const { error, ...rest } = await client.next();
      assertEquals([error.code, rest.id, "id" in rest], [code, id, id !== undefined], frame);
    }
    assertEquals((await client.request("ping")).result, {});
    client.send(table[9]![0]);
    assertEquals(codeOf(await client.next()), -32600);
  }));

Deno.test("MCPWebSocketServer answers -32601 to methods that nobody handles", () =>
  withServer(async (_server, client) => {
    const { error } = await client.request("x/unknown");
    assertEquals(error, { code: -32601, message: 'Method not found: "x/unknown"' });
  }));

Deno.test("MCPWebSocketServer answers -32602 before a handler sees what it was not promised", () =>
  withServer(async (server, client) => {
    let calls = 0;
    server.handle("tools/call", ({ name }) => {
      calls++;
      return { content: [{ type: "text", text: name.toUpperCase() }] };
    });
    for (const params of [undefined, {}, { name: 1 }, { name: "a", arguments: [] }]) {
      assertEquals(codeOf(await client.request("tools/call", params)), -32602);
    }
    assertEquals(codeOf(await client.request("initialize", {})), -32602);
    assertEquals(calls, 0);
    const { result } = await client.request("tools/call", { name: "a" });
    assertEquals(result.content[0].text, "A");
  }));

Deno.test("MCPWebSocketServer answers -32603 to a handler that fails, and says nothing more", () =>
  withServer(async (server, client, errors) => {
    server.handle("x/throw", () => {
      throw new Error("SECRET 1");
    });
    server.handle("x/reject", () => Promise.reject(new Error("SECRET 2")));
    server.handle("x/nothing", () => null as never);
    server.handle("x/list", () => []);
    server.handle("x/cycle", () => {
      const cycle: JsonRpcParams = {};
      cycle.self = cycle;
      return cycle;
    });
    for (const method of ["x/throw", "x/reject", "x/nothing", "x/list", "x/cycle"]) {
      const { error } = await client.request(method);
      assertEquals(error, { code: -32603, message: "Internal error" }, method);
    }
    assertEquals(errors.length, 5);
    assertEquals(errors[0]?.message, "SECRET 1");
    assertEquals((await client.request("ping")).result, {});
    assertEquals(server.health().errors, 5);
  }));

Deno.test("MCPWebSocketServer passes on the error that a handler chooses", () =>
  withServer(async (server, client, errors) => {
    server.handle("x/choose", () => {
      throw new MCPRpcError(-32002, "No such thing", { data: { uri: "a:b" } });
    });
    const { error } = await client.request("x/choose");
    assertEquals(error, { code: -32002, message: "No such thing", data: { uri: "a:b" } });
    assertEquals(errors, []);
  }));

Deno.test("MCPWebSocketServer.handle() refuses what the server answers itself", () => {
  const server = new MCPWebSocketServer({ name: "a", version: "1" });
  for (const method of ["initialize", "ping", "server/discover"] as const) {
    assertThrows(
      () => server.handle(method, () => ({}) as never),
      TypeError,
      `Cannot handle "${method}": the server answers it itself`,
    );
  }
});

Deno.test("MCPWebSocketServer.handle() replaces a handler", () =>
  withServer(async (server, client) => {
    server.handle("x/a", () => ({ n: 1 }));
    server.handle("x/a", () => ({ n: 2 }));
    assertEquals((await client.request("x/a")).result, { n: 2 });
  }));

Deno.test("MCPWebSocketServer.onRequest() answers what has no handler of its own", () =>
  withServer(async (server, client) => {
    server.onRequest((params, { method, id }) => ({ method, id, params }));
    server.handle("x/own", () => ({}));
    assertEquals((await client.request("x/any", { a: 1 })).result, {
      method: "x/any",
      id: 1,
      params: { a: 1 },
    });
    assertEquals((await client.request("x/own")).result, {});
  }));

Deno.test("MCPWebSocketServer.onNotification() tells its listener who sent it", () =>
  withServer(async (server, client, errors) => {
    const heard = Promise.withResolvers<unknown[]>();
    server.onNotification("x/note", (params, { session, extra }) => {
      heard.resolve([params, session.id, extra?.requestInfo?.url?.pathname]);
      throw new Error("listener");
    });
    client.notify("x/ignored");
    client.notify("x/note", { a: 1 });
    assertEquals(await heard.promise, [{ a: 1 }, server.clients[0]?.id, "/mcp"]);
    assertEquals((await client.request("ping")).result, {});
    assertEquals(errors.map((error) => error.message), ["listener"]);
  }));

Deno.test("MCPWebSocketServer aborts the handler of a cancelled request and answers nothing", () =>
  withServer(async (server, client) => {
    const aborted = Promise.withResolvers<unknown>();
    server.handle("x/slow", async (_params, { signal, progress }) => {
      await new Promise<void>((resolve) =>
        signal.addEventListener("abort", () => resolve(), { once: true })
      );
      progress(1);
      aborted.resolve(signal.reason);
      return {};
    });
    client.send({
      jsonrpc: "2.0",
      id: 99,
      method: "x/slow",
      params: { _meta: { progressToken: 1 } },
    });
    client.notify("notifications/cancelled", { requestId: 99, reason: "enough" });
    assertEquals(String(await aborted.promise), "AbortError: The caller cancelled: enough");
    // The next thing that comes is the answer to the next request.
    assertEquals((await client.request("ping")).result, {});
    assertEquals(server.clients[0]?.running, 0);
  }));

Deno.test("MCPWebSocketServer aborts handlers when their client leaves", async () => {
  await using server = new MCPWebSocketServer({ name: "a", version: "1" });
  const started = Promise.withResolvers<void>();
  const aborted = Promise.withResolvers<void>();
  server.handle("x/slow", async (_params, { signal }) => {
    started.resolve();
    await new Promise<void>((resolve) =>
      signal.addEventListener("abort", () => resolve(), { once: true })
    );
    aborted.resolve();
  });
  const { url } = await server.start({ port: 0 });
  const client = await JsonSocket.open(url);
  client.ask("x/slow");
  await started.promise;
  await client.close();
  await aborted.promise;
  await until(() => server.clients.length === 0);
  assertEquals(server.health().errors, 0);
});

Deno.test("MCPWebSocketServer sends progress in order, before the answer", () =>
  withServer(async (server, client) => {
    server.handle("x/count", async (_params, { progress, notify }) => {
      for (let i = 1; i <= 3; i++) {
        progress(i, 3, `step ${i}`);
        await Promise.resolve();
      }
      notify("x/note", { a: 1 });
      return { done: true };
    });
    client.ask("x/count", { _meta: { progressToken: "t" } });
    for (let i = 1; i <= 3; i++) {
      assertEquals(await client.next(), {
        jsonrpc: "2.0",
        method: "notifications/progress",
        params: { progressToken: "t", progress: i, total: 3, message: `step ${i}` },
      });
    }
    assertEquals((await client.next()).method, "x/note");
    assertEquals((await client.next()).result, { done: true });
    // Without a token nobody asked for progress.
    client.ask("x/count");
    assertEquals((await client.next()).method, "x/note");
    assertEquals((await client.next()).result, { done: true });
  }));

Deno.test("ServerSession.request() asks the client", () =>
  withServer(async (server, client) => {
    server.handle("x/ask", async (_params, { session }) => {
      const { roots } = await session.request("roots/list");
      const custom = await session.request<{ b: number }>("x/custom", { a: 1 });
      return { roots, b: custom.b };
    });
    client.ask("x/ask");
    const roots = await client.next();
    assertEquals(roots.method, "roots/list");
    client.send({ jsonrpc: "2.0", id: roots.id, result: { roots: [{ uri: "a:b" }] } });
    const custom = await client.next();
    assertEquals([custom.method, custom.params], ["x/custom", { a: 1 }]);
    client.send({ jsonrpc: "2.0", id: custom.id, result: { b: 2 } });
    assertEquals((await client.next()).result, { roots: [{ uri: "a:b" }], b: 2 });
  }));

Deno.test("ServerSession.request() rejects when the client leaves", async () => {
  await using server = new MCPWebSocketServer({ name: "a", version: "1" });
  const outcome = Promise.withResolvers<unknown>();
  server.onNotification("x/go", (_params, { session }) => {
    session.request("ping").then(outcome.resolve, outcome.resolve);
  });
  const { url } = await server.start({ port: 0 });
  const client = await JsonSocket.open(url);
  client.notify("x/go");
  assertEquals((await client.next()).method, "ping");
  await client.close();
  assertEquals(String(await outcome.promise), "MCPConnectionError: The client has disconnected");
});

Deno.test("ServerSession.request() gives up after requestTimeout", () =>
  withServer(
    async (server, client) => {
      const outcome = Promise.withResolvers<unknown>();
      server.onNotification("x/go", (_params, { session }) => {
        session.request("roots/list").then(outcome.resolve, outcome.resolve);
      });
      client.notify("x/go");
      const { id } = await client.next();
      assertEquals((await client.next()).params.requestId, id);
      assertEquals((await outcome.promise as Error).name, "MCPTimeoutError");
    },
    { requestTimeout: 20 },
  ));

Deno.test("ServerSession.notify() and disconnect() reach this one client", () =>
  withServer(async (server, client) => {
    server.onNotification("x/go", async (_params, { session }) => {
      await session.notify("x/bye", { a: 1 });
      await session.disconnect("Enough", 4001);
    });
    client.notify("x/go");
    assertEquals((await client.next()).params, { a: 1 });
    assertEquals(await client.closed, { code: 4001, reason: "Enough" });
  }));
