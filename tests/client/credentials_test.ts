import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { MCPError } from "../../protocol/errors.ts";
import { gatherCredentials } from "../../client/credentials.ts";
import { WebSocketClientTransport } from "../../client/transport.ts";
import type { WebSocketClientOptions } from "../../client/options.ts";
import { recordLog } from "../support/recorded_log.ts";
import { ScriptedServer } from "../support/scripted_server.ts";
import { until } from "../support/until.ts";

const CANARY = "canary-7f3a";
const PROTOCOLS = ["mcp"];

Deno.test("gatherCredentials() without credentials sends nothing but the protocols", async () => {
  const given = { headers: undefined, token: undefined, protocols: PROTOCOLS };
  const { headers, protocols } = await gatherCredentials(given);
  assertEquals([...headers], []);
  assertStrictEquals(protocols, PROTOCOLS);
});

Deno.test("gatherCredentials() turns a token into a header", async () => {
  const given = { headers: { "X-Key": "1" }, token: "abc", protocols: PROTOCOLS };
  const { headers, protocols } = await gatherCredentials(given);
  assertEquals([...headers], [["authorization", "Bearer abc"], ["x-key", "1"]]);
  assertEquals(protocols, PROTOCOLS);
});

Deno.test("gatherCredentials() leaves an Authorization header that is given alone", async () => {
  const given = { headers: { Authorization: "Basic x" }, token: "abc", protocols: PROTOCOLS };
  const { headers } = await gatherCredentials(given);
  assertEquals(headers.get("authorization"), "Basic x");
});

Deno.test("gatherCredentials() asks functions, also asynchronous ones", async () => {
  const given = {
    headers: () => Promise.resolve({ "x-key": "2" }),
    token: () => "abc",
    protocols: PROTOCOLS,
  };
  const { headers } = await gatherCredentials(given);
  assertEquals([...headers], [["authorization", "Bearer abc"], ["x-key", "2"]]);
});

Deno.test("gatherCredentials() hands on what a provider failed with, and that it may recover", async () => {
  const cause = new Error("no network");
  const fail = () => {
    throw cause;
  };
  for (const provider of [{ token: fail }, { headers: () => Promise.reject(cause) }]) {
    const given = { headers: undefined, token: undefined, protocols: PROTOCOLS, ...provider };
    const error = await assertRejects(() => gatherCredentials(given), MCPError);
    assertEquals(error.message, "Cannot gather credentials: their provider failed");
    assertEquals([error.kind, error.retryable], ["authentication", true]);
    assertStrictEquals(error.cause, cause);
  }
});

Deno.test("gatherCredentials() takes a provider's TypeError for what it is", async () => {
  const cause = new TypeError("error sending request: bad header");
  const given = {
    headers: undefined,
    token: () => Promise.reject(cause),
    protocols: PROTOCOLS,
  };
  const error = await assertRejects(() => gatherCredentials(given), MCPError);
  assertEquals(error.message, "Cannot gather credentials: their provider failed");
  assertStrictEquals(error.cause, cause);
});

Deno.test("gatherCredentials() lets a provider's own MCPError through", async () => {
  const cause = new MCPError("policy", "Not today");
  const given = { headers: undefined, token: () => Promise.reject(cause), protocols: PROTOCOLS };
  assertStrictEquals(await assertRejects(() => gatherCredentials(given)), cause);
});

Deno.test("gatherCredentials() refuses what no header holds, for good and without telling it", async () => {
  const malformed = [
    { token: `${CANARY}\nx` },
    { token: `${CANARY}✓` },
    { headers: { "x-key": `${CANARY}\n` + "x" } },
    { headers: { [`a ${CANARY}`]: "x" } },
    { headers: { "x-key": `${CANARY}✓` } },
  ];
  for (const given of malformed) {
    const options = { headers: undefined, token: undefined, protocols: PROTOCOLS, ...given };
    const error = await assertRejects(() => gatherCredentials(options), MCPError);
    assertEquals(error.message, "Cannot gather credentials: a header or token is malformed");
    assertEquals([error.kind, error.retryable], ["authentication", false]);
    assertEquals(error.cause, undefined);
  }
});

Deno.test("a token function is asked before every dial", async () => {
  const seen: (string | undefined)[] = [];
  await using server = new ScriptedServer(async (visit) => {
    await visit.accept();
    seen.push(visit.header("authorization"));
    if (visit.number < 3) return;
    await visit.end();
  });
  let tokens = 0;
  const transport = new WebSocketClientTransport(server.url, {
    token: () => Promise.resolve(`token-${++tokens}`),
    reconnect: { immediate: [], minDelay: 1, maxDelay: 1 },
  });
  await transport.start();
  await until(() => seen.length === 3);
  await transport.close();
  assertEquals(seen, ["Bearer token-1", "Bearer token-2", "Bearer token-3"]);
});

Deno.test("a token function that fails is asked again when the connection has to come back", async () => {
  await using server = new ScriptedServer(async (visit) => {
    await visit.accept();
    if (visit.number > 1) await visit.end();
  });
  let asked = 0;
  const transport = new WebSocketClientTransport(server.url, {
    token() {
      if (++asked === 2) throw new Error("no network");
      return "abc";
    },
    reconnect: { immediate: [], minDelay: 1, maxDelay: 1 },
  });
  await transport.start();
  await until(() => server.visits === 2 && transport.state.status === "connected");
  await transport.close();
  assertEquals(asked, 3);
});

Deno.test("a token function that hangs is given up after the connect timeout", async () => {
  const transport = new WebSocketClientTransport("ws://127.0.0.1:1/", {
    token: () => new Promise<string>(() => {}),
    connectTimeout: 20,
  });
  const error = await assertRejects(() => transport.start(), MCPError);
  assertEquals(error.kind, "timeout");
  assertEquals(error.message, 'Cannot connect to "ws://127.0.0.1:1/": not open within 20 ms');
});

Deno.test("a token function that hangs keeps neither a signal nor close() waiting", async () => {
  const options = { token: () => new Promise<string>(() => {}) };
  const aborted = new WebSocketClientTransport("ws://127.0.0.1:1/", options);
  const controller = new AbortController();
  const start = aborted.start({ signal: controller.signal });
  controller.abort(new Error("enough"));
  await assertRejects(() => start, Error, "enough");

  const closed = new WebSocketClientTransport("ws://127.0.0.1:1/", options);
  const starting = assertRejects(() => closed.start(), Error, "The transport was closed");
  await closed.close();
  await starting;
});

/** All that an error says, its causes included. */
function wordsOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { message, stack, cause } = error;
  return `${message} ${stack} ${JSON.stringify(error)} ${cause ? wordsOf(cause) : ""}`;
}

Deno.test("a secret is in no log line and no error, whatever goes wrong", async () => {
  await using server = new ScriptedServer(async (visit) => {
    const statuses = [401, 403, 404, 500, 503];
    const status = statuses[visit.number - 1];
    if (status !== undefined) return await visit.refuse(status);
    switch (visit.number) {
      case 6:
        return await visit.accept("other");
      case 7:
        return await visit.accept(`mcp.auth.${CANARY}`);
      case 8:
        await visit.readRequest();
        return;
      case 9:
        await visit.accept();
        await visit.sendText(`{"token": "${CANARY}`);
        return await visit.close(1008, "no");
      default:
        await visit.accept();
        await visit.end();
    }
  });
  const variants: WebSocketClientOptions[] = [
    { token: CANARY },
    { headers: { authorization: `Bearer ${CANARY}`, "x-key": CANARY } },
    { token: () => CANARY },
  ];
  const { logger, lines } = recordLog();
  const words: string[] = [];
  for (let visit = 1; visit <= 10; visit++) {
    const transport = new WebSocketClientTransport(`${server.url}?ticket=${CANARY}`, {
      ...variants[visit % variants.length],
      logger,
      reconnect: false,
      connectTimeout: 500,
    });
    transport.addEventListener("error", ({ detail }) => words.push(wordsOf(detail.error)));
    transport.onmessage = () => {};
    try {
      await transport.start();
      if (visit === 9) await until(() => transport.state.status === "failed");
    } catch (error) {
      words.push(wordsOf(error));
    }
    await transport.close();
  }
  assert(lines.length >= 20, `${lines.length} lines`);
  assert(words.length >= 9, `${words.length} errors`);
  for (const text of [...lines, ...words]) assert(!text.includes(CANARY), text);
});
