import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { ClientSession } from "../../client/client_session.ts";
import { dial } from "../../client/dial.ts";
import type { WebSocketClientOptions } from "../../client/options.ts";
import { resolveOptions } from "../../client/resolved_options.ts";
import { SessionConnection } from "../../client/session_connection.ts";
import { MCPConnectionError, MCPTimeoutError } from "../../protocol/errors.ts";
import type { Link } from "../../protocol/link.ts";
import { OPEN_SIZES } from "../../protocol/session/frames.ts";
import type { Json } from "../support/json_socket.ts";
import { ManualClock } from "../support/manual_clock.ts";
import { LIMITS, SessionServer } from "../support/session_server.ts";
import { isPending, until } from "../support/until.ts";

/** A session, and what its connections tell. */
class Client {
  readonly clock = new ManualClock();
  readonly messages: Json[] = [];
  readonly faults: Error[] = [];
  readonly goaways: Json[] = [];
  readonly pings: Json[] = [];
  readonly session: ClientSession;
  readonly #options: WebSocketClientOptions;

  constructor(options: WebSocketClientOptions = {}) {
    this.#options = options;
    this.session = new ClientSession({
      limits: { messageBytes: 2 ** 20, bufferBytes: 2 ** 20, bufferMessages: 64 },
      sizes: OPEN_SIZES,
      promptAck: false,
      poisoned: () => {},
      clock: this.clock,
    });
  }

  async dial(url: string): Promise<SessionConnection> {
    return await dial({
      url,
      name: url,
      protocols: ["bowline.v1"],
      headers: new Headers(),
      httpClient: undefined,
      timeout: 5_000,
      signal: new AbortController().signal,
      clock: this.clock,
      take: (link) => this.take(link),
    });
  }

  take(link: Link): SessionConnection {
    const options = resolveOptions({ ...this.#options, clock: this.clock });
    return new SessionConnection(link, this.session, options, {
      frame() {},
      message: (message) => this.messages.push(message),
      fault: (error) => this.faults.push(error),
      goaway: (goaway) => this.goaways.push(goaway),
    });
  }

  /** Dials, and waits for the welcome. */
  async open(url: string): Promise<SessionConnection> {
    const connection = await this.dial(url);
    assertEquals((await connection.greeting).type, "open");
    return connection;
  }

  /** Watches for silence. */
  watch(connection: SessionConnection): void {
    connection.watch({
      heartbeat: { interval: 50_000, timeout: 100, maxMissed: 2, discover: false },
      question: () => undefined,
      pings: {
        pinged: () => this.pings.push("pinged"),
        ponged: () => this.pings.push("ponged"),
        missed: () => this.pings.push("missed"),
      },
    });
  }
}

const note = (n: number) => ({ jsonrpc: "2.0" as const, method: "x/note", params: { n } });

Deno.test("SessionConnection says hello and gets its greeting, messages and goaways", async () => {
  await using server = new SessionServer(async (visit) => {
    await visit.open();
    await visit.send({ method: "x/hello" });
    await visit.say("goaway", { afterMs: 5, reason: "Bye" });
    await visit.end();
  });
  const client = new Client();
  const connection = await client.open(server.url);
  await until(() => client.goaways.length > 0);
  assertEquals(client.messages, [{ jsonrpc: "2.0", method: "x/hello" }]);
  assertEquals([connection.isOpen, connection.isCongested], [true, false]);
  await connection.close();
  assertEquals([(await connection.lost).cause, client.clock.timers], ["gone", 0]);
});

Deno.test("SessionConnection gives a server up that does not answer the hello in time", async () => {
  await using server = new SessionServer(async (visit) => {
    await visit.greet();
    await visit.visit.silence();
  });
  const client = new Client({ connectTimeout: 70 });
  const connection = await client.dial(server.url);
  client.clock.advance(69);
  assertEquals(await isPending(connection.greeting), true);
  client.clock.advance(1);
  const greeting = await connection.greeting;
  assert(greeting.type === "lost");
  assertEquals([greeting.loss.code, greeting.loss.cause], [4408, "heartbeat"]);
  assertEquals([connection.isOpen, client.clock.timers], [false, 0]);
});

Deno.test("SessionConnection tells the same loss to all who wait, once", async () => {
  await using server = new SessionServer(async (visit) => {
    await visit.open();
    await visit.control("ping");
  });
  const client = new Client();
  const connection = await client.open(server.url);
  client.watch(connection);
  const probe = connection.prober();
  const probes = [probe({}), probe({}), connection.requests.ask({ method: "a" })];
  for (const asked of probes) {
    await assertRejects(() => asked, MCPConnectionError, "Connection lost");
  }
  const loss = await connection.lost;
  assertEquals(["reset", "gone"].includes(loss.cause), true);
  connection.drop();
  assertEquals(await connection.lost, loss);
  await assertRejects(() => probe({}), MCPConnectionError);
  await connection.close();
  assertEquals(client.clock.timers, 0);
});

Deno.test("SessionConnection is left when its session goes on over another one", async () => {
  await using server = new SessionServer(async (visit) => {
    await visit.open();
    await visit.end();
  });
  const client = new Client();
  const old = await client.open(server.url);
  const next = await client.open(server.url);
  const loss = await old.lost;
  assertEquals([loss.code, old.isOpen, next.isOpen], [4409, false, true]);
  await next.close();
});

Deno.test("SessionConnection may say hello again on the same link with another session", async () => {
  await using server = new SessionServer(async (visit) => {
    await visit.greet();
    await visit.welcome({ resumed: false, reason: "Who?" });
    await visit.control("hello");
    await visit.welcome();
    await visit.send({ method: "x/hello" });
    await visit.end();
  });
  const client = new Client();
  const other = new Client();
  let link: Link | undefined;
  client.session.open({ send() {}, isCongested: false, bufferedAmount: 0 }, NOBODY);
  const take = client.take.bind(client);
  client.take = (taken) => take(link = taken);
  const first = await client.dial(server.url);
  assertEquals(await first.greeting, { type: "unknown", reason: "Who?" });
  client.session.end(new Error("lost"));
  assert(link !== undefined);
  const second = other.take(link);
  assertEquals((await second.greeting).type, "open");
  await until(() => other.messages.length > 0);
  assertEquals([client.messages, await isPending(first.lost)], [[], true]);
  await second.close();
});

Deno.test("SessionConnection is lost at once on a link that has ended meanwhile", async () => {
  await using server = new SessionServer((visit) => visit.visit.accept("bowline.v1"));
  const client = new Client();
  let link: Link | undefined;
  const take = client.take.bind(client);
  client.take = (taken) => take(link = taken);
  await (await client.dial(server.url)).lost;
  assert(link !== undefined);
  const late = new Client().take(link);
  assertEquals((await late.lost).cause, "reset");
});

Deno.test("SessionConnection refuses what is larger than the server takes", async () => {
  await using server = new SessionServer(async (visit) => {
    await visit.open({ limits: { ...LIMITS, messageBytes: 1_024 } });
    await visit.end();
  });
  const client = new Client();
  const connection = await client.open(server.url);
  connection.check("x".repeat(1_024));
  connection.check("é".repeat(512));
  assertThrows(() => connection.check("x".repeat(1_025)), RangeError, "current size is 1025");
  assertThrows(() => connection.check("é".repeat(513)), RangeError, "takes 1024 bytes");
  await connection.close();
});

Deno.test("SessionConnection has room when it is welcomed, and when the window has", async () => {
  const acks = Promise.withResolvers<void>();
  await using server = new SessionServer(async (visit) => {
    await visit.greet();
    await acks.promise;
    await visit.welcome({ limits: { ...LIMITS, bufferMessages: 1 } });
    await visit.next();
    await visit.ack();
    await visit.end();
  });
  const client = new Client();
  const connection = await client.dial(server.url);
  assertEquals(connection.isCongested, true);
  const welcomed = connection.drained();
  assertEquals(await isPending(welcomed), true);
  acks.resolve();
  await welcomed;
  connection.send(JSON.stringify(note(1)), note(1));
  assertEquals(connection.isCongested, true);
  await connection.drained();
  assertEquals(connection.isCongested, false);
  await connection.close();
});

Deno.test("SessionConnection keeps nobody waiting for room when it is lost", async () => {
  await using server = new SessionServer(async (visit) => {
    await visit.open({ limits: { ...LIMITS, bufferMessages: 1 } });
    await visit.next();
  });
  const client = new Client();
  const connection = await client.open(server.url);
  connection.send(JSON.stringify(note(1)), note(1));
  connection.send(JSON.stringify(note(2)), note(2));
  await connection.drained();
  assertEquals([connection.isOpen, client.session.bufferedMessages], [false, 2]);
});

Deno.test("SessionConnection pings a silent server, as often as it or the server wants", async () => {
  await using server = new SessionServer(async (visit) => {
    await visit.open({ pingMs: 1_000 });
    for (;;) await visit.say("pong", await visit.control("ping"), 0);
  });
  const client = new Client();
  const connection = await client.open(server.url);
  client.watch(connection);
  client.clock.advance(999);
  assertEquals(client.pings, []);
  client.clock.advance(1);
  await until(() => client.pings.length === 2);
  assertEquals(client.pings, ["pinged", "ponged"]);
  connection.drop();
  client.clock.advance(60_000);
  assertEquals([client.pings.length, client.clock.timers], [2, 0]);
});

Deno.test("SessionConnection gives a server up that is silent", async () => {
  await using server = new SessionServer(async (visit) => {
    await visit.open({ pingMs: 1_000 });
    await visit.visit.silence();
  });
  const client = new Client();
  const connection = await client.open(server.url);
  client.watch(connection);
  for (const ms of [1_000, 100, 100]) client.clock.advance(ms);
  assertEquals((await connection.lost).cause, "heartbeat");
  assertEquals(client.pings, ["pinged", "missed", "pinged", "missed"]);
});

Deno.test("SessionConnection notices at once that it has slept, and accuses nobody", async () => {
  await using server = new SessionServer(async (visit) => {
    await visit.open({ pingMs: 1_000 });
    for (;;) await visit.say("pong", await visit.control("ping"), 0);
  });
  const client = new Client();
  const connection = await client.open(server.url);
  client.watch(connection);
  client.clock.stall(3_600_000);
  client.clock.advance(0);
  await until(() => client.pings.length === 2);
  assertEquals([client.pings, connection.isOpen], [["pinged", "ponged"], true]);
  connection.drop();
});

Deno.test("SessionConnection.prober() tells its answers from those to the heartbeat", async () => {
  const marks: Json[] = [];
  const go = Promise.withResolvers<void>();
  await using server = new SessionServer(async (visit) => {
    await visit.open({ pingMs: 1_000 });
    marks.push(await visit.control("ping"), await visit.control("ping"));
    // The answer to the probe first.
    await visit.say("pong", marks[1], 0);
    await go.promise;
    await visit.say("pong", marks[0], 0);
    await visit.end();
  });
  const client = new Client();
  const connection = await client.open(server.url);
  client.watch(connection);
  client.clock.advance(1_000);
  await connection.prober()({});
  assertEquals(client.pings, ["pinged"]);
  go.resolve();
  await until(() => client.pings.length === 2);
  assertEquals(client.pings, ["pinged", "ponged"]);
  await connection.close();
});

Deno.test("SessionConnection.prober() gives up in time, and with its signal", async () => {
  await using server = new SessionServer(async (visit) => {
    await visit.open();
    await visit.end();
  });
  const client = new Client();
  const connection = await client.open(server.url);
  const probe = connection.prober();
  const late = probe({ timeout: 10 });
  client.clock.advance(10);
  const error = await assertRejects(() => late, MCPTimeoutError);
  assertEquals(error.message, "Peer did not answer a ping within 10 ms");
  const controller = new AbortController();
  const aborted = probe({ signal: controller.signal });
  controller.abort(new Error("enough"));
  await assertRejects(() => aborted, Error, "enough");
  await assertRejects(() => probe({ signal: controller.signal }), Error, "enough");
  await connection.close();
  assertEquals(client.clock.timers, 0);
});

Deno.test("SessionConnection refuses a server that breaks the protocol, and says so", async () => {
  for (const frame of ["?", "[]", '["ack",9]', '["hello",{}]', "="]) {
    await using server = new SessionServer(async (visit) => {
      await visit.open();
      await visit.visit.sendText(frame);
      assertEquals(await visit.visit.closeCode(), 4400);
    });
    const client = new Client();
    const connection = await client.open(server.url);
    const loss = await connection.lost;
    assertEquals([loss.code, loss.pace, client.faults.length], [4400, "never", 1], frame);
  }
});

Deno.test("SessionConnection tells the server of what is no message, within the session", async () => {
  await using server = new SessionServer(async (visit) => {
    await visit.open();
    await visit.visit.sendText("{]");
    assertEquals((await visit.next()).error.code, -32700);
    await visit.end();
  });
  const client = new Client();
  const connection = await client.open(server.url);
  await until(() => server.visits[0]?.received === 1);
  assertEquals([client.faults.length, connection.isOpen, client.session.progress], [1, true, 1]);
  await connection.close();
});

Deno.test("SessionConnection has progressed when something got through on it", async () => {
  await using server = new SessionServer(async (visit) => {
    await visit.open({ received: 0 });
    await visit.next();
    if (visit.number > 1) await visit.ack();
    await visit.end();
  });
  const client = new Client();
  const first = await client.open(server.url);
  first.send(JSON.stringify(note(1)), note(1));
  await until(() => server.visits[0]?.received === 1);
  assertEquals(first.hasProgressed, false);
  const second = await client.open(server.url);
  await until(() => second.hasProgressed);
  await second.close();
});

Deno.test("SessionConnection.close() takes a second at most, twice as well", async () => {
  await using server = new SessionServer(async (visit) => {
    await visit.open();
    await visit.visit.silence();
  });
  const client = new Client();
  const connection = await client.open(server.url);
  const closing = Promise.all([connection.close(), connection.close()]);
  client.clock.advance(999);
  assertEquals(await isPending(closing), true);
  client.clock.advance(1);
  await closing;
  assertEquals([connection.isOpen, client.clock.timers], [false, 0]);
});

const NOBODY = {
  message() {},
  opened() {},
  pong() {},
  goaway() {},
  left() {},
  unknown() {},
  unspoken() {},
  ended() {},
  bye() {},
  violation() {},
};
