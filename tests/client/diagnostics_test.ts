import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import {
  diagnose,
  type DiagnoseOptions,
  type DiagnosticName,
  type DiagnosticStep,
} from "../../client/diagnostics.ts";
import { explainTcp, explainTls, explainUpgrade } from "../../client/diagnostics/faults.ts";
import { findSockets } from "../../client/diagnostics/host.ts";
import { TcpProbe } from "../../client/diagnostics/probes.ts";
import { UrlPolicyError } from "../../client/url_policy.ts";
import { MCPConnectionError, MCPTimeoutError } from "../../protocol/errors.ts";
import { createWebSocketHandler, MCPWebSocketServer } from "../../server/mod.ts";
import { hideGlobals } from "../support/globals.ts";
import { OPCODES } from "../support/raw_socket.ts";
import { playLegacy, type Script, ScriptedServer } from "../support/scripted_server.ts";

const TLS = new URL("../support/tls/", import.meta.url);
/** What the waits of tests may take that have to run out. */
const SHORT = 150;

const ALL: readonly DiagnosticName[] = [
  "url",
  "dns",
  "tcp",
  "tls",
  "upgrade",
  "subprotocol",
  "session",
  "initialize",
  "ping",
  "round-trip",
];

function run(url: string | URL, options: DiagnoseOptions = {}): Promise<DiagnosticStep[]> {
  return Array.fromAsync(diagnose(url, options));
}

function named(steps: readonly DiagnosticStep[], name: DiagnosticName): DiagnosticStep {
  const step = steps.find((step) => step.name === name);
  assert(step !== undefined, `No step "${name}": ${JSON.stringify(steps)}`);
  return step;
}

function namesOf(steps: readonly DiagnosticStep[], status: DiagnosticStep["status"]): string[] {
  return steps.filter((step) => step.status === status).map(({ name }) => name);
}

/** Asserts that one step failed, in these words, and that all after it were skipped for that. */
function assertFails(
  steps: readonly DiagnosticStep[],
  name: DiagnosticName,
  detail: string,
  hint: string,
): void {
  assertEquals(namesOf(steps, "failed"), [name], JSON.stringify(steps, undefined, 2));
  assertEquals(steps.map((step) => step.name), ALL);
  assertStringIncludes(named(steps, name).detail, detail);
  assertStringIncludes(named(steps, name).hint ?? "", hint);
  for (const step of steps.slice(ALL.indexOf(name) + 1)) {
    assertEquals(step, {
      name: step.name,
      status: "skipped",
      durationMs: 0,
      detail: `Step "${name}" failed`,
    });
  }
}

async function serve(
  options: Partial<ConstructorParameters<typeof MCPWebSocketServer>[0]> = {},
): Promise<MCPWebSocketServer & { url: string }> {
  const server = new MCPWebSocketServer({ name: "example", version: "1.0.0", ...options });
  server.handle("tools/list", () => ({ tools: [] }));
  const { url } = await server.start({ port: 0 });
  return Object.assign(server, { url });
}

/** A server of HTTP that answers everything in the same way. */
function serveHttp(answer: (request: Request) => Response): AsyncDisposable & { url: string } {
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, answer);
  return {
    url: `ws://127.0.0.1:${server.addr.port}/mcp`,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

const readTls = (name: string) => Deno.readTextFile(new URL(name, TLS));

async function serveTls(script: Script): Promise<ScriptedServer> {
  const [cert, key] = await Promise.all([readTls("server_cert.pem"), readTls("server_key.pem")]);
  const listener = Deno.listenTls({ hostname: "127.0.0.1", port: 0, cert, key });
  return new ScriptedServer(script, { listener, scheme: "wss" });
}

Deno.test("diagnose() passes every step towards a server that speaks bowline.v1", async () => {
  await using server = await serve();
  const steps = await run(server.url);
  assertEquals(
    steps.map(({ name }) => name),
    ALL.map((name) => name === "initialize" ? "discover" : name),
  );
  assertEquals(namesOf(steps, "failed"), []);
  assertEquals(namesOf(steps, "skipped"), ["dns", "tls"]);
  assertStringIncludes(named(steps, "subprotocol").detail, '"bowline.v1"');
  assertStringIncludes(named(steps, "session").detail, "kept for 120 s");
  assertStringIncludes(named(steps, "discover").detail, '"example" 1.0.0 speaks MCP 2026-07-28');
  assertStringIncludes(named(steps, "round-trip").detail, "tools/list");
  for (const { hint, durationMs } of steps) assert(hint === undefined && durationMs >= 0);
});

Deno.test("diagnose() leaves nothing behind at the server", async () => {
  await using server = await serve();
  await run(server.url);
  const { activeConnections } = server.health();
  assertEquals(activeConnections, 0);
});

Deno.test("diagnose() looks names up, and tells their addresses", async () => {
  await using server = await serve();
  const steps = await run(server.url.replace("127.0.0.1", "localhost"));
  assertEquals(namesOf(steps, "failed"), []);
  assertMatch(named(steps, "dns").detail, /^"localhost" is .*(127\.0\.0\.1|::1)/);
});

Deno.test("diagnose() skips what plain mcp of 2026-07-28 does not have", async () => {
  await using server = await serve({ session: false });
  const steps = await run(server.url);
  assertEquals(namesOf(steps, "failed"), []);
  assertEquals(namesOf(steps, "skipped"), ["dns", "tls", "session", "ping"]);
  assertStringIncludes(named(steps, "session").detail, "no sessions");
});

Deno.test("diagnose() opens servers of the older revisions with initialize, and pings them", async () => {
  await using server = new ScriptedServer((visit) => playLegacy(visit));
  const steps = await run(server.url);
  assertEquals(namesOf(steps, "failed"), []);
  assertEquals(namesOf(steps, "skipped"), ["dns", "tls", "session"]);
  assertStringIncludes(named(steps, "initialize").detail, '"scripted" 1.0.0 speaks MCP 2025-11-25');
});

Deno.test("diagnose() refuses the subprotocol if it is not the one that is required", async () => {
  await using server = await serve({ session: false });
  const steps = await run(server.url, { require: "bowline.v1" });
  assertFails(steps, "subprotocol", '"bowline.v1", which is required', '"require"');
});

Deno.test("diagnose() tells what is wrong with a URL, and no secrets in it", async () => {
  const table: [url: string, detail: string, hint: string][] = [
    ["nonsense", "malformed", "ws://127.0.0.1:8787/mcp"],
    ["http://127.0.0.1/secret-1?secret-2", "scheme", '"http:" by "ws:"'],
    ["ws://secret-1:secret-2@127.0.0.1/", "credentials", 'option "token"'],
    ["ws://127.0.0.1/#secret-2", "fragment", "fragment"],
    ["ws://127.0.0.1:0/", "port 0 is not allowed", 'rule "port"'],
  ];
  for (const [url, detail, hint] of table) {
    const steps = await run(url);
    assertFails(steps, "url", detail, hint);
    assertEquals(JSON.stringify(steps).includes("secret-2"), false);
  }
});

Deno.test("diagnose() keeps to the URL policy", async () => {
  const production = { environment: "production", unencrypted: "anywhere" } as const;
  const literal = await run("ws://10.0.0.1/", { urlPolicy: production });
  assertFails(literal, "url", "private addresses", 'rule "address"');
  const name = await run("ws://localhost:8787/", { urlPolicy: production });
  assertFails(name, "url", "loopback addresses", 'rule "address"');
});

Deno.test("TcpProbe does not connect to an address that is refused", async () => {
  await using server = new ScriptedServer((visit) => visit.silence());
  const sockets = findSockets();
  assert(sockets !== undefined);
  const place = { host: "localhost", port: server.port };
  const addresses: string[] = [];
  const probe = new TcpProbe(sockets, place, (address) => {
    addresses.push(address);
    throw new UrlPolicyError("address", "localhost", "it may not be");
  });
  await assertRejects(() => probe.resolved, UrlPolicyError);
  await probe.close();
  await probe.close();
  assert(addresses.length > 0);
  assertEquals(server.visits, 0);
});

Deno.test("diagnose() fails at dns for a name without addresses", async (test) => {
  const isReserved = await Deno.resolveDns("nobody.invalid", "A").then(() => false, () => true);
  await test.step({
    name: isReserved ? "nobody.invalid" : "skipped, as this machine resolves nobody.invalid",
    ignore: !isReserved,
    fn: async () => {
      const steps = await run("ws://nobody.invalid:8787/mcp");
      assertFails(steps, "dns", '"nobody.invalid" cannot be resolved', "spelling");
    },
  });
});

Deno.test("diagnose() fails at tcp where nothing listens", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  const steps = await run(`ws://127.0.0.1:${port}/mcp`);
  assertFails(steps, "tcp", `Nothing listens on 127.0.0.1:${port}`, "Start the server");
});

Deno.test("diagnose() fails at tls for a certificate of an unknown issuer", async () => {
  await using server = await serveTls((visit) => playLegacy(visit));
  const steps = await run(server.url);
  assertFails(steps, "tls", "not issued by an authority that is known", "--cert");
});

Deno.test("diagnose() goes by the certificates of its HTTP client", async () => {
  await using server = await serveTls((visit) => playLegacy(visit));
  using knowing = Deno.createHttpClient({ caCerts: [await readTls("ca_cert.pem")] });
  const steps = await run(server.url, { httpClient: knowing });
  assertEquals(namesOf(steps, "failed"), []);
  assertEquals(namesOf(steps, "skipped"), ["dns", "tcp", "tls", "session"]);
  assertStringIncludes(named(steps, "tls").detail, "part of the upgrade");

  using ignorant = Deno.createHttpClient({});
  const failing = await run(server.url, { httpClient: ignorant });
  assertFails(failing, "tls", "not issued by an authority that is known", '"httpClient"');
});

Deno.test("diagnose() fails at tls for wss: to a port without TLS", async () => {
  await using server = new ScriptedServer(async (visit) => {
    await visit.write("HTTP/1.1 400 Bad Request\r\n\r\n");
    await visit.silence();
  });
  const steps = await run(server.url.replace("ws:", "wss:"));
  assertFails(steps, "tls", "does not speak TLS", 'Use "ws:"');
});

Deno.test("diagnose() fails at tls for a port that does not answer the handshake", async () => {
  await using server = new ScriptedServer((visit) => visit.silence());
  const steps = await run(server.url.replace("ws:", "wss:"), { timeout: SHORT });
  assertFails(steps, "tls", `within ${SHORT} ms`, 'try "ws:"');
});

Deno.test("diagnose() fails at upgrade for ws: to a port with TLS", async () => {
  await using server = await serveTls((visit) => visit.silence());
  const steps = await run(server.url.replace("wss:", "ws:"));
  assertFails(steps, "upgrade", "The port speaks TLS", 'Use "wss:"');
});

Deno.test("diagnose() fails at upgrade for a wrong path", async () => {
  await using server = await serve();
  const steps = await run(server.url.replace("/mcp", "/elsewhere"));
  assertFails(steps, "upgrade", 'nothing is served at "/elsewhere"', '"/mcp"');
});

Deno.test("diagnose() fails at upgrade for a server that speaks HTTP only", async () => {
  await using server = serveHttp(() => new Response("Hello"));
  const steps = await run(server.url);
  assertFails(steps, "upgrade", "status 200: it speaks HTTP, but no WebSocket", "Check the port");
});

Deno.test("diagnose() tells a missing token from a wrong one, and repeats none", async () => {
  await using server = serveHttp(() => new Response("Who are you?", { status: 401 }));
  assertFails(await run(server.url), "upgrade", "none was sent", 'option "token"');
  const steps = await run(server.url, { token: () => "the-secret" });
  assertFails(steps, "upgrade", "does not accept the token", "has not expired");
  assertEquals(JSON.stringify(steps).includes("the-secret"), false);
});

Deno.test("diagnose() shows the token to whoever wants it", async () => {
  const handler = createWebSocketHandler((session) => session.start());
  const allowed = new Headers({ authorization: "Bearer the-secret" }).get("authorization");
  await using server = serveHttp((request) =>
    request.headers.get("authorization") === allowed
      ? handler.fetch(request) as Response
      : new Response("Who are you?", { status: 401 })
  );
  const steps = await run(server.url, { token: "the-secret", timeout: SHORT });
  assertEquals(named(steps, "session").status, "passed");
  await handler.close({ timeout: 0 });
});

Deno.test("diagnose() says what to do about each status", async () => {
  const table: [status: number, detail: string, hint: string][] = [
    [400, "refuses the request", "proxy"],
    [403, "forbidden", "origin"],
    [426, "did not take it for the upgrade", "Upgrade and Connection"],
    [407, "407", "proxy"],
    [429, "too many requests", "Try again later"],
    [500, "it failed", "log"],
    [502, "does not get through", "behind the proxy"],
    [503, "full or shutting down", "Try again later"],
  ];
  for (const [status, detail, hint] of table) {
    await using server = new ScriptedServer((visit) => visit.refuse(status));
    assertFails(await run(server.url), "upgrade", detail, hint);
  }
});

Deno.test("diagnose() tells where a redirect leads, without the query, and when to come back", async () => {
  const location = "https://other.example/mcp?ticket=the-secret";
  await using moved = serveHttp(() => new Response(null, { status: 308, headers: { location } }));
  const steps = await run(moved.url);
  assertFails(steps, "upgrade", "a redirect", 'Use "wss://other.example/mcp":');
  await using busy = serveHttp(() =>
    new Response(null, { status: 503, headers: { "retry-after": "7" } })
  );
  assertFails(await run(busy.url), "upgrade", "503", "in 7 s");
});

Deno.test("diagnose() fails at upgrade for servers that do not speak HTTP", async () => {
  await using silent = new ScriptedServer((visit) => visit.silence());
  assertFails(
    await run(silent.url, { timeout: SHORT }),
    "upgrade",
    `not answered within ${SHORT} ms`,
    "no HTTP server",
  );
  await using rude = new ScriptedServer(async (visit) => void await visit.readRequest());
  const hungUp = await run(rude.url, { timeout: SHORT });
  assertFails(hungUp, "upgrade", "connection closed", "hardly speaks HTTP");
  await using ssh = new ScriptedServer((visit) => visit.write("SSH-2.0-OpenSSH_9.9\r\n"));
  assertFails(await run(ssh.url), "upgrade", "The upgrade failed", "hardly speaks HTTP");
});

Deno.test("diagnose() fails at upgrade when there are no credentials to show", async () => {
  await using server = await serve();
  const token = () => Promise.reject(new Error("the-secret"));
  const steps = await run(server.url, { token });
  assertFails(steps, "upgrade", "their provider failed", "what gives them");
  assertEquals(JSON.stringify(steps).includes("the-secret"), false);
});

Deno.test("diagnose() judges what the server selected", async () => {
  await using other = new ScriptedServer((visit) => visit.accept("graphql-ws"));
  const steps = await run(other.url);
  assertFails(steps, "subprotocol", 'what was not offered (offered: "mcp", "bowline.v1")', "[]");
  assertEquals(named(steps, "upgrade").status, "passed");

  await using none = new ScriptedServer(async (visit) => {
    await visit.accept("");
    await visit.end();
  });
  const silent = await run(none.url, { timeout: SHORT });
  assertEquals(named(silent, "subprotocol").status, "passed");
  assertStringIncludes(named(silent, "subprotocol").detail, "selected none");
  assertStringIncludes(named(silent, "subprotocol").hint ?? "", "browsers");
  const unasked = await run(none.url, { timeout: SHORT, protocols: [] });
  assertEquals(named(unasked, "subprotocol").hint, undefined);
});

Deno.test("diagnose() fails at session for a server that never says welcome", async () => {
  await using server = new ScriptedServer(async (visit) => {
    await visit.accept("bowline.v1");
    await visit.end();
  });
  const steps = await run(server.url, { timeout: SHORT });
  assertFails(steps, "session", `did not say welcome within ${SHORT} ms`, "protocols");
});

Deno.test("diagnose() fails at session for a server that does not speak what it selected", async () => {
  await using server = new ScriptedServer(async (visit) => {
    await visit.accept("bowline.v1");
    await visit.readFrame();
    await visit.sendText('{"jsonrpc":"2.0","error":{"code":-32600,"message":"What?"}}');
    await visit.end();
  });
  const steps = await run(server.url);
  assertFails(steps, "session", "does not speak it", '["mcp"]');
});

Deno.test("diagnose() fails at session with the last word of the server, free of tokens and escapes", async () => {
  await using server = new ScriptedServer(async (visit) => {
    await visit.accept("bowline.v1");
    await visit.readFrame();
    const end = { code: 4503, reason: "Full \u001b[31m for the-secret", retryAfterMs: 1_000 };
    await visit.sendText(JSON.stringify(["end", end]));
    await visit.end();
  });
  const steps = await run(server.url, { token: "the-secret" });
  assertFails(steps, "session", "capacity (code 4503", "too much to do");
  assertStringIncludes(named(steps, "session").detail, "for ***");
  const text = steps.map(({ detail }) => detail).join("");
  assertEquals(/the-secret|\p{Cc}/u.test(text), false);
});

Deno.test("diagnose() fails at initialize for a server that says nothing", async () => {
  await using server = new ScriptedServer(async (visit) => {
    await visit.accept();
    await visit.end();
  });
  const steps = await run(server.url, { timeout: SHORT });
  assertFails(steps, "initialize", "answers no request", "Is it an MCP server?");
});

Deno.test("diagnose() fails at initialize for a server that closes at once, or cuts", async () => {
  await using polite = new ScriptedServer(async (visit) => {
    await visit.accept();
    await visit.close(1008, "Go away");
  });
  const steps = await run(polite.url);
  assertFails(steps, "initialize", 'forbidden (code 1008, "Go away")', "rights");
  await using rude = new ScriptedServer((visit) => visit.accept());
  assertFails(await run(rude.url), "initialize", "reset (code 0", "cut the connection");
});

Deno.test("diagnose() fails at initialize for a server that refuses, or speaks no known revision", async () => {
  const answering = (answer: object) =>
    new ScriptedServer(async (visit) => {
      await visit.accept();
      for (;;) {
        const frame = await visit.readFrame();
        if (frame.opcode === OPCODES.CLOSE) return;
        const { id } = JSON.parse(new TextDecoder().decode(frame.payload));
        await visit.send({ id, ...answer });
      }
    });
  await using locked = answering({ error: { code: -32001, message: "Who are you?" } });
  const refused = await run(locked.url, { era: "legacy" });
  assertFails(refused, "initialize", "error -32001: Who are you?", "refuses");
  await using ancient = answering({ result: { protocolVersion: "2020-01-01", capabilities: {} } });
  const unknown = await run(ancient.url, { era: "legacy" });
  assertFails(unknown, "initialize", "2020-01-01", "update the older");
});

Deno.test("diagnose() fails at ping for a server that stops answering", async () => {
  await using server = new ScriptedServer((visit) =>
    playLegacy(visit, ({ method }) => method === "ping")
  );
  const steps = await run(server.url, { timeout: SHORT });
  assertFails(steps, "ping", `"ping" was not answered within ${SHORT} ms`, "hangs");
});

Deno.test("diagnose() fails at round-trip for a request that is refused", async () => {
  await using server = new MCPWebSocketServer({
    name: "broken",
    version: "1.0.0",
    onError: () => {},
  });
  server.handle("tools/list", () => {
    throw new Error("Out of order");
  });
  const { url } = await server.start({ port: 0 });
  const steps = await run(url);
  assertEquals(namesOf(steps, "failed"), ["round-trip"]);
  assertStringIncludes(named(steps, "round-trip").detail, '"tools/list" was answered with error');
});

Deno.test("explainUpgrade() takes from a plain request only what holds for the upgrade, too", () => {
  // As Node, which does not tell the status.
  const error = new MCPConnectionError('Cannot connect to "ws://host/mcp": no reason given');
  const told = (status: number) =>
    explainUpgrade({
      error,
      answer: { status, location: undefined, retryAfter: undefined },
      speaksTls: false,
      sentToken: false,
      path: "/mcp",
    }).detail;
  assertStringIncludes(told(401), "a plain request with status 401: it wants a token");
  assertStringIncludes(told(200), "does not tell why: a plain request is answered with status 200");
  assertStringIncludes(told(426), "does not tell why: a plain request is told to use a WebSocket");
});

Deno.test("explainTls() tells the faults of certificates apart, in the words of each runtime", () => {
  const table: [code: string, message: string, detail: string][] = [
    ["CERT_HAS_EXPIRED", "certificate has expired", "not valid now"],
    ["", "invalid peer certificate: Expired", "not valid now"],
    ["ERR_TLS_CERT_ALTNAME_INVALID", "Hostname/IP does not match", "another name"],
    ["", 'invalid peer certificate: certificate not valid for name "a"', "another name"],
    ["SELF_SIGNED_CERT_IN_CHAIN", "self-signed certificate", "not issued by an authority"],
    ["", "invalid peer certificate: UnknownIssuer", "not issued by an authority"],
    ["EPROTO", "wrong version number", "does not speak TLS"],
    ["", "received fatal alert: HandshakeFailure", "handshake with host:1 failed"],
  ];
  for (const [code, message, detail] of table) {
    const error = Object.assign(new Error(message), code === "" ? {} : { code });
    assertStringIncludes(explainTls("host:1", error).detail, detail);
  }
});

Deno.test("explainTcp() tells a network that is down from a port that is closed", () => {
  const table: [code: string, detail: string][] = [
    ["ECONNREFUSED", "Nothing listens"],
    ["ENETUNREACH", "cannot be reached"],
    ["NotCapable", "may not connect"],
    ["EMFILE", "refused the connection (EMFILE)"],
  ];
  for (const [code, detail] of table) {
    const error = Object.assign(new Error("connect"), { code });
    assertStringIncludes(explainTcp("host:1", error).detail, detail);
  }
  assertStringIncludes(explainTcp("host:1", new MCPTimeoutError("late", 7)).detail, "within 7 ms");
});

Deno.test("diagnose() rejects with the signal's reason, and hangs up", async () => {
  await using server = new ScriptedServer(async (visit) => {
    await visit.accept("bowline.v1");
    await visit.end();
  });
  const controller = new AbortController();
  const seen: DiagnosticName[] = [];
  const reason = new Error("Enough");
  const thrown = await assertRejects(async () => {
    for await (const { name } of diagnose(server.url, { signal: controller.signal })) {
      seen.push(name);
      if (name === "subprotocol") setTimeout(() => controller.abort(reason), 20);
    }
  });
  assertEquals(thrown, reason);
  assertEquals(seen.at(-1), "subprotocol");
  await server.allGone();
});

Deno.test("diagnose() rejects wherever it is aborted", async () => {
  await using silent = new ScriptedServer((visit) => visit.silence());
  for (const url of [silent.url, silent.url.replace("ws:", "wss:")]) {
    await assertRejects(() => run(url, { signal: AbortSignal.abort(new TypeError()) }), TypeError);
    const controller = new AbortController();
    const steps = run(url, { signal: controller.signal });
    setTimeout(() => controller.abort(new TypeError()), 50);
    await assertRejects(() => steps, TypeError);
  }
  await silent.allGone();
});

Deno.test("diagnose() hangs up when its loop is left", async () => {
  await using server = await serve();
  for await (const { name } of diagnose(server.url)) {
    if (name === "session") break;
  }
  assertEquals(server.health().activeConnections, 0);
});

Deno.test("diagnose() refuses options that mean nothing, at once", () => {
  assertThrows(() => diagnose("ws://host/", { timeout: 0 }), RangeError, '"timeout"');
  assertThrows(() => diagnose("ws://host/", { protocols: ["a b"] }), TypeError, '"a b"');
});

Deno.test("diagnose() skips what a runtime without sockets cannot look at", async () => {
  await using server = await serve();
  const url = server.url.replace("127.0.0.1", "localhost");
  using _globals = hideGlobals("process");
  const steps = await run(url);
  assertEquals(namesOf(steps, "failed"), []);
  assertEquals(namesOf(steps, "skipped"), ["dns", "tcp", "tls"]);
  assertStringIncludes(named(steps, "tcp").detail, "no sockets but WebSockets");
});

Deno.test("diagnose() tells the stage of a failure also where the runtime has no sockets", async (test) => {
  using _globals = hideGlobals("process");
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  const steps = await run(`ws://127.0.0.1:${port}/mcp`);
  assertFails(steps, "tcp", "Nothing listens", "Start the server");
  await test.step("tls", async () => {
    await using server = await serveTls((visit) => visit.silence());
    assertFails(await run(server.url), "tls", "not issued by an authority", "--cert");
  });
});

/** What `diagnose()` finds in a process of its own. */
async function runApart(
  url: string,
  permissions: readonly string[],
  env: Record<string, string> = {},
): Promise<DiagnosticStep[]> {
  const module = new URL("../../client/diagnostics.ts", import.meta.url);
  const code = `import { diagnose } from ${JSON.stringify(module.href)};
    console.log(JSON.stringify(await Array.fromAsync(diagnose(${JSON.stringify(url)}))));`;
  const process = new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", "--no-check", "--no-lock", ...permissions, "-"],
    cwd: new URL("../../", import.meta.url),
    env,
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  await new Blob([code]).stream().pipeTo(process.stdin);
  const { stdout } = await process.output();
  return JSON.parse(new TextDecoder().decode(stdout));
}

Deno.test("diagnose() asks for no permission, and tells which one is missing", async () => {
  const without = await runApart("ws://localhost:8787/mcp", []);
  assertFails(without, "tcp", "may not connect to localhost:8787", "--allow-net=localhost:8787");
  await using server = await serve();
  const url = server.url.replace("127.0.0.1", "localhost");
  const steps = await runApart(url, [`--allow-net=${new URL(url).host}`]);
  assertEquals(namesOf(steps, "failed"), []);
  assertEquals(namesOf(steps, "skipped"), ["tls"]);
});

Deno.test("diagnose() blames the proxy, not the server, where there is one", async () => {
  const steps = await runApart("ws://example.com/mcp", ["-A"], {
    HTTP_PROXY: "http://127.0.0.1:1",
  });
  assertFails(steps, "tcp", "the proxy of HTTP_PROXY, and does not get through", "Check the proxy");
});
