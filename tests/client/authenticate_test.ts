import { assert, assertEquals, assertRejects } from "@std/assert";
import { MCPWebSocketClient } from "../../client/client.ts";
import { WebSocketClientTransport } from "../../client/transport.ts";
import { MCPConnectionError, MCPError, MCPTimeoutError } from "../../protocol/errors.ts";
import type { Json } from "../support/json_socket.ts";
import { playLegacy, ScriptedServer } from "../support/scripted_server.ts";
import { SessionServer } from "../support/session_server.ts";
import { until } from "../support/until.ts";

/** A plain server that answers `authenticate` by hand; what else comes waits for `release`. */
class Authority implements AsyncDisposable {
  readonly tokens: string[] = [];
  readonly release = Promise.withResolvers<void>();
  readonly #server: ScriptedServer;

  constructor(judge: (token: string) => Json | undefined) {
    this.#server = new ScriptedServer((visit) =>
      playLegacy(visit, async (message) => {
        if (message.method === "tools/call") {
          this.release.promise.then(() => visit.answer(message, { content: [] })).catch(() => {});
          return true;
        }
        if (message.method !== "authenticate") return false;
        this.tokens.push(message.params.token);
        const answer = judge(message.params.token);
        if (answer !== undefined) await visit.send({ id: message.id, ...answer });
        return true;
      })
    );
  }

  get url(): string {
    return this.#server.url;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.release.resolve();
    await this.#server[Symbol.asyncDispose]();
  }
}

Deno.test("authenticate() shows a fresh token, and requests in flight do not notice", async () => {
  await using authority = new Authority(() => ({ result: {} }));
  let tokens = 0;
  await using client = new MCPWebSocketClient(authority.url, { token: () => `token-${++tokens}` });
  await client.connect();
  const call = client.request("tools/call", { name: "slow" });
  await client.authenticate();
  assertEquals(authority.tokens, ["token-2"]);
  authority.release.resolve();
  assertEquals(await call, { content: [] });
  assertEquals([client.getStats().attempts, client.isInitialized], [1, true]);
});

Deno.test("authenticate() works in sessions, also before the welcome", async () => {
  const welcome = Promise.withResolvers<void>();
  const tokens: string[] = [];
  await using server = new SessionServer(async (visit) => {
    await visit.greet();
    await welcome.promise;
    await visit.welcome();
    await visit.play((message) => {
      if (message.method === "authenticate") tokens.push(message.params.token);
    });
  });
  await using transport = new WebSocketClientTransport(server.url, { token: () => "fresh" });
  const messages: unknown[] = [];
  transport.onmessage = (message) => messages.push(message);
  await transport.start();
  const early = transport.authenticate();
  welcome.resolve();
  await early;
  await transport.authenticate();
  assertEquals([tokens, messages], [["fresh", "fresh"], []]);
});

Deno.test("authenticate() rejects if the server refuses the token, and the connection stays", async () => {
  const message = "canary is unknown";
  await using authority = new Authority(() => ({ error: { code: -32_001, message } }));
  const errors: Error[] = [];
  await using client = new MCPWebSocketClient(authority.url, { token: () => "canary" });
  client.addEventListener("error", ({ detail }) => errors.push(detail.error));
  await client.connect();
  const error = await assertRejects(() => client.authenticate(), MCPError);
  assertEquals([error.name, error.kind, error.retryable], ["MCPError", "authentication", false]);
  assertEquals(error.message, "Cannot authenticate: the server refused the token (code -32001)");
  assertEquals([client.isInitialized, errors], [true, []]);
});

Deno.test("authenticate() gives up after its time, and with its signal", async () => {
  await using authority = new Authority(() => undefined);
  await using transport = new WebSocketClientTransport(authority.url, { token: () => "abc" });
  await transport.start();
  const late = await assertRejects(() => transport.authenticate({ timeout: 20 }), MCPTimeoutError);
  assertEquals([late.message, late.retryable], [
    "Cannot authenticate: no answer within 20 ms",
    true,
  ]);
  const controller = new AbortController();
  const given = transport.authenticate({ signal: controller.signal });
  await until(() => authority.tokens.length === 2);
  controller.abort(new Error("enough"));
  await assertRejects(() => given, Error, "enough");
  await assertRejects(() => transport.authenticate({ timeout: 0 }), RangeError, "timeout");
  assertEquals(transport.state.status, "connected");
});

Deno.test("authenticate() gives up a provider that hangs, and then shows nothing", async () => {
  await using authority = new Authority(() => ({ result: {} }));
  const provided = Promise.withResolvers<string>();
  let isFirst = true;
  await using transport = new WebSocketClientTransport(authority.url, {
    token() {
      if (!isFirst) return provided.promise;
      isFirst = false;
      return "first";
    },
  });
  await transport.start();
  await assertRejects(() => transport.authenticate({ timeout: 20 }), MCPTimeoutError);
  provided.resolve("late");
  await transport.authenticate();
  assertEquals(authority.tokens, ["late"]);
});

Deno.test("authenticate() needs a token and a connection", async () => {
  await using authority = new Authority(() => ({ result: {} }));
  await using transport = new WebSocketClientTransport(authority.url);
  await transport.start();
  await assertRejects(() => transport.authenticate(), TypeError, 'option "token" must be set');
  transport.updateOptions({ token: () => "not a token" });
  await assertRejects(() => transport.authenticate(), MCPError, "a header or token is malformed");
  transport.updateOptions({ token: () => Promise.reject(new Error("canary")) });
  const failed = await assertRejects(() => transport.authenticate(), MCPError, "provider failed");
  assert(!failed.message.includes("canary"));
  transport.updateOptions({ token: "abc" });
  await transport.close();
  const error = await assertRejects(() => transport.authenticate(), MCPConnectionError);
  assertEquals([error.message, error.outcome], [
    "Cannot authenticate: there is no connection",
    "not-sent",
  ]);
});

Deno.test("authenticate() rejects if the connection is lost before the answer", async () => {
  await using server = new ScriptedServer(async (visit) => {
    await visit.accept();
    if (visit.number === 1) return void await visit.nextOf("authenticate");
    await visit.end();
  });
  await using transport = new WebSocketClientTransport(server.url, {
    token: "abc",
    reconnect: { immediate: [], minDelay: 1, maxDelay: 1 },
  });
  await transport.start();
  await assertRejects(() => transport.authenticate(), MCPConnectionError, "Connection lost");
  await until(() => server.visits === 2 && transport.state.status === "connected");
});
