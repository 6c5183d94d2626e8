import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { MCPConnectionError } from "../../protocol/errors.ts";
import { ChaosLink } from "../support/chaos_link.ts";
import type { Json } from "../support/json_socket.ts";
import { playLegacy, ScriptedServer } from "../support/scripted_server.ts";
import { LIMITS, SessionServer, SessionVisit } from "../support/session_server.ts";
import { until } from "../support/until.ts";
import { collectSessions, echo, serve } from "../server/_serving.ts";
import { Watched } from "./_watched.ts";

// The first connection.

Deno.test("a transport says hello, and what is safe rides along", async () => {
  await using server = new SessionServer(async (visit) => {
    const hello = await visit.greet();
    assertEquals([hello.attempt, hello.resume, hello.received], [1, false, 0]);
    const initialize = await visit.next();
    assertEquals(initialize.method, "initialize");
    await visit.welcome();
    await visit.answer(initialize);
    await visit.play();
  });
  await using client = await Watched.open(server.url);
  await client.initialize();
  assertEquals(client.transport.session?.length, 26);
  assertEquals(client.events, []);
});

Deno.test("a transport holds back until the welcome what is not safe to repeat", async () => {
  const welcome = Promise.withResolvers<void>();
  await using server = new SessionServer(async (visit) => {
    await visit.greet();
    await welcome.promise;
    await visit.welcome();
    await visit.play();
  });
  await using client = await Watched.open(server.url);
  const list = client.ask("tools/list");
  const call = client.ask("tools/call", { name: "any" });
  const late = client.ask("tools/list");
  assertEquals(client.transport.queueSize, 2);
  welcome.resolve();
  for (const id of [list, call, late]) await client.answer(id);
  const sent = server.visits[0]?.frames.filter((frame) => frame.startsWith("{")).join("\n");
  assertEquals(sent?.split("\n").map((text) => JSON.parse(text).id), [list, call, late]);
});

Deno.test("a transport that is not welcomed in time dials again", async () => {
  await using server = new SessionServer(async (visit) => {
    const hello = await visit.greet();
    if (hello.attempt === 1) return await visit.visit.silence();
    assertEquals(hello.resume, false);
    await visit.welcome();
    await visit.play();
  });
  await using client = await Watched.open(server.url, { connectTimeout: 300 });
  const id = client.ask("tools/list");
  await client.answer(id);
  assertEquals(client.details.lost.loss.cause, "heartbeat");
  assertEquals(client.events, ["lost", "recovered"]);
});

Deno.test("a transport resumes when its first connection dies before the welcome", async () => {
  const hellos: Json[] = [];
  await using server = new SessionServer(async (visit) => {
    hellos.push(await visit.greet());
    if (visit.number === 1) return void await visit.next();
    await visit.welcome({ resumed: true, received: 1 });
    await visit.answer({ id: 1 }, { from: "before" });
    await visit.play();
  });
  await using client = await Watched.open(server.url);
  const safe = client.ask("tools/list");
  const unsafe = client.ask("tools/call", { name: "any" });
  assertEquals((await client.answer(safe)).result, { from: "before" });
  await client.answer(unsafe);
  assertEquals(hellos.map(({ attempt, resume }) => [attempt, resume]), [[1, false], [2, false]]);
  assertEquals(hellos[0]?.token, hellos[1]?.token);
  const repeated = server.visits[1]?.frames.filter((frame) => frame.includes("tools/list"));
  assertEquals(repeated, []);
});

/** What servers that do not know the protocol say to a hello. */
const UNSPOKEN: Record<string, (visit: SessionVisit) => Promise<void>> = {
  "answers with a message": (visit) =>
    visit.send({ id: null, error: { code: -32600, message: "Invalid request" } }),
  "answers with garbage": (visit) => visit.visit.sendText("hello?"),
  "answers with a binary frame": (visit) => visit.visit.sendFrame(2, "hello?"),
  "closes with 4400": (visit) => visit.close(4400, "What?"),
  "ends with 4400": (visit) => visit.say("end", { code: 4400, reason: "What?" }),
  "says something else first": (visit) => visit.say("ack", 0),
};

for (const [title, speak] of Object.entries(UNSPOKEN)) {
  Deno.test(`a transport goes on in plain mcp when a server chose sessions, but ${title}`, async () => {
    const offers: unknown[] = [];
    await using server = new ScriptedServer(async (visit) => {
      await visit.readRequest();
      offers.push(visit.header("sec-websocket-protocol"));
      if (visit.number > 1) return await playLegacy(visit);
      const session = new SessionVisit(visit);
      await session.greet();
      await speak(session);
      await visit.end();
    });
    await using client = await Watched.open(server.url);
    assertEquals((await client.request("tools/list")).result, {});
    assertEquals(offers, ["mcp, bowline.v1", "mcp"]);
    assertEquals(client.transport.session, undefined);
    assertEquals(client.events.includes("sessionlost"), false);
  });

  Deno.test(`a transport that requires sessions fails when a server ${title}`, async () => {
    await using server = new SessionServer(async (visit) => {
      await visit.greet();
      await speak(visit);
      await visit.visit.end();
    });
    await using client = await Watched.open(server.url, { require: "bowline.v1" });
    await client.stands("failed");
    assertEquals([server.visits.length, client.closes], [1, 1]);
  });
}

Deno.test("a transport stays with plain mcp after that, also when it is lost", async () => {
  const offers: unknown[] = [];
  await using server = new ScriptedServer(async (visit) => {
    await visit.readRequest();
    offers.push(visit.header("sec-websocket-protocol"));
    if (visit.number > 2) return await playLegacy(visit);
    if (visit.number === 2) return await visit.accept();
    const session = new SessionVisit(visit);
    await session.greet();
    await session.visit.sendText("hello?");
    await visit.end();
  });
  await using client = await Watched.open(server.url);
  await client.request("tools/list");
  await client.transport.close();
  assertEquals(offers.slice(0, 3), ["mcp, bowline.v1", "mcp", "mcp"]);
  // Who starts again asks again.
  await client.transport.start();
  assertEquals(offers.at(-1), "mcp, bowline.v1");
});

Deno.test("a transport that requires sessions does not connect to a plain server", async () => {
  await using server = new ScriptedServer((visit) => playLegacy(visit));
  const client = new Watched(server.url, { require: "bowline.v1" });
  const error = await assertRejects(() => client.transport.start(), MCPConnectionError);
  assertEquals([error.kind, error.retryable], ["protocol", false]);
  assertEquals(client.closes, 1);
});

// Losses.

Deno.test("a session outlives its connection unnoticed, in both directions", async () => {
  const { sessions, onSession } = collectSessions();
  await using server = serve(onSession);
  await using link = ChaosLink.open(server.port);
  await using client = await Watched.open(link.url());
  await client.request("x/echo");
  const session = client.transport.session;
  for (let round = 1; round <= 3; round++) {
    link.refuse();
    link.cut();
    await until(() => client.transport.state.status !== "connected");
    const id = client.ask("x/echo", { round });
    await sessions[0]?.send({ jsonrpc: "2.0", method: "x/note", params: { round } });
    link.admit();
    assertEquals((await client.answer(id)).result, { round });
    await client.told("recovered", round);
  }
  const notes = client.messages.filter(({ method }) => method === "x/note");
  assertEquals(notes.map(({ params }) => params.round), [1, 2, 3]);
  assertEquals([sessions.length, client.transport.session], [1, session]);
  assertEquals(client.details.resumed.session, session);
  assertEquals([client.closes, client.events.includes("sessionlost")], [0, false]);
  const { resumes, sessionsLost, losses } = client.transport.getStats();
  assertEquals([resumes, sessionsLost, losses], [3, 0, 3]);
});

Deno.test("a session sends again what its server does not have, and counts it", async () => {
  await using server = new SessionServer(async (visit) => {
    await visit.open({ received: visit.number - 1 });
    if (visit.number === 2) return await visit.play();
    for (let count = 0; count < 3; count++) await visit.next();
  });
  await using client = await Watched.open(server.url);
  await until(() => client.transport.state.status === "connected");
  const ids = [client.ask("a"), client.ask("b"), client.ask("c")];
  await client.answer(ids[1] ?? 0);
  await client.answer(ids[2] ?? 0);
  assertEquals(client.details.resumed.replayed, 2);
  assertEquals(client.transport.getStats().replayedMessages, 2);
});

/** Closes that mean nothing but that the connection is gone, as proxies say them. */
for (const code of [1000, 1001, 1002, 1003, 1008, 1009, 1011, 1012, 1013, 4408, 4429, 4503]) {
  Deno.test(`a session goes on after a bare close with ${code}`, async () => {
    await using server = new SessionServer(async (visit) => {
      await visit.open();
      if (visit.number > 1) return await visit.play();
      await visit.close(code, "Bye");
    });
    // What asks for patience waits five seconds.
    const isSlow = code === 4429 || code === 4503;
    await using client = await Watched.open(server.url);
    await client.told("lost");
    assertEquals([client.details.lost.willRetry, client.closes], [true, 0]);
    if (isSlow) client.transport.reconnect();
    await client.told("resumed");
    assertEquals(client.events, ["lost", "resumed", "recovered"]);
  });
}

for (
  const [code, cause] of [[4403, "forbidden"], [4409, "replaced"], [4400, "protocol"]] as const
) {
  Deno.test(`a session ends for good after a close with ${code}`, async () => {
    await using server = new SessionServer(async (visit) => {
      await visit.open();
      await visit.next();
      await visit.close(code, "Bye");
    });
    await using client = await Watched.open(server.url);
    const answer = await client.request("tools/call", { name: "any" });
    assertEquals(answer.error.data, { outcome: "unknown" });
    await client.stands("failed");
    assertEquals([client.details.lost.loss.cause, client.closes], [cause, 1]);
    assertEquals(server.visits.length, 1);
  });
}

for (
  const [code, cause, comesBack] of [
    [1000, "done", false],
    [1001, "gone", true],
    [1008, "forbidden", false],
    [1011, "internal", true],
    [1012, "restarting", true],
    [4401, "unauthenticated", true],
    [4403, "forbidden", false],
    [4408, "heartbeat", true],
    [4409, "replaced", false],
  ] as const
) {
  Deno.test(`a session ${comesBack ? "goes on" : "ends for good"} after "end" with ${code}`, async () => {
    await using server = new SessionServer(async (visit) => {
      await visit.open();
      if (visit.number > 1) return await visit.play();
      await visit.say("end", { code, reason: "Bye" });
      await visit.visit.end();
    });
    await using client = await Watched.open(server.url);
    await client.told("lost");
    const { loss, willRetry } = client.details.lost;
    assertEquals([loss.code, loss.cause, willRetry], [code, cause, comesBack]);
    if (comesBack) await client.told("resumed");
    else await client.stands("failed");
    assertEquals(client.closes, comesBack ? 0 : 1);
  });
}

Deno.test("a session waits as long as the end of its connection asks", async () => {
  await using server = new SessionServer(async (visit) => {
    await visit.open();
    if (visit.number > 1) return await visit.play();
    await visit.say("end", { code: 1011, reason: "Bye", retryAfterMs: 120 });
    await visit.visit.end();
  });
  await using client = await Watched.open(server.url);
  await client.told("lost");
  const start = performance.now();
  await client.told("resumed");
  assert(performance.now() - start > 100);
});

Deno.test("a session that is said goodbye to is done", async () => {
  await using server = new SessionServer(async (visit) => {
    await visit.open();
    await visit.say("bye", 0);
    await visit.visit.end();
  });
  await using client = await Watched.open(server.url);
  await client.stands("failed");
  assertEquals([client.details.lost.loss.cause, client.closes], ["done", 1]);
});

Deno.test('"end" instead of the welcome: at capacity, then not', async () => {
  await using server = new SessionServer(async (visit) => {
    const hello = await visit.greet();
    if (hello.attempt === 1) {
      await visit.say("end", { code: 4503, reason: "Full", retryAfterMs: 0 });
      return await visit.visit.end();
    }
    await visit.welcome();
    await visit.play();
  });
  await using client = await Watched.open(server.url);
  const id = client.ask("tools/list");
  await client.told("lost");
  assertEquals(client.details.lost.loss.cause, "capacity");
  client.transport.reconnect();
  await client.answer(id);
});

Deno.test('"end" with 4401 gets one fresh credential, then is final', async () => {
  let tokens = 0;
  await using server = new SessionServer(async (visit) => {
    await visit.greet();
    await visit.say("end", { code: 4401, reason: "Who?" });
    await visit.visit.end();
  });
  await using client = await Watched.open(server.url, { token: () => `t${++tokens}` });
  await client.stands("failed");
  assertEquals([tokens, server.visits.length, client.closes], [2, 2, 1]);
});

// Sessions that are lost.

/** A server that knows no session but new ones; the first connection is cut at `x/cut`. */
function forgetful(heard: (message: Json, visit: SessionVisit) => unknown = () => {}) {
  return new SessionServer(async (visit) => {
    const hello = await visit.greet();
    if (hello.attempt > 1) {
      await visit.welcome({ resumed: false, reason: "Unknown session" });
      const again = await visit.control("hello");
      assertEquals([again.attempt, again.resume], [1, false]);
      assert(again.token !== hello.token && again.session !== hello.session);
    }
    await visit.welcome();
    await visit.play((message) => {
      if (message.method === "x/cut") visit.visit.cut();
      return heard(message, visit);
    });
  });
}

Deno.test("a session that its server does not know is opened anew, as the recipe says", async () => {
  const heard: string[] = [];
  await using server = forgetful((message, visit) => {
    heard.push(`${visit.number} ${message.method ?? "answer"}`);
    return message.method === "tools/call" ||
      (message.method === "resources/read" && visit.number === 1);
  });
  await using client = await Watched.open(server.url);
  await client.initialize();
  await client.request("logging/setLevel", { level: "info" });
  await client.request("resources/subscribe", { uri: "x:y" });
  const unsafe = client.ask("tools/call", { name: "any" });
  const safe = client.ask("resources/read", { uri: "x:y" });
  await until(() => heard.length === 6);
  const old = client.transport.session;
  await client.notify("x/cut");
  assertEquals((await client.answer(safe)).result, {});
  const refused = await client.answer(unsafe);
  assertEquals(refused.error.data, { outcome: "unknown" });
  assertInstanceOf(refused.lost, MCPConnectionError);
  assertEquals(heard.filter((entry) => entry.startsWith("2")), [
    "2 initialize",
    "2 notifications/initialized",
    "2 logging/setLevel",
    "2 resources/subscribe",
    "2 resources/read",
  ]);
  assertEquals(client.events, ["lost", "sessionlost", "recovered"]);
  assertEquals(client.details.sessionlost, { reason: "Unknown session" });
  assertEquals(client.details.recovered.repeated, 1);
  assertEquals(client.transport.getStats().sessionsLost, 1);
  assert(client.transport.session !== old);
});

Deno.test("a session is opened anew until it is, and told all from the start each time", async () => {
  const heard: string[] = [];
  await using server = forgetful((message, visit) => {
    heard.push(`${visit.number} ${message.method ?? "answer"}`);
    // The second and the third server die while they are told.
    if (visit.number === 2 && message.method === "initialize") visit.visit.cut();
    if (visit.number === 3 && message.method === "resources/subscribe") visit.visit.cut();
    return visit.number === 1 && message.method === "resources/read";
  });
  await using client = await Watched.open(server.url);
  await client.initialize();
  await client.request("resources/subscribe", { uri: "x:y" });
  const safe = client.ask("resources/read", { uri: "x:y" });
  await until(() => heard.length === 4);
  await client.notify("x/cut");
  await client.answer(safe);
  assertEquals(heard.filter((entry) => entry.startsWith("4")), [
    "4 initialize",
    "4 notifications/initialized",
    "4 resources/subscribe",
    "4 resources/read",
  ]);
  assertEquals(client.events, ["lost", "sessionlost", "recovered"]);
});

Deno.test("a session that is followed by plain mcp says so, and is told all again", async () => {
  const heard: string[] = [];
  await using server = new ScriptedServer(async (visit) => {
    if (visit.number > 1) return await playLegacy(visit, ({ method }) => void heard.push(method));
    const session = new SessionVisit(visit);
    await session.open();
    await session.play((message) => {
      if (message.method === "x/cut") visit.cut();
    });
  });
  await using client = await Watched.open(server.url, { heartbeat: false });
  await client.initialize();
  const unsafe = client.ask("x/cut");
  assertEquals((await client.answer(unsafe)).error.data, { outcome: "unknown" });
  assertEquals((await client.request("tools/list")).result, {});
  assertEquals(heard, ["initialize", "notifications/initialized", "tools/list"]);
  assertEquals(client.events, ["lost", "sessionlost", "recovered"]);
  assertEquals(client.details.sessionlost, { reason: "The server speaks plain MCP" });
  assertEquals(client.transport.session, undefined);
});

Deno.test("plain mcp that is followed by sessions is told all again, in a session", async () => {
  const heard: string[] = [];
  await using server = new ScriptedServer(async (visit) => {
    if (visit.number === 1) {
      return await playLegacy(visit, ({ method }) => {
        if (method === "x/cut") visit.cut();
      });
    }
    const session = new SessionVisit(visit);
    await session.open();
    await session.play(({ method }) => void heard.push(method));
  });
  await using client = await Watched.open(server.url);
  await client.initialize();
  await client.notify("x/cut");
  await client.told("recovered");
  await client.request("tools/list");
  assertEquals(heard, ["initialize", "notifications/initialized", "tools/list"]);
  assertEquals(client.events, ["lost", "recovered"]);
});

Deno.test("what the server asked in a lost session is aborted, and its answer goes nowhere", async () => {
  const answers: Json[] = [];
  await using server = forgetful(async (message, visit) => {
    if (message.method === "notifications/initialized") {
      await visit.send({ id: 7, method: "roots/list" });
    }
    if (message.method === undefined) answers.push([visit.number, message]);
  });
  await using client = await Watched.open(server.url);
  await client.initialize();
  await until(() => client.messages.some(({ method }) => method === "roots/list"));
  await client.notify("x/cut");
  const asked = () => client.messages.filter(({ method }) => method === "roots/list");
  await until(() => asked().length === 2);
  const cancelled = client.messages.find(({ method }) => method === "notifications/cancelled");
  assertEquals(cancelled?.params.requestId, 7);
  for (const { id } of asked()) {
    await client.transport.send({ jsonrpc: "2.0", id, result: { of: id } });
  }
  await until(() => answers.length > 0);
  assertEquals(answers.map(([visit, { id, result }]) => [visit, id, result.of === 7]), [
    [2, 7, false],
  ]);
});

Deno.test("a session whose server is another one than before fails, and says why", async () => {
  await using server = forgetful(async (message, visit) => {
    if (message.method !== "initialize" || visit.number === 1) return;
    await visit.answer(message, { protocolVersion: "2024-11-05", capabilities: {} });
    return true;
  });
  await using client = await Watched.open(server.url);
  await client.initialize();
  await client.notify("x/cut");
  await client.stands("failed");
  const { state } = client.transport;
  assert(state.status === "failed" && state.error.message.includes("2024-11-05"));
  assertEquals(client.closes, 1);
  // The new session is not left to the server.
  assert(server.visits.at(-1)?.frames.some((frame) => frame.startsWith('["bye"')));
});

Deno.test("a session is tried for as long as its server keeps it, however many dials fail", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  const first = new SessionServer(async (visit) => {
    await visit.open();
    await visit.next();
  }, listener);
  const options = { reconnect: { attempts: 2, minDelay: 1, maxDelay: 1, immediate: [] } };
  await using client = await Watched.open(first.url, options);
  await client.notify("x/cut");
  await client.told("lost");
  await first[Symbol.asyncDispose]();
  await until(() => client.transport.getStats().failures > 6);
  const successor = Deno.listen({ hostname: "127.0.0.1", port });
  await using _second = new SessionServer(async (visit) => {
    await visit.open({ received: 1 });
    await visit.play();
  }, successor);
  await client.told("resumed");
  assertEquals(client.closes, 0);
});

Deno.test("a session is given up when its server no longer keeps it", async () => {
  const server = new SessionServer(async (visit) => {
    await visit.open({ windowMs: 1 });
    await visit.next();
  });
  const options = { reconnect: { attempts: 2, minDelay: 1, maxDelay: 1, immediate: [] } };
  await using client = await Watched.open(server.url, options);
  await server[Symbol.asyncDispose]();
  await client.stands("failed");
  assertEquals(client.closes, 1);
});

// What waits, and what is too large.

Deno.test("a request that is cancelled while a session is away is cancelled after it is back", async () => {
  const heard: Json[] = [];
  const cancelled = Promise.withResolvers<void>();
  await using server = new SessionServer(async (visit) => {
    await visit.open({ received: visit.number - 1 });
    if (visit.number === 1) return void heard.push(await visit.next());
    heard.push(await visit.next());
    cancelled.resolve();
    await visit.end();
  });
  await using client = await Watched.open(server.url);
  const id = client.ask("tools/call", { name: "any" });
  await client.told("lost");
  await client.notify("notifications/cancelled", { requestId: id });
  await cancelled.promise;
  assertEquals(heard.map(({ method }) => method), ["tools/call", "notifications/cancelled"]);
  assertEquals(client.transport.getStats().pendingRequests, 0);
});

Deno.test("a request that is cancelled before it left is never sent", async () => {
  await using server = serve(echo);
  await using link = ChaosLink.open(server.port);
  await using client = await Watched.open(link.url());
  await client.request("x/echo");
  link.refuse();
  link.cut();
  await client.told("lost");
  const id = client.ask("x/echo");
  await client.notify("notifications/cancelled", { requestId: id });
  assertEquals(client.transport.queueSize, 0);
  link.admit();
  await client.request("x/echo");
  assertEquals(client.messages.some((message) => message.id === id), false);
});

Deno.test("a message that is larger than the server takes is refused, and leaves nothing behind", async () => {
  await using server = new SessionServer(async (visit) => {
    await visit.open({ limits: { ...LIMITS, messageBytes: 2_000 } });
    await visit.play();
  });
  await using client = await Watched.open(server.url);
  await client.request("tools/list");
  const text = "é".repeat(1_000);
  const error = await assertRejects(
    () => client.transport.send({ jsonrpc: "2.0", id: 99, method: "x", params: { text } }),
    RangeError,
  );
  assertEquals(
    error.message,
    "Cannot send message as the server takes 2000 bytes: current size is 2059",
  );
  assertEquals(client.transport.getStats().pendingRequests, 0);
  assertEquals(client.transport.getStats().bufferedMessages, 0);
  assertEquals((await client.request("tools/list")).result, {});
});

Deno.test("a session that is ended as something was too large is not resumed with that", async () => {
  await using server = new SessionServer(async (visit) => {
    await visit.open();
    await visit.play(async ({ method }) => {
      if (method !== "x/huge") return;
      await visit.say("end", { code: 4413, reason: "Too much" });
      await visit.visit.end();
    });
  });
  await using client = await Watched.open(server.url);
  const answer = await client.request("x/huge");
  assertEquals(answer.error.data, { outcome: "unknown" });
  assertEquals((await client.request("tools/list")).result, {});
  assertEquals(client.events, ["sessionlost", "lost", "recovered"]);
  assertEquals(server.visits.length, 2);
});

Deno.test("what never gets through is given up, and the request says unknown, once", async () => {
  let received = 0;
  await using server = new SessionServer(async (visit) => {
    await visit.open({ received });
    for (;;) {
      const message = await visit.next();
      if (message.method === "x/poison") return;
      received++;
      await visit.ack();
      if (message.id !== undefined) await visit.answer(message);
    }
  });
  await using client = await Watched.open(server.url);
  const poison = client.ask("x/poison");
  assertEquals((await client.answer(poison)).error.data, { outcome: "unknown" });
  assertEquals((await client.request("x/other")).result, {});
  assertEquals([client.closes, client.transport.getStats().sessionsLost], [0, 0]);
  const delivery = client.notify("x/poison", {}, { delivered: true });
  await assertRejects(() => delivery, MCPConnectionError, "never got through");
});

// Numbers.

Deno.test("a session counts messages, not frames", async () => {
  const records: Json[] = [];
  await using server = new SessionServer(async (visit) => {
    await visit.open();
    await visit.visit.sendText('{"jsonrpc":"2.0","method":"a"}\n{"jsonrpc":"2.0","method":"b"}');
    await visit.visit.sendText('+{"jsonrpc":"2.0",');
    await visit.visit.sendText('="method":"c"}');
    await visit.say("ping", 1, 0);
    await visit.end();
  });
  const hooks = { onMessage: (record: Json) => records.push(record) };
  await using client = await Watched.open(server.url, { hooks });
  await until(() => client.messages.length === 3);
  assertEquals(records.map(({ direction, length }) => [direction, length]), [
    ["in", 30],
    ["in", 30],
    ["in", 30],
  ]);
  assertEquals(client.transport.getStats().messagesReceived, 3);
});

Deno.test("a session tells what its server has not acknowledged yet", async () => {
  const acks = Promise.withResolvers<void>();
  await using server = new SessionServer(async (visit) => {
    await visit.open();
    await visit.next();
    await visit.next();
    await acks.promise;
    await visit.ack();
    await visit.end();
  });
  await using client = await Watched.open(server.url);
  await client.notify("a");
  await client.notify("b");
  const { bufferedMessages, bufferedBytes } = client.transport.getStats();
  assertEquals([bufferedMessages, bufferedBytes > 0], [2, true]);
  acks.resolve();
  await until(() => client.transport.getStats().bufferedMessages === 0);
});

Deno.test("healthCheck() pings in a session, also before the welcome", async () => {
  const welcome = Promise.withResolvers<void>();
  await using server = new SessionServer(async (visit) => {
    await visit.greet();
    await welcome.promise;
    assertEquals(visit.frames.length, 1);
    await visit.welcome();
    await visit.play();
  });
  await using client = await Watched.open(server.url);
  const check = client.transport.healthCheck();
  welcome.resolve();
  const { status, probe } = await check;
  assertEquals([status, probe !== undefined], ["healthy", true]);
  assertEquals((await client.transport.healthCheck()).status, "healthy");
});

Deno.test("healthCheck() tells that a session is silent, that it is lost, or that it was aborted", async () => {
  await using server = new SessionServer(async (visit) => {
    await visit.open();
    await visit.control("ping");
    await visit.control("ping");
    await visit.control("ping");
  });
  await using client = await Watched.open(server.url, { reconnect: false });
  const late = await client.transport.healthCheck({ timeout: 10 });
  assertEquals(late.reasons, ["probe-timeout", "low-quality"]);
  const controller = new AbortController();
  const aborted = client.transport.healthCheck({ signal: controller.signal });
  controller.abort(new Error("enough"));
  await assertRejects(() => aborted, Error, "enough");
  const lost = await client.transport.healthCheck();
  assertEquals(lost.reasons.slice(0, 2), ["not-connected", "connection-lost"]);
});

// The end.

/** Moments at which a transport may be closed. */
const MOMENTS: Record<string, (visit: SessionVisit) => Promise<void>> = {
  "before the upgrade": (visit) => visit.visit.silence(),
  "before the welcome": async (visit) => {
    await visit.greet();
    await visit.end();
  },
  "right after the welcome": async (visit) => {
    await visit.open();
    await visit.end();
  },
  "while it resumes": async (visit) => {
    await visit.greet();
    if (visit.number > 1) return await visit.visit.silence();
    await visit.welcome();
  },
};

for (const [moment, script] of Object.entries(MOMENTS)) {
  Deno.test(`close() ${moment} closes once, settles everything, and start() begins anew`, async () => {
    let isReady = false;
    await using server = new SessionServer(async (visit) => {
      if (!isReady) return await script(visit);
      await visit.open();
      await visit.play();
    });
    await using client = new Watched(server.url);
    const starting = client.transport.start();
    starting.catch(() => {});
    const isDialling = moment === "before the upgrade";
    if (!isDialling) await starting;
    if (moment === "right after the welcome") await client.transport.healthCheck({ timeout: 20 });
    if (moment === "while it resumes") await until(() => server.visits.length === 2);
    const sent = client.transport.send({ jsonrpc: "2.0", method: "x" }, { delivered: true });
    const delivery = sent.catch((error) => assertInstanceOf(error, MCPConnectionError));
    const start = performance.now();
    await Promise.all([client.transport.close(), client.transport.close()]);
    assert(performance.now() - start < 1_500);
    await delivery;
    if (isDialling) await assertRejects(() => starting, MCPConnectionError);
    assertEquals([client.closes, client.transport.state.status], [1, "disconnected"]);
    assertEquals(client.transport.session, undefined);

    isReady = true;
    await client.transport.start();
    assertEquals((await client.request("tools/list")).result, {});
    await client.transport.close();
    assertEquals(client.closes, 2);
  });
}

Deno.test("close() says goodbye, and hears no message after that", async () => {
  const bye = Promise.withResolvers<Json>();
  await using server = new SessionServer(async (visit) => {
    await visit.open();
    bye.resolve(await visit.control("bye"));
    await visit.send({ method: "x/late" });
    await visit.say("bye", visit.received);
    await visit.visit.end();
  });
  await using client = await Watched.open(server.url);
  await client.notify("a");
  await until(() => client.transport.getStats().bufferedMessages > 0);
  await client.transport.close();
  assertEquals(await bye.promise, 1);
  assertEquals(client.messages, []);
});

Deno.test("close() waits a second for a server that does not answer the goodbye", async () => {
  await using server = new SessionServer(async (visit) => {
    await visit.open();
    await visit.visit.silence();
  });
  await using client = await Watched.open(server.url);
  await client.transport.healthCheck({ timeout: 10 });
  const start = performance.now();
  await client.transport.close();
  const time = performance.now() - start;
  assert(time > 900 && time < 1_500, `${time}`);
});

Deno.test("a signal gives a session up at any moment of its start", async () => {
  await using server = new SessionServer((visit) => visit.visit.silence());
  const controller = new AbortController();
  const client = new Watched(server.url);
  const start = client.transport.start({ signal: controller.signal });
  await until(() => server.visits.length === 1);
  controller.abort(new Error("enough"));
  await assertRejects(() => start, Error, "enough");
  assertEquals(client.closes, 1);
});
