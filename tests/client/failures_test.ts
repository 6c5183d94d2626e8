import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import type { LossCause } from "../../protocol/close_codes.ts";
import type { Json } from "../support/json_socket.ts";
import {
  type ErrorKind,
  MCPConnectionError,
  MCPError,
  MCPTimeoutError,
} from "../../protocol/errors.ts";
import type { ConnectionStatus } from "../../client/connection.ts";
import type { WebSocketClientOptions } from "../../client/options.ts";
import { WebSocketClientTransport } from "../../client/transport.ts";
import { OPCODES } from "../support/raw_socket.ts";
import {
  LEGACY_RESULT,
  playLegacy,
  type Script,
  ScriptedServer,
  type Visit,
} from "../support/scripted_server.ts";
import { until } from "../support/until.ts";

const TLS = new URL("../support/tls/", import.meta.url);

/** Reconnects at once. */
const EAGER = { immediate: [], minDelay: 1, maxDelay: 1, attempts: 3, minUptime: 20 };

/** A transport with all it says. */
class Observed implements AsyncDisposable {
  readonly transport: WebSocketClientTransport;
  readonly states: ConnectionStatus[] = [];
  readonly errors: Error[] = [];
  readonly causes: LossCause[] = [];
  readonly messages: Json[] = [];
  closes = 0;

  constructor(url: string, options: WebSocketClientOptions = {}) {
    this.transport = new WebSocketClientTransport(url, { reconnect: false, ...options });
    this.transport.onclose = () => this.closes++;
    this.transport.onmessage = (message) => this.messages.push(message);
    this.transport.onerror = (error) => this.errors.push(error);
    this.transport.addEventListener("statechange", ({ detail }) => {
      this.states.push(detail.state.status);
    });
    this.transport.addEventListener("lost", ({ detail }) => this.causes.push(detail.loss.cause));
  }

  get status(): ConnectionStatus {
    return this.transport.state.status;
  }

  get attempts(): number {
    return this.transport.getStats().attempts;
  }

  is(status: ConnectionStatus): Promise<void> {
    return until(() => this.status === status);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.transport.close();
    assert(this.closes <= 1, `onclose was called ${this.closes} times`);
  }
}

interface Expected {
  readonly kind: ErrorKind;
  readonly cause?: LossCause;
  readonly status?: number;
  /** What the error says could not be connected to; by default the URL. */
  readonly place?: string;
  readonly words?: string;
  readonly retryable: boolean;
  readonly errorName?: string;
}

/** Starts, and checks how that fails: once, with everything settled. */
async function assertStartFails(
  url: string,
  expected: Expected,
  options: WebSocketClientOptions = {},
): Promise<void> {
  await using it = new Observed(url, options);
  const error = await assertRejects(() => it.transport.start(), MCPError);
  assertEquals(error.name, expected.errorName ?? "MCPConnectionError");
  assertEquals([error.kind, error.retryable], [expected.kind, expected.retryable], error.message);
  assert(error.message.startsWith(`Cannot connect to "${expected.place ?? url}": `), error.message);
  assert(error.message.includes(expected.words ?? ""), error.message);
  if (error instanceof MCPConnectionError) {
    assertEquals([error.verdict?.cause, error.status], [expected.cause, expected.status]);
  }
  assertEquals(it.states, ["connecting", "failed"]);
  assertEquals([it.attempts, it.closes, it.errors.length], [1, 1, 1]);
}

/** A port at which nobody listens. */
function closedPort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

Deno.test("failure: a port at which nobody listens", async () => {
  await assertStartFails(`ws://127.0.0.1:${closedPort()}/mcp`, {
    kind: "network",
    cause: "unreachable",
    retryable: true,
  });
});

Deno.test("failure: a host that does not exist", async () => {
  const name = "nonexistent.invalid";
  await assertStartFails(`ws://${name}/mcp`, {
    kind: "network",
    cause: "unreachable",
    place: name,
    words: "its name cannot be resolved",
    retryable: true,
  });
});

const STATUSES: readonly [number, Expected][] = [
  [401, { kind: "authentication", cause: "unauthenticated", retryable: true }],
  [403, { kind: "authentication", cause: "forbidden", retryable: false }],
  [404, { kind: "policy", cause: "not-found", retryable: false }],
  [408, { kind: "timeout", cause: "timeout", retryable: true }],
  [426, { kind: "policy", cause: "not-found", retryable: false }],
  [429, { kind: "capacity", cause: "rate", retryable: true }],
  [500, { kind: "network", cause: "internal", retryable: true }],
  [503, { kind: "capacity", cause: "capacity", retryable: true }],
];

for (const [status, expected] of STATUSES) {
  Deno.test(`failure: the upgrade is refused with ${status}`, async () => {
    await using server = new ScriptedServer((visit) => visit.refuse(status));
    await assertStartFails(server.url, { ...expected, status });
  });

  Deno.test(`failure: a redial is refused with ${status}`, async () => {
    await using server = new ScriptedServer(async (visit) => {
      if (visit.number > 1) return await visit.refuse(status);
      await visit.accept();
    });
    await using it = new Observed(server.url, { reconnect: EAGER });
    await it.transport.start();
    const isFinal = !expected.retryable || status === 401;
    // Whoever has too much to do is not dialled again for five seconds.
    const isBusy = status === 429 || status === 503;
    await until(() => isBusy ? server.visits === 2 && it.errors.length > 0 : it.closes === 1);
    const visits = isBusy ? 2 : status === 401 ? 3 : isFinal ? 2 : 4;
    assertEquals([it.status, server.visits], [isBusy ? "reconnecting" : "failed", visits]);
  });
}

Deno.test("failure: a server that accepts TCP and never answers", async () => {
  await using server = new ScriptedServer((visit) => visit.silence());
  await assertStartFails(server.url, {
    kind: "timeout",
    retryable: true,
    words: "not open within 30 ms",
    errorName: "MCPTimeoutError",
  }, { connectTimeout: 30 });
});

Deno.test("failure: a server that stops in the middle of its answer", async () => {
  await using server = new ScriptedServer(async (visit) => {
    await visit.readRequest();
    await visit.write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: webso");
  });
  await assertStartFails(server.url, { kind: "network", cause: "unreachable", retryable: true });
});

Deno.test("failure: a server that hangs up on the request", async () => {
  await using server = new ScriptedServer(async (visit) => void await visit.readRequest());
  await assertStartFails(server.url, { kind: "network", cause: "unreachable", retryable: true });
});

Deno.test("failure: a server that speaks something else", async () => {
  await using server = new ScriptedServer(async (visit) => {
    await visit.readRequest();
    await visit.write("SSH-2.0-OpenSSH_9.9\r\n");
  });
  await assertStartFails(server.url, { kind: "network", cause: "unreachable", retryable: true });
});

for (const protocol of ["other", "mcp.auth.abc", "MCP"]) {
  Deno.test(`failure: a server that selects "${protocol}", which nobody offered`, async () => {
    await using server = new ScriptedServer(async (visit) => {
      await visit.accept(protocol);
      await visit.end();
    });
    const words = protocol.startsWith("mcp.auth.")
      ? "the server echoed a credential"
      : "the server selected what was not offered";
    await assertStartFails(server.url, {
      kind: "protocol",
      cause: "protocol",
      retryable: false,
      words,
    });
  });
}

Deno.test("a server that selects no subprotocol speaks plain MCP", async () => {
  await using server = new ScriptedServer(async (visit) => {
    await visit.accept("");
    await visit.answer(await visit.next(), { ok: true });
    await visit.end();
  });
  await using it = new Observed(server.url);
  await it.transport.start();
  await it.transport.send({ jsonrpc: "2.0", id: 1, method: "ping" });
  await until(() => it.messages.length === 1);
});

Deno.test("no subprotocols are offered where the option says so", async () => {
  const offers: (string | undefined)[] = [];
  await using server = new ScriptedServer(async (visit) => {
    await visit.accept("");
    offers.push(visit.header("sec-websocket-protocol"));
    await visit.end();
  });
  await using it = new Observed(server.url, { protocols: [] });
  await it.transport.start();
  await until(() => offers.length === 1);
  assertEquals(offers, [undefined]);
});

async function serveTls(script: Script): Promise<ScriptedServer> {
  const [cert, key] = await Promise.all(
    ["server_cert.pem", "server_key.pem"].map((name) => Deno.readTextFile(new URL(name, TLS))),
  );
  const listener = Deno.listenTls({
    hostname: "127.0.0.1",
    port: 0,
    cert: cert ?? "",
    key: key ?? "",
  });
  return new ScriptedServer(script, { listener, scheme: "wss" });
}

Deno.test("failure: a certificate of an unknown issuer", async () => {
  await using server = await serveTls(async (visit) => void await visit.readRequest());
  await assertStartFails(server.url, {
    kind: "network",
    cause: "tls",
    retryable: false,
    words: "certificate",
  });
});

Deno.test("a certificate of an issuer that is known", async () => {
  await using server = await serveTls((visit) => playLegacy(visit));
  const ca = await Deno.readTextFile(new URL("ca_cert.pem", TLS));
  using httpClient = Deno.createHttpClient({ caCerts: [ca] });
  await using it = new Observed(server.url, { httpClient });
  await it.transport.start();
  assertEquals(it.status, "connected");
});

Deno.test("failure: ws: to a port that speaks TLS", async () => {
  await using server = await serveTls(async (visit) => void await visit.readRequest());
  const url = server.url.replace("wss:", "ws:");
  await assertStartFails(url, { kind: "network", cause: "unreachable", retryable: true });
});

Deno.test("failure: wss: to a port that speaks no TLS", async () => {
  await using server = new ScriptedServer(async (visit) => {
    await visit.write("HTTP/1.1 400 Bad Request\r\n\r\n");
    await visit.silence();
  });
  const url = server.url.replace("ws:", "wss:");
  await assertStartFails(url, { kind: "network", cause: "tls", retryable: false });
});

Deno.test("failure: a server that accepts and dies at once, every time", async () => {
  await using server = new ScriptedServer((visit) => visit.accept());
  await using it = new Observed(server.url, { reconnect: EAGER });
  await it.transport.start();
  await it.is("failed");
  const { state } = it.transport;
  assert(state.status === "failed");
  assertInstanceOf(state.error, MCPConnectionError);
  assert(state.error.message.startsWith("Gave up reconnecting: Connection lost: reset (code 0"));
  assertEquals([server.visits, it.attempts, it.closes], [4, 4, 1]);
  assertEquals(it.causes, ["reset", "reset", "reset", "reset"]);
});

/** What a server does right after the upgrade, and what comes of it. */
const AFTERMATHS: Record<string, [Script, LossCause]> = {
  "nothing, it is gone": [() => {}, "reset"],
  "half a frame": [(visit) => visit.write(new Uint8Array([0x81, 100, 123])), "reset"],
  "half a frame header": [(visit) => visit.write(new Uint8Array([0x81])), "reset"],
  "the first of two fragments": [
    (visit) => visit.write(new Uint8Array([0x01, 1, 123])),
    "reset",
  ],
  "text that is no UTF-8": [
    (visit) => visit.sendFrame(OPCODES.TEXT, new Uint8Array([0xff, 0xfe])),
    "reset",
  ],
  "a frame with reserved bits": [
    async (visit) => {
      await visit.write(new Uint8Array([0xf1, 1, 123]));
      await visit.silence();
    },
    "reset",
  ],
  "a close without a code": [
    async (visit) => {
      await visit.sendFrame(OPCODES.CLOSE, "");
      await visit.end();
    },
    "gone",
  ],
};

for (const [what, [script, cause]] of Object.entries(AFTERMATHS)) {
  Deno.test(`a connection that says ${what} is opened again`, async () => {
    await using server = new ScriptedServer(async (visit) => {
      await visit.accept();
      if (visit.number === 1) return await script(visit);
      await visit.end();
    });
    await using it = new Observed(server.url, { reconnect: EAGER });
    await it.transport.start();
    await until(() => server.visits === 2 && it.status === "connected");
    assertEquals(it.causes, [cause]);
    assertEquals(it.states, [
      "connecting",
      "connected",
      "reconnecting",
      "connecting",
      "connected",
    ]);
    assertEquals(it.closes, 0);
  });
}

/** Each close code with its cause, and whether the client dials again. */
const CLOSES: readonly [number, LossCause, boolean][] = [
  [1000, "done", false],
  [1001, "gone", true],
  [1002, "protocol", false],
  [1003, "protocol", false],
  [1007, "protocol", false],
  [1008, "forbidden", false],
  [1009, "too-big", true],
  [1011, "internal", true],
  [1012, "restarting", true],
  [1013, "capacity", true],
  [4400, "protocol", false],
  [4401, "unauthenticated", true],
  [4403, "forbidden", false],
  [4408, "heartbeat", true],
  [4409, "replaced", false],
  [4413, "too-big", true],
  [4429, "rate", true],
  [4503, "capacity", true],
];

for (const [code, cause, willRetry] of CLOSES) {
  Deno.test(`a close with ${code} means ${cause}: ${willRetry ? "again" : "stop"}`, async () => {
    await using server = new ScriptedServer(async (visit) => {
      await visit.accept();
      if (visit.number === 1) return await visit.close(code, "so it is");
      await visit.end();
    });
    await using it = new Observed(server.url, { reconnect: EAGER });
    await it.transport.start();
    await until(() => it.causes.length === 1 && it.status !== "connected");
    assertEquals(it.causes, [cause]);
    if (willRetry) {
      assert(it.status === "reconnecting" || it.status === "connecting", it.status);
      assertEquals(it.closes, 0);
      return;
    }
    const { state } = it.transport;
    assert(state.status === "failed");
    assertInstanceOf(state.error, MCPConnectionError);
    assertEquals([state.error.code, state.error.verdict?.cause], [code, cause]);
    assertEquals(
      state.error.message,
      `Connection lost: ${cause} (code ${code}, "so it is")`,
    );
    assertEquals([it.attempts, it.closes, server.visits], [1, 1, 1]);
  });
}

Deno.test("4401 is answered with one fresh credential, then it is over", async () => {
  await using server = new ScriptedServer(async (visit) => {
    await visit.accept();
    await visit.close(4401);
  });
  let tokens = 0;
  await using it = new Observed(server.url, {
    reconnect: { ...EAGER, minUptime: 5_000 },
    token: () => `token-${++tokens}`,
  });
  await it.transport.start();
  await it.is("failed");
  assertEquals([tokens, server.visits, it.closes], [2, 2, 1]);
});

Deno.test("a binary frame ends it, with 4003", async () => {
  const codes: number[] = [];
  await using server = new ScriptedServer(async (visit) => {
    await visit.accept();
    await visit.sendFrame(OPCODES.BINARY, "{}");
    codes.push(await visit.closeCode());
  });
  await using it = new Observed(server.url, { reconnect: EAGER });
  await it.transport.start();
  await it.is("failed");
  assertEquals([codes, it.causes, it.closes, server.visits], [[4003], ["protocol"], 1, 1]);
  assertEquals(it.errors.map(({ message }) => message), [
    "Binary frames were not negotiated",
    'Connection lost: protocol (code 4003, "Binary frames were not negotiated")',
  ]);
});

Deno.test("a frame that is no JSON is answered with -32700, and the connection lives", async () => {
  const heard: Json[] = [];
  await using server = new ScriptedServer(async (visit) => {
    await visit.accept();
    await visit.sendText("no JSON");
    heard.push(await visit.next());
    await visit.sendText('{"jsonrpc":"2.0"}');
    heard.push(await visit.next());
    await visit.send({ method: "notifications/message" });
    await visit.end();
  });
  await using it = new Observed(server.url);
  await it.transport.start();
  await until(() => it.messages.length === 1);
  assertEquals(heard.map(({ id, error }) => [id, error.code]), [
    [undefined, -32700],
    [undefined, -32600],
  ]);
  assertEquals([it.status, it.errors.length, it.closes], ["connected", 2, 0]);
});

Deno.test("ten frames in a row that are no JSON end it, with 4002", async () => {
  const codes: number[] = [];
  await using server = new ScriptedServer(async (visit) => {
    await visit.accept();
    for (let n = 0; n < 15; n++) await visit.sendText("no JSON");
    codes.push(await visit.closeCode());
  });
  await using it = new Observed(server.url, { reconnect: EAGER });
  await it.transport.start();
  await it.is("failed");
  assertEquals([codes, it.causes, it.closes, server.visits], [[4002], ["protocol"], 1, 1]);
  assertEquals(it.errors.length, 10 + 1, "what comes after the close is ignored");
});

Deno.test("a message larger than taken closes with 4413, and the connection comes back", async () => {
  const codes: number[] = [];
  await using server = new ScriptedServer(async (visit) => {
    await visit.accept();
    if (visit.number > 1) return await visit.end();
    await visit.next();
    await visit.send({ id: 1, result: { text: "x".repeat(200) } });
    codes.push(await visit.closeCode());
  });
  await using it = new Observed(server.url, { maxReceiveBytes: 100, reconnect: EAGER });
  await it.transport.start();
  await it.transport.send({ jsonrpc: "2.0", id: 1, method: "tools/list" });
  await until(() => server.visits === 2 && it.status === "connected");
  assertEquals([codes, it.causes], [[4413], ["too-big"]]);
  assertEquals(it.messages.map(({ id, error }) => [id, error.data]), [[1, { outcome: "unknown" }]]);
  assertEquals(it.transport.getStats().pendingRequests, 0);
});

Deno.test("a message larger than may be sent is refused here, and the connection lives", async () => {
  await using server = new ScriptedServer((visit) => playLegacy(visit));
  await using it = new Observed(server.url, { maxSendBytes: 100 });
  await it.transport.start();
  const params = { text: "ä".repeat(60) };
  const error = await assertRejects(
    () => it.transport.send({ jsonrpc: "2.0", id: 1, method: "x", params }),
    RangeError,
  );
  assertEquals(
    error.message,
    "Cannot send message as its size must be <= 100 bytes: current size is 178",
  );
  await it.transport.send({ jsonrpc: "2.0", id: 2, method: "ping" });
  await until(() => it.messages.length === 1);
  assertEquals([it.status, it.messages[0].id, it.errors.length], ["connected", 2, 0]);
});

const INITIALIZE = {
  jsonrpc: "2.0",
  id: 1,
  method: "initialize",
  params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "t" } },
} as const;

Deno.test("a connection that dies during initialize says it again on the next one", async () => {
  await using server = new ScriptedServer(async (visit) => {
    if (visit.number > 1) return await playLegacy(visit);
    await visit.accept();
    await visit.next();
  });
  await using it = new Observed(server.url, { reconnect: EAGER });
  await it.transport.start();
  await it.transport.send(INITIALIZE);
  await until(() => it.messages.length === 1);
  assertEquals([it.messages[0].id, it.messages[0].result.serverInfo.name], [1, "scripted"]);
  assertEquals([server.visits, it.causes], [2, ["reset"]]);
});

/** A session that is open; the server's later connections do what the script says. */
async function reopenWith(
  script: (visit: Visit) => Promise<void>,
  options: WebSocketClientOptions,
  test: (it: Observed, server: ScriptedServer) => Promise<void>,
): Promise<void> {
  let first: Visit | undefined;
  await using server = new ScriptedServer((visit) => {
    if (visit.number > 1) return script(visit);
    first = visit;
    return playLegacy(visit);
  });
  await using it = new Observed(server.url, options);
  await it.transport.start();
  await it.transport.send(INITIALIZE);
  await until(() => it.messages.length === 1);
  await it.transport.send({ jsonrpc: "2.0", method: "notifications/initialized" });
  await it.transport.send({
    jsonrpc: "2.0",
    id: 2,
    method: "resources/subscribe",
    params: { uri: "a" },
  });
  await until(() => it.messages.length === 2);
  first?.cut();
  await test(it, server);
}

Deno.test("a connection that dies during the replayed initialize is one dial that failed", async () => {
  await reopenWith(
    async (visit) => {
      if (visit.number > 2) return await playLegacy(visit);
      await visit.accept();
      await visit.nextOf("initialize");
    },
    { reconnect: EAGER },
    async (it, server) => {
      await until(() => server.visits === 3 && it.status === "connected");
      assertEquals(it.causes, ["reset"]);
      assertEquals(it.errors.length, 1);
      assertInstanceOf(it.errors[0], MCPConnectionError);
      assert(it.errors[0].message.startsWith("Connection lost: reset"), it.errors[0].message);
      const { failures, losses, reconnects } = it.transport.getStats();
      assertEquals([failures, losses, reconnects, it.closes], [1, 1, 1, 0]);
    },
  );
});

Deno.test("a connection that dies during the replayed subscriptions is one dial that failed", async () => {
  let recovered = 0;
  await reopenWith(
    async (visit) => {
      if (visit.number > 2) return await playLegacy(visit);
      await visit.accept();
      await visit.answer(await visit.nextOf("initialize"), LEGACY_RESULT);
      await visit.nextOf("resources/subscribe");
    },
    { reconnect: EAGER },
    async (it, server) => {
      it.transport.addEventListener("recovered", () => recovered++);
      await until(() => server.visits === 3 && it.status === "connected");
      const { failures, losses, reconnects } = it.transport.getStats();
      assertEquals([failures, losses, reconnects, recovered], [1, 1, 1, 1]);
    },
  );
});

Deno.test("a server that never answers the replayed initialize is a dial that timed out", async () => {
  await reopenWith(
    async (visit) => {
      if (visit.number > 2) return await playLegacy(visit);
      await visit.accept();
      await visit.end();
    },
    { reconnect: EAGER, connectTimeout: 100 },
    async (it, server) => {
      await until(() => server.visits === 3 && it.status === "connected");
      assertInstanceOf(it.errors[0], MCPTimeoutError);
      assertEquals(it.errors[0].message, 'Peer did not answer "initialize" within 100 ms');
    },
  );
});

const CHANGED: Record<string, [object, string]> = {
  "another revision": [
    { result: { ...LEGACY_RESULT, protocolVersion: "2024-11-05" } },
    'the server now speaks "2024-11-05" instead of "2025-11-25"',
  ],
  "fewer capabilities": [
    { result: { ...LEGACY_RESULT, capabilities: { tools: {} } } },
    'the server no longer offers "resources"',
  ],
  "an error": [{ error: { code: -32603, message: "not you again" } }, "not you again"],
};

for (const [what, [answer, words]] of Object.entries(CHANGED)) {
  Deno.test(`a server that answers the replayed initialize with ${what} is another one`, async () => {
    await reopenWith(
      async (visit) => {
        await visit.accept();
        const { id } = await visit.nextOf("initialize");
        await visit.send({ id, ...answer });
        await visit.end();
      },
      { reconnect: EAGER },
      async (it, server) => {
        await it.is("failed");
        const { state } = it.transport;
        assert(state.status === "failed");
        assertInstanceOf(state.error, MCPConnectionError);
        assertEquals(state.error.message, `Cannot reopen session: ${words}`);
        assertEquals([state.error.kind, state.error.retryable], ["session", false]);
        assertEquals([server.visits, it.closes], [2, 1]);
      },
    );
  });
}

Deno.test("a connection that dies during the close handshake is closed all the same", async () => {
  await using server = new ScriptedServer(async (visit) => {
    await visit.accept();
    while ((await visit.readFrame()).opcode !== OPCODES.CLOSE);
  });
  await using it = new Observed(server.url, { reconnect: EAGER });
  await it.transport.start();
  await it.transport.close();
  assertEquals([it.status, it.closes, it.causes.length], ["disconnected", 1, 0]);
  assertEquals(server.visits, 1);
});

Deno.test("a peer that never answers the close is left after a second", async () => {
  await using server = new ScriptedServer(async (visit) => {
    await visit.accept();
    await visit.silence();
  });
  const it = new Observed(server.url);
  await it.transport.start();
  const started = performance.now();
  await it.transport.close();
  assert(performance.now() - started < 2_000);
  assertEquals([it.status, it.closes], ["disconnected", 1]);
});

/** How a server behaves from the second connection on, so that a close meets each phase. */
const CLOSE_PHASES: Record<string, [Script, ConnectionStatus]> = {
  "a redial": [(visit) => visit.silence(), "connecting"],
  "a pause": [(visit) => visit.refuse(503), "reconnecting"],
  "the replayed initialize": [
    async (visit) => {
      await visit.accept();
      await visit.end();
    },
    "connecting",
  ],
};

for (const [phase, [script, status]] of Object.entries(CLOSE_PHASES)) {
  Deno.test(`close() during ${phase} settles everything, once`, async () => {
    await reopenWith(
      async (visit) => await script(visit),
      { reconnect: EAGER },
      async (it, server) => {
        await until(() => server.visits === 2 && it.status === status);
        const queued = assertRejects(
          () => it.transport.send({ jsonrpc: "2.0", method: "x/late" }),
          MCPConnectionError,
          "Message was not sent: The transport was closed",
        );
        await it.transport.close();
        await queued;
        assertEquals([it.status, it.closes], ["disconnected", 1]);
        const { queuedMessages, queuedBytes, pendingRequests } = it.transport.getStats();
        assertEquals([queuedMessages, queuedBytes, pendingRequests], [0, 0, 0]);
      },
    );
  });
}
