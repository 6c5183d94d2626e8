import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { bridge, type BridgeOptions } from "../../client/bridge.ts";
import { WebSocketClientTransport } from "../../client/mod.ts";
import type { WebSocketClientOptions } from "../../client/options.ts";
import { createWebSocketHandler, type WebSocketServerTransport } from "../../server/mod.ts";
import { ChaosLink } from "../support/chaos_link.ts";
import { recordLog } from "../support/recorded_log.ts";
import { until } from "../support/until.ts";

interface Server extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  readonly sessions: WebSocketServerTransport[];
}

/** Answers `x/echo`, and nothing else. */
function serve(port = 0): Server {
  const sessions: WebSocketServerTransport[] = [];
  const handler = createWebSocketHandler(async (session) => {
    sessions.push(session);
    session.onmessage = (message) => {
      if (!("method" in message) || !("id" in message) || message.id === undefined) return;
      if (message.method !== "x/echo") return;
      session.post({ jsonrpc: "2.0", id: message.id, result: message.params ?? {} });
    };
    await session.start();
  });
  const server = Deno.serve({ hostname: "127.0.0.1", port, onListen() {} }, handler.fetch);
  return {
    url: `ws://127.0.0.1:${server.addr.port}/mcp`,
    port: server.addr.port,
    sessions,
    async [Symbol.asyncDispose]() {
      await handler.close({ timeout: 0, code: 1012 });
      await server.shutdown();
    },
  };
}

/** A host that speaks stdio: what it says, and what it has heard. */
class Host {
  readonly heard: Record<string, unknown>[] = [];
  readonly log: readonly string[];
  readonly done: Promise<void>;
  readonly #input = new TransformStream<Uint8Array, Uint8Array>();
  readonly #writer = this.#input.writable.getWriter();

  constructor(
    url: string,
    options: Partial<BridgeOptions> = {},
    transportOptions: WebSocketClientOptions = {},
  ) {
    const { logger, lines } = recordLog();
    this.log = lines;
    const reconnect = { initial: true, minDelay: 5, maxDelay: 20, minUptime: 1, attempts: 1_000 };
    const transport = new WebSocketClientTransport(url, { reconnect, logger, ...transportOptions });
    let rest = "";
    const output = new WritableStream<Uint8Array>({
      write: (chunk) => {
        const lines = (rest + new TextDecoder().decode(chunk)).split("\n");
        rest = lines.pop() ?? "";
        this.heard.push(...lines.map((line) => JSON.parse(line)));
      },
    });
    this.done = bridge(transport, { input: this.#input.readable, output, logger, ...options });
    // Looked at by each test; until then it is nobody's.
    this.done.catch(() => {});
  }

  say(message: object | string): void {
    const line = typeof message === "string" ? message : JSON.stringify(message);
    this.#writer.write(new TextEncoder().encode(`${line}\n`)).catch(() => {});
  }

  ask(id: string | number, method: string, params = {}): void {
    this.say({ jsonrpc: "2.0", id, method, params });
  }

  async hears(count: number): Promise<void> {
    await until(() => this.heard.length >= count);
  }

  async hangUp(): Promise<void> {
    await this.#writer.close().catch(() => {});
    await this.done;
  }
}

Deno.test("bridge() carries messages both ways, and ends with its host", async () => {
  await using server = serve();
  const host = new Host(server.url);
  host.ask("a", "x/echo", { text: "é" });
  host.ask(2, "x/echo");
  await host.hears(2);
  assertEquals(host.heard, [
    { jsonrpc: "2.0", id: "a", result: { text: "é" } },
    { jsonrpc: "2.0", id: 2, result: {} },
  ]);
  await server.sessions[0]?.send({ jsonrpc: "2.0", method: "x/note", params: { n: 1 } });
  await host.hears(3);
  assertEquals(host.heard[2], { jsonrpc: "2.0", method: "x/note", params: { n: 1 } });
  await host.hangUp();
  assertEquals(await server.sessions[0]?.closed, { code: 1000, reason: "" });
});

Deno.test("bridge() waits for a server that starts later, and says so", async () => {
  const { port, ...unused } = serve();
  await unused[Symbol.asyncDispose]();
  const host = new Host(`ws://127.0.0.1:${port}/mcp`);
  host.ask(1, "x/echo", { early: true });
  await until(() =>
    host.log.filter((line) => /^error .*dial: Cannot connect/.test(line)).length > 1
  );
  await using _ = serve(port);
  await host.hears(1);
  assertEquals(host.heard, [{ jsonrpc: "2.0", id: 1, result: { early: true } }]);
  await host.hangUp();
});

for (const protocol of ["mcp", "bowline.v1"]) {
  Deno.test(`bridge() survives a restart, and answers what was lost with an error, over ${protocol}`, async () => {
    const first = serve();
    const host = new Host(first.url, {}, { protocols: [protocol] });
    host.ask(1, "x/echo");
    await host.hears(1);
    host.ask(2, "x/never");
    await until(() => first.sessions[0]?.running === 1);
    await first[Symbol.asyncDispose]();
    // Over plain `mcp` the host is told at once, in a session when it is lost for sure.
    if (protocol === "mcp") await host.hears(2);
    await using _ = serve(first.port);
    await host.hears(2);
    assertEquals(host.heard[1]?.id, 2);
    assert("error" in (host.heard[1] ?? {}));
    host.ask(3, "x/echo");
    await host.hears(3);
    assertEquals(host.heard[2], { jsonrpc: "2.0", id: 3, result: {} });
    await host.hangUp();
  });
}

Deno.test("bridge() loses nothing of what it was asked when its connection is cut", async () => {
  await using server = serve();
  await using link = ChaosLink.open(server.port);
  const host = new Host(link.url());
  for (let id = 0; id < 200; id++) {
    host.ask(id, "x/echo");
    if (id % 50 === 25) await until(() => link.cut() > 0);
  }
  await host.hears(200);
  assertEquals(host.heard.map(({ id }) => id), Array.from({ length: 200 }, (_, id) => id));
  assertEquals(server.sessions.length, 1);
  await host.hangUp();
});

Deno.test("bridge() answers what it was asked before its host hung up", async () => {
  await using server = serve();
  const host = new Host(server.url);
  for (let id = 0; id < 100; id++) host.ask(id, "x/echo");
  await host.hangUp();
  assertEquals(host.heard.map(({ id }) => id), Array.from({ length: 100 }, (_, id) => id));
});

Deno.test("bridge() does not wait for subscriptions and cancelled requests", async () => {
  await using server = serve();
  const host = new Host(server.url, { drainTimeout: 60_000 });
  host.ask(1, "subscriptions/listen");
  host.ask(2, "x/never");
  host.say({ jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: 2 } });
  await host.hangUp();
});

Deno.test("bridge() waits for an answer only so long", async () => {
  await using server = serve();
  const host = new Host(server.url, { drainTimeout: 50 });
  host.ask(1, "x/never");
  await host.hangUp();
  assertEquals(host.heard.map(({ id }) => id), [1]);
  assertMatch(JSON.stringify(host.heard), /the answer took too long/);
});

Deno.test("bridge() answers once what could never be sent", async () => {
  const host = new Host("ws://127.0.0.1:1/mcp", { drainTimeout: 50 });
  host.ask(1, "x/echo");
  await host.hangUp();
  assertEquals(host.heard.map(({ id }) => id), [1]);
});

Deno.test("bridge() gives up where dialling again cannot help", async () => {
  await using server = serve();
  const host = new Host(server.url.replace("/mcp", "/nope"));
  host.ask(1, "x/echo");
  await assertRejects(() => host.done, Error, "status code: 404");
  // The host is told before the end.
  assertEquals(host.heard.map(({ id }) => id), [1]);
  assertMatch(JSON.stringify(host.heard), /Message was not sent/);
});

Deno.test("bridge() gives up when the server is done with it, and settles what it was asked", async () => {
  await using server = serve();
  const host = new Host(server.url);
  host.ask(1, "x/never");
  await until(() => server.sessions[0]?.running === 1);
  await server.sessions[0]?.disconnect("Enough");
  await assertRejects(() => host.done, Error, "Enough");
  assertEquals(host.heard.map(({ id }) => id), [1]);
});

Deno.test("bridge() logs lines that are no messages, and answers those with an id", async () => {
  await using server = serve();
  const host = new Host(server.url);
  host.say("nonsense");
  host.say("");
  host.say({ id: 7, method: "x/echo" });
  host.ask(8, "x/echo");
  await host.hears(2);
  assertEquals(host.heard.map(({ id }) => id), [7, 8]);
  assertMatch(JSON.stringify(host.heard[0]), /-32600/);
  const warnings = host.log.filter((line) => line.startsWith("warn "));
  assertEquals(warnings.length, 2);
  await host.hangUp();
});

Deno.test("bridge() answers a request that is too large, and goes on", async () => {
  await using server = serve();
  const host = new Host(server.url, {}, { maxSendBytes: 100 });
  host.ask(1, "x/echo", { text: "x".repeat(100) });
  host.ask(2, "x/echo");
  await host.hears(2);
  assertEquals(host.heard.map(({ id }) => id), [1, 2]);
  assertMatch(JSON.stringify(host.heard[0]), /Cannot send message as its size must be/);
  await host.hangUp();
});

Deno.test("bridge() ends when it is told to, connected or not", async () => {
  await using server = serve();
  for (const url of [server.url, "ws://127.0.0.1:1/mcp"]) {
    const controller = new AbortController();
    const host = new Host(url, { signal: controller.signal });
    if (url === server.url) await until(() => server.sessions.length === 1);
    controller.abort();
    await host.done;
  }
});

Deno.test("bridge() ends when its host cannot be written to", async () => {
  await using server = serve();
  const output = new WritableStream<Uint8Array>({ write: () => Promise.reject(new Error("gone")) });
  const host = new Host(server.url, { output });
  host.ask(1, "x/echo");
  await assertRejects(() => host.done, Error, "gone");
});

Deno.test("bridge() ends when its host does not read", async () => {
  await using server = serve();
  const output = new WritableStream<Uint8Array>({ write: () => new Promise(() => {}) });
  const host = new Host(server.url, { output });
  await until(() => server.sessions.length === 1);
  const text = "x".repeat(16 * 1024 * 1024);
  for (let n = 0; n < 6; n++) {
    const message = { jsonrpc: "2.0", method: "x/big", params: { text } } as const;
    // The bridge may have hung up in between.
    await server.sessions[0]?.send(message).catch(() => {});
  }
  await assertRejects(() => host.done, Error, "Cannot write to the host: it does not read");
});
