import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import type { TokenVia, WebSocketClientOptions } from "../../client/options.ts";
import { WebSocketClientTransport } from "../../client/transport.ts";
import { MCPConnectionError, MCPTimeoutError } from "../../protocol/errors.ts";
import type { Json } from "../support/json_socket.ts";
import { playLegacy, ScriptedServer, type Visit } from "../support/scripted_server.ts";
import { SessionServer } from "../support/session_server.ts";
import { until } from "../support/until.ts";

/** Reconnects at once, a few times. */
const EAGER = { immediate: [], minDelay: 1, maxDelay: 1, attempts: 4 };

/** Connects once, and tells what the server saw. */
async function show(options: WebSocketClientOptions): Promise<Record<string, string | undefined>> {
  let seen: Record<string, string | undefined> = {};
  await using server = new ScriptedServer(async (visit) => {
    await visit.accept();
    seen = {
      path: visit.request.split(" ")[1],
      header: visit.header("authorization"),
      protocols: visit.header("sec-websocket-protocol"),
    };
    await visit.end();
  });
  await using transport = new WebSocketClientTransport(`${server.url}?a=b`, {
    protocols: ["mcp"],
    ...options,
  });
  await transport.start();
  return seen;
}

const PATH = "/mcp?a=b";

const PLACES: readonly (readonly [TokenVia, string, Record<string, string | undefined>])[] = [
  ["auto", "abc", { path: PATH, header: "Bearer abc", protocols: "mcp" }],
  ["header", "a/b+c=", { path: PATH, header: "Bearer a/b+c=", protocols: "mcp" }],
  ["subprotocol", "abc.1-_~", {
    path: PATH,
    header: undefined,
    protocols: "mcp, mcp.auth.abc.1-_~",
  }],
  ["subprotocol", "a/b+c=", {
    path: PATH,
    header: undefined,
    protocols: "mcp, mcp.auth.YS9iK2M9",
  }],
  ["ticket", "a/b+c&=?", {
    path: `${PATH}&ticket=a%2Fb%2Bc%26%3D%3F`,
    header: undefined,
    protocols: "mcp",
  }],
];

for (const [tokenVia, token, expected] of PLACES) {
  Deno.test(`tokenVia: "${tokenVia}" sends the token "${token}" there, and nowhere else`, async () => {
    assertEquals(await show({ token: () => token, tokenVia }), expected);
  });
}

Deno.test('tokenVia: "ticket" takes the place of a ticket that is in the URL', async () => {
  await using server = new ScriptedServer(async (visit) => {
    await visit.accept();
    await visit.end();
    assertEquals(visit.request.split(" ")[1], "/mcp?ticket=new");
  });
  await using transport = new WebSocketClientTransport(`${server.url}?ticket=old`, {
    token: () => "new",
    tokenVia: "ticket",
  });
  await transport.start();
});

Deno.test('tokenVia: "ticket" asks for another ticket before every dial', async () => {
  const paths: (string | undefined)[] = [];
  await using server = new ScriptedServer(async (visit) => {
    await visit.accept();
    paths.push(visit.request.split(" ")[1]);
    if (visit.number > 2) await visit.end();
  });
  let tickets = 0;
  await using transport = new WebSocketClientTransport(server.url, {
    token: () => `ticket-${++tickets}`,
    tokenVia: "ticket",
    reconnect: EAGER,
  });
  await transport.start();
  await until(() => paths.length === 3);
  assertEquals(paths, [1, 2, 3].map((number) => `/mcp?ticket=ticket-${number}`));
});

Deno.test('tokenVia: "ticket" refuses a token that is no function, now and later', () => {
  const url = "ws://127.0.0.1:1/";
  const error = assertThrows(
    () => new WebSocketClientTransport(url, { token: "canary", tokenVia: "ticket" }),
    TypeError,
    'Option "token" must be a function where "tokenVia" is "ticket"',
  );
  assert(!error.message.includes("canary"));
  const transport = new WebSocketClientTransport(url, { token: () => "1", tokenVia: "ticket" });
  assertThrows(() => transport.updateOptions({ token: "canary" }), TypeError);
  assertThrows(
    () => new WebSocketClientTransport(url, { tokenVia: "cookie" as TokenVia }),
    TypeError,
    'Option "tokenVia" must be one of "auto", "header", "subprotocol", "message", "ticket"',
  );
});

Deno.test('tokenVia: "message" says the token in every hello of a session', async () => {
  const hellos: Json[] = [];
  await using server = new SessionServer(async (visit) => {
    hellos.push(await visit.open());
    assertEquals(visit.visit.header("authorization"), undefined);
    assertEquals(visit.visit.header("sec-websocket-protocol"), "mcp, bowline.v1");
    if (visit.number > 1) await visit.end();
  });
  let tokens = 0;
  await using transport = new WebSocketClientTransport(server.url, {
    token: () => `token-${++tokens}`,
    tokenVia: "message",
    reconnect: EAGER,
  });
  await transport.start();
  await until(() => hellos.length === 2);
  assertEquals(hellos.map(({ auth }) => auth), ["token-1", "token-2"]);
  assertEquals(hellos[0]?.session, hellos[1]?.session);
});

Deno.test('tokenVia: "message" says it again when the session is not known any more', async () => {
  const auths: unknown[] = [];
  await using server = new SessionServer(async (visit) => {
    if (visit.number === 1) return void await visit.open();
    auths.push((await visit.greet()).auth);
    await visit.welcome({ resumed: false, reason: "who?" });
    auths.push((await visit.control("hello")).auth);
    await visit.welcome({ resumed: false });
    await visit.end();
  });
  await using transport = new WebSocketClientTransport(server.url, {
    token: "abc",
    tokenVia: "message",
    reconnect: EAGER,
  });
  await transport.start();
  await until(() => auths.length === 2 && transport.state.status === "connected");
  assertEquals(auths, ["abc", "abc"]);
});

Deno.test("without tokenVia no hello holds a token", async () => {
  await using server = new SessionServer(async (visit) => {
    const hello = await visit.open();
    assertEquals("auth" in hello, false);
    await visit.end();
  });
  await using transport = new WebSocketClientTransport(server.url, { token: "abc" });
  await transport.start();
  await until(() => transport.session !== undefined && server.visits.length === 1);
});

/** Takes the token, and tells it; then plays a legacy server. */
async function authenticateFirst(visit: Visit, answer: () => Promise<void>): Promise<Json> {
  await visit.accept();
  const first = await visit.next();
  assertEquals([first.jsonrpc, first.method, first.id < 0], ["2.0", "authenticate", true]);
  await answer();
  await visit.answer(first);
  return first.params;
}

Deno.test('tokenVia: "message" asks a plain server to take the token before anything else', async () => {
  const answered = Promise.withResolvers<void>();
  const heard: Json[] = [];
  await using server = new ScriptedServer(async (visit) => {
    heard.push(await authenticateFirst(visit, () => answered.promise));
    heard.push((await visit.nextOf("tools/list")).id);
    await visit.end();
  });
  await using transport = new WebSocketClientTransport(server.url, {
    token: "abc",
    tokenVia: "message",
  });
  const start = transport.start();
  const send = transport.send({ jsonrpc: "2.0", id: 7, method: "tools/list" });
  answered.resolve();
  await start;
  await send;
  await until(() => heard.length === 2);
  assertEquals(heard, [{ token: "abc" }, 7]);
});

for (const code of [-32_001, -32_601]) {
  Deno.test(`tokenVia: "message" fails the dial if the server answers with ${code}`, async () => {
    await using server = new ScriptedServer(async (visit) => {
      await visit.accept();
      const { id } = await visit.next();
      await visit.send({ id, error: { code, message: "canary is unknown" } });
      await visit.end();
    });
    await using transport = new WebSocketClientTransport(server.url, {
      token: "canary",
      tokenVia: "message",
    });
    const error = await assertRejects(() => transport.start(), MCPConnectionError);
    assertEquals([error.kind, error.verdict?.pace], ["authentication", "refresh"]);
    assertEquals(error.message, `Cannot authenticate: the server refused the token (code ${code})`);
    assertEquals(transport.state.status, "failed");
  });
}

Deno.test('tokenVia: "message" fails the dial if the server does not answer, or goes', async () => {
  await using server = new ScriptedServer(async (visit) => {
    await visit.accept();
    await visit.next();
    if (visit.number === 2) return;
    await visit.end();
  });
  const options = { token: "abc", tokenVia: "message", connectTimeout: 200 } as const;
  await using silent = new WebSocketClientTransport(server.url, options);
  const late = await assertRejects(() => silent.start(), MCPTimeoutError);
  assertEquals(late.message, 'Peer did not answer "authenticate" within 200 ms');
  await using cut = new WebSocketClientTransport(server.url, { ...options, connectTimeout: 5_000 });
  const lost = await assertRejects(() => cut.start(), MCPConnectionError);
  assertEquals(lost.verdict?.cause, "reset");
});

Deno.test('tokenVia: "message" is given up with start() and with close()', async () => {
  await using server = new ScriptedServer(async (visit) => {
    await visit.accept();
    await visit.next();
    await visit.end();
  });
  const options = { token: "abc", tokenVia: "message" } as const;
  await using aborted = new WebSocketClientTransport(server.url, options);
  const controller = new AbortController();
  const start = aborted.start({ signal: controller.signal });
  await until(() => server.visits === 1);
  controller.abort(new Error("enough"));
  await assertRejects(() => start, Error, "enough");
  await using closed = new WebSocketClientTransport(server.url, options);
  const starting = assertRejects(() => closed.start(), Error, "The transport was closed");
  await until(() => server.visits === 2);
  await closed.close();
  await starting;
});

/** How a server says that it does not know the token (any more). */
const REFUSALS: readonly (readonly [string, (visit: Visit) => Promise<void>])[] = [
  ["401", (visit) => visit.refuse(401)],
  ["4401", async (visit) => {
    await visit.accept();
    await visit.close(4401, "expired");
  }],
];

for (const [name, refuse] of REFUSALS) {
  Deno.test(`a token function is asked once more after ${name}, and then it is over`, async () => {
    const seen: (string | undefined)[] = [];
    await using server = new ScriptedServer(async (visit) => {
      await visit.readRequest();
      seen.push(visit.header("authorization"));
      if (visit.number > 1) return await refuse(visit);
      await visit.accept();
      await visit.close(4401, "expired");
    });
    let tokens = 0;
    await using transport = new WebSocketClientTransport(server.url, {
      token: () => `token-${++tokens}`,
      reconnect: EAGER,
    });
    await transport.start();
    await until(() => transport.state.status === "failed");
    const { state } = transport;
    assert(state.status === "failed" && state.error instanceof MCPConnectionError);
    assertEquals([state.error.kind, state.error.verdict?.cause], [
      "authentication",
      "unauthenticated",
    ]);
    assertEquals([tokens, seen], [2, ["Bearer token-1", "Bearer token-2"]]);
  });
}

Deno.test("a token function that is asked again after 4401 lets the connection go on", async () => {
  await using server = new ScriptedServer(async (visit) => {
    if (visit.number > 1) return await playLegacy(visit);
    await visit.accept();
    await visit.close(4401, "expired");
  });
  let tokens = 0;
  await using transport = new WebSocketClientTransport(server.url, {
    token: () => `token-${++tokens}`,
    reconnect: EAGER,
  });
  await transport.start();
  await until(() => server.visits === 2 && transport.state.status === "connected");
  assertEquals(tokens, 2);
});
