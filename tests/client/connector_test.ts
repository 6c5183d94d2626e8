import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { Connector } from "../../client/connector.ts";
import { parseEndpoint } from "../../client/endpoint.ts";
import type { LiveConnection } from "../../client/live_connection.ts";
import type { WebSocketClientOptions } from "../../client/options.ts";
import { PlainConnection } from "../../client/plain_connection.ts";
import { resolveOptions } from "../../client/resolved_options.ts";
import { SessionConnection } from "../../client/session_connection.ts";
import { MCPConnectionError } from "../../protocol/errors.ts";
import type { Json } from "../support/json_socket.ts";
import { playLegacy, ScriptedServer } from "../support/scripted_server.ts";
import { SessionServer, SessionVisit } from "../support/session_server.ts";
import { until } from "../support/until.ts";

/** A connector, and what it tells. */
class Connecting {
  readonly told: Json[] = [];
  readonly messages: Json[] = [];
  readonly taken: LiveConnection[] = [];
  readonly connector: Connector;
  readonly signal: AbortSignal;
  readonly controller = new AbortController();

  constructor(endpoint: string | WebSocket, options: WebSocketClientOptions = {}) {
    this.signal = this.controller.signal;
    const resolved = resolveOptions(options);
    this.connector = new Connector({
      endpoint: parseEndpoint(endpoint),
      options: () => resolved,
      sink: {
        frame() {},
        message: (message) => this.messages.push(message),
        fault() {},
        goaway() {},
      },
      onTaken: (connection) => this.taken.push(connection),
      onResumed: (replayed) => this.told.push(["resumed", replayed]),
      onSessionLost: (reason, wasWelcomed) => this.told.push(["lost", reason, wasWelcomed]),
      onPoisoned: () => {},
    });
  }

  /** Loses what it has opened. */
  lose(connection: LiveConnection): void {
    connection.drop();
    this.connector.detach();
  }
}

Deno.test("Connector opens plain connections to servers that choose plain mcp", async () => {
  await using server = new ScriptedServer((visit) => playLegacy(visit));
  const { connector, signal, told, taken } = new Connecting(server.url);
  const { connection, isFresh } = await connector.open(signal);
  assertInstanceOf(connection, PlainConnection);
  assertEquals([isFresh, connector.session, connector.detach(), told], [
    true,
    undefined,
    false,
    [],
  ]);
  assertEquals(taken, [connection]);
  await connection.close();
});

Deno.test("Connector does not wait for the first welcome, but for those that follow", async () => {
  const welcome = Promise.withResolvers<void>();
  await using server = new SessionServer(async (visit) => {
    await visit.greet();
    if (visit.number > 1) await welcome.promise;
    await visit.welcome({ resumed: visit.number > 1 });
    await visit.end();
  });
  const connecting = new Connecting(server.url);
  const { connector, signal, told } = connecting;
  const first = await connector.open(signal);
  assertInstanceOf(first.connection, SessionConnection);
  await first.connection.greeting;
  connector.settle();
  const { session } = connector;
  connecting.lose(first.connection);
  let isOpen = false;
  const opening = connector.open(signal).then((opened) => {
    isOpen = true;
    return opened;
  });
  await until(() => session?.attempt === 2);
  assertEquals(isOpen, false);
  welcome.resolve();
  const second = await opening;
  assertEquals([first.isFresh, second.isFresh, told], [true, false, [["resumed", 0]]]);
  assertEquals(connector.session, session);
  await second.connection.close();
});

Deno.test("Connector lets nothing slip by between the upgrade and who listens", async () => {
  await using server = new SessionServer(async (visit) => {
    // All in one: it is read before anybody can have waited for anything.
    await visit.visit.accept("mcp");
    await visit.send({ method: "x/first" });
  });
  for (let round = 0; round < 20; round++) {
    const { connector, signal, messages } = new Connecting(server.url);
    const { connection } = await connector.open(signal);
    await connection.lost;
    assertEquals(messages.map(({ method }) => method), ["x/first"]);
  }
});

Deno.test("Connector opens another session where the first one is unknown, on the same connection", async () => {
  const hellos: Json[] = [];
  await using server = new SessionServer(async (visit) => {
    hellos.push(await visit.greet());
    if (visit.number > 1) {
      await visit.welcome({ resumed: false, reason: "Who?" });
      hellos.push(await visit.control("hello"));
    }
    await visit.welcome();
    await visit.end();
  });
  const connecting = new Connecting(server.url);
  const { connector, signal, told, taken } = connecting;
  const first = await connector.open(signal);
  assertInstanceOf(first.connection, SessionConnection);
  await first.connection.greeting;
  connecting.lose(first.connection);
  const second = await connector.open(signal);
  assertEquals(second.isFresh, true);
  assertEquals(told, [["lost", "Who?", true]]);
  assertEquals(hellos.map(({ attempt }) => attempt), [1, 2, 1]);
  assertEquals([hellos[0].token === hellos[1].token, hellos[1].token === hellos[2].token], [
    true,
    false,
  ]);
  assertEquals([taken.length, taken.at(-1) === second.connection], [3, true]);
  await second.connection.close();
});

Deno.test("Connector gives up when its signal aborts, in any phase", async () => {
  let isWelcoming = true;
  await using server = new SessionServer(async (visit) => {
    await visit.greet();
    if (isWelcoming) await visit.welcome();
    await visit.visit.silence();
  });
  const connecting = new Connecting(server.url);
  const { connector, signal, controller } = connecting;
  const first = await connector.open(signal);
  assertInstanceOf(first.connection, SessionConnection);
  await first.connection.greeting;
  connecting.lose(first.connection);
  isWelcoming = false;
  const greeting = assertRejects(() => connector.open(signal), Error, "enough");
  await until(() => connector.session?.attempt === 2);
  controller.abort(new Error("enough"));
  await greeting;
  await assertRejects(() => connector.open(signal), Error, "enough");
  // The session is still there.
  assertEquals([connector.session?.attempt, connector.session?.isOpen], [2, false]);
});

Deno.test("Connector may resume as long as the server keeps the session", async () => {
  await using server = new SessionServer(async (visit) => {
    await visit.open({ windowMs: 50 });
    await visit.end();
  });
  const connecting = new Connecting(server.url);
  const { connector, signal } = connecting;
  assertEquals(connector.mayStillResume, false);
  const { connection } = await connector.open(signal);
  assertInstanceOf(connection, SessionConnection);
  assertEquals(connector.mayStillResume, false);
  await connection.greeting;
  connecting.lose(connection);
  assertEquals(connector.mayStillResume, true);
  await until(() => !connector.mayStillResume);
  connector.reset();
});

Deno.test("Connector.openBeside() opens a session of its own, and leaves the other until it is kept", async () => {
  await using server = new SessionServer(async (visit) => {
    await visit.open();
    await visit.end();
  });
  const { connector, signal, taken } = new Connecting(server.url);
  const { connection } = await connector.open(signal);
  const { session } = connector;
  const beside = await connector.openBeside(signal);
  assertEquals([connector.session, connection.isOpen, taken.length], [session, true, 1]);
  const end = beside.keep();
  assert(connector.session !== session);
  end(new Error("left"));
  await beside.connection.close();
  connection.drop();
});

Deno.test("Connector.openBeside() has no use for a plain server", async () => {
  await using server = new ScriptedServer(async (visit) => {
    if (visit.number > 1) return await playLegacy(visit);
    const session = new SessionVisit(visit);
    await session.open();
    await session.end();
  });
  const { connector, signal } = new Connecting(server.url);
  const { connection } = await connector.open(signal);
  await assertRejects(() => connector.openBeside(signal), MCPConnectionError, "bowline.v1");
  assertEquals(connection.isOpen, true);
  await connection.close();
});

Deno.test("Connector.reset() gives the session away, and forgets what it has learnt", async () => {
  await using server = new SessionServer(async (visit) => {
    await visit.open();
    await visit.end();
  });
  const { connector, signal } = new Connecting(server.url);
  const { connection } = await connector.open(signal);
  const { session } = connector;
  assertEquals(connector.reset(), session);
  assertEquals([connector.session, connector.reset()], [undefined, undefined]);
  await connection.close();
});

Deno.test("Connector speaks plain mcp over a socket that it adopted, whatever was negotiated", async () => {
  await using server = new SessionServer(async (visit) => {
    await visit.visit.accept("bowline.v1");
    await visit.send({ method: "x/early" });
    assertEquals((await visit.next()).method, "x/note");
    assertEquals(visit.frames.length, 1);
    await visit.end();
  });
  const socket = new WebSocket(server.url, ["bowline.v1"]);
  const { connector, signal, messages } = new Connecting(socket);
  await new Promise((resolve) => socket.onopen = resolve);
  const { connection } = await connector.open(signal);
  assertInstanceOf(connection, PlainConnection);
  const note = { jsonrpc: "2.0", method: "x/note" } as const;
  connection.send(JSON.stringify(note), note);
  await until(() => messages.length > 0);
  await connection.close();
});
