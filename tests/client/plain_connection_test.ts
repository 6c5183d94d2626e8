import { assert, assertEquals, assertRejects } from "@std/assert";
import { MCPConnectionError, MCPRpcError, MCPTimeoutError } from "../../protocol/errors.ts";
import { dial } from "../../client/dial.ts";
import type { WebSocketClientOptions } from "../../client/options.ts";
import { resolveOptions } from "../../client/resolved_options.ts";
import { PlainConnection } from "../../client/plain_connection.ts";
import { resultOf } from "../../client/private_requests.ts";
import type { Json } from "../support/json_socket.ts";
import { playLegacy, type Script, ScriptedServer } from "../support/scripted_server.ts";
import { until } from "../support/until.ts";

interface Opened {
  readonly connection: PlainConnection;
  readonly messages: Json[];
  readonly faults: Error[];
}

async function open(url: string, options: WebSocketClientOptions = {}): Promise<Opened> {
  const messages: Json[] = [];
  const faults: Error[] = [];
  const sink = {
    frame() {},
    message: (message: Json) => messages.push(message),
    fault: (error: Error) => faults.push(error),
    goaway() {},
  };
  const { clock, httpClient, ...resolved } = resolveOptions(options);
  const connection = await dial({
    url,
    name: url,
    protocols: ["mcp"],
    headers: new Headers(),
    httpClient,
    timeout: 5_000,
    signal: new AbortController().signal,
    clock,
    take: (link) => new PlainConnection(link, { ...resolved, httpClient, clock }, sink),
  });
  return { connection, messages, faults };
}

Deno.test("PlainConnection.ask() asks under ids of its own; the answer stays here", async () => {
  const heard: Json[] = [];
  await using server = new ScriptedServer((visit) =>
    playLegacy(visit, (message) => void heard.push(message))
  );
  const { connection, messages } = await open(server.url);
  const answers = await Promise.all([
    connection.requests.ask({ method: "a", params: { n: 1 } }),
    connection.requests.ask({ method: "b" }),
  ]);
  assertEquals(heard, [
    { jsonrpc: "2.0", id: -1, method: "a", params: { n: 1 } },
    { jsonrpc: "2.0", id: -2, method: "b" },
  ]);
  assertEquals(answers.map(resultOf), [{}, {}]);
  await connection.close();
  assertEquals(messages, []);
});

Deno.test("PlainConnection keeps answers to itself that nobody waits for any more", async () => {
  await using server = new ScriptedServer(async (visit) => {
    await visit.accept();
    const { id } = await visit.next();
    await visit.next();
    await visit.answer({ id });
    await visit.answer({ id: -99 });
    await visit.answer({ id: 5 });
    await visit.end();
  });
  const { connection, messages } = await open(server.url, { connectTimeout: 30 });
  const error = await assertRejects(
    () => connection.requests.ask({ method: "a" }),
    MCPTimeoutError,
  );
  assertEquals(error.message, 'Peer did not answer "a" within 30 ms');
  connection.send("{}");
  await until(() => messages.length > 0);
  assertEquals(messages.map(({ id }) => id), [5]);
  await connection.close();
});

Deno.test("PlainConnection.ask() waits no longer than its own limit, or its signal", async () => {
  await using server = new ScriptedServer((visit) => playLegacy(visit, () => true));
  const { connection } = await open(server.url);
  const late = await assertRejects(
    () => connection.requests.ask({ method: "a" }, { timeout: 10 }),
    MCPTimeoutError,
  );
  assertEquals(late.timeout, 10);
  const controller = new AbortController();
  const reason = new Error("enough");
  const asked = connection.requests.ask({ method: "b" }, { signal: controller.signal });
  controller.abort(reason);
  assertEquals(await assertRejects(() => asked), reason);
  await connection.close();
});

Deno.test("PlainConnection.ask() fails when the connection is lost", async () => {
  await using server = new ScriptedServer(async (visit) => {
    await visit.accept();
    await visit.next();
    await visit.close(1012, "so long");
  });
  const { connection } = await open(server.url);
  const error = await assertRejects(
    () => connection.requests.ask({ method: "a" }),
    MCPConnectionError,
  );
  assertEquals([error.code, error.verdict?.cause], [1012, "restarting"]);
  assertEquals(connection.isOpen, false);
});

Deno.test("resultOf() throws what was answered instead", () => {
  const thrown = () =>
    resultOf({ jsonrpc: "2.0", id: 1, error: { code: 7, message: "no", data: { n: 1 } } });
  try {
    thrown();
    assert(false);
  } catch (error) {
    assert(error instanceof MCPRpcError);
    assertEquals([error.code, error.message, error.data], [7, "no", { n: 1 }]);
  }
});

const ENDS: Record<string, (connection: PlainConnection) => unknown> = {
  close: (connection) => connection.close(),
  drop: (connection) => connection.drop(),
};

for (const [name, end] of Object.entries(ENDS)) {
  Deno.test(`PlainConnection.${name}() ends it, also twice, and says it is done`, async () => {
    const script: Script = (visit) => playLegacy(visit);
    await using server = new ScriptedServer(script);
    const { connection } = await open(server.url, { heartbeat: { interval: 10 } });
    const heartbeat = { interval: 10, timeout: 10, maxMissed: 1, discover: false };
    const pings = { pinged() {}, ponged() {}, missed() {} };
    connection.watch({ heartbeat, question: () => undefined, pings });
    await end(connection);
    await end(connection);
    assertEquals((await connection.lost).cause, "done");
    assertEquals(connection.isOpen, false);
    connection.send("ignored");
    await connection.drained();
    await server.allGone();
  });
}
