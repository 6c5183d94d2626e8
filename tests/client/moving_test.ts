import { assert, assertEquals, assertRejects } from "@std/assert";
import { WebSocketClientTransport } from "../../client/mod.ts";
import type { Json } from "../support/json_socket.ts";
import { SessionServer, type SessionVisit } from "../support/session_server.ts";
import { isPending, until } from "../support/until.ts";
import { Watched } from "./_watched.ts";

/** Soon enough for a test, and late enough for a few tries. */
const AFTER_MS = 2_000;

async function askToMove(visit: SessionVisit, changes: Json = {}): Promise<void> {
  await visit.say("goaway", { afterMs: 100, reason: "Restarting", ...changes });
}

// Sessions that are kept.

Deno.test("goaway with sessions kept: the session moves, and nothing is lost", async () => {
  await using server = new SessionServer(async (visit) => {
    await visit.open({ received: visit.number === 1 ? 0 : 1 });
    if (visit.number > 1) {
      await visit.answer({ id: 1 }, { from: "new" });
      return await visit.play();
    }
    await visit.next();
    await askToMove(visit, { sessions: "kept" });
    await visit.end();
  });
  await using client = await Watched.open(server.url);
  const session = client.transport.session;
  const answer = await client.answer(client.ask("tools/call", { name: "any" }));
  assertEquals(answer.result, { from: "new" });
  await client.told("moved");
  assertEquals(client.details.moved, { reason: "Restarting" });
  assertEquals(client.events, ["resumed", "moved"]);
  assertEquals(client.statuses, ["connecting", "connected"]);
  assertEquals([client.transport.session, client.errors], [session, []]);
  assertEquals((await client.request("tools/list")).result, {});
});

Deno.test("goaway with sessions kept: the old connection may be closed with 4409 at once", async () => {
  let old: SessionVisit | undefined;
  await using server = new SessionServer(async (visit) => {
    if (old === undefined) {
      old = visit;
      await visit.open();
      await askToMove(visit, { sessions: "kept" });
      return await visit.visit.silence();
    }
    await visit.greet();
    // Before the new one is welcomed.
    await old.say("ack", 0);
    await old.visit.sendFrame(8, new Uint8Array([4409 >> 8, 4409 & 255])).catch(() => {});
    await new Promise((resolve) => setTimeout(resolve, 20));
    await visit.welcome({ resumed: true });
    await visit.play();
  });
  await using client = await Watched.open(server.url);
  await client.told("moved");
  assertEquals((await client.request("tools/list")).result, {});
  assertEquals(client.events, ["resumed", "moved"]);
  assertEquals(client.closes, 0);
});

Deno.test("goaway with sessions kept: what is sent while it moves arrives in order", async () => {
  const heard: number[] = [];
  await using server = new SessionServer(async (visit) => {
    // The old one has acknowledged everything it got.
    await visit.open({ received: visit.number === 1 ? 0 : heard.length });
    if (visit.number === 1) await askToMove(visit, { sessions: "kept" });
    for (;;) {
      const message = await visit.next();
      // The session is where its last hello was said.
      if (server.visits.at(-1) === visit) heard.push(message.params.n);
    }
  });
  await using client = await Watched.open(server.url);
  for (let n = 0; !client.events.includes("moved"); n++) {
    await client.notify("x/note", { n });
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  await client.notify("x/note", { n: -1 });
  await until(() => heard.includes(-1));
  assertEquals(heard.slice(0, -1), heard.slice(0, -1).map((_, n) => n));
});

Deno.test("goaway with sessions kept: a move that fails half-way is repaired like a loss", async () => {
  await using server = new SessionServer(async (visit) => {
    await visit.greet();
    if (visit.number === 2) return;
    await visit.welcome({ resumed: visit.number > 1 });
    if (visit.number > 1) return await visit.play();
    await askToMove(visit, { sessions: "kept" });
    await visit.visit.silence();
  });
  await using client = await Watched.open(server.url);
  await client.told("recovered");
  assertEquals(client.events, ["lost", "resumed", "recovered"]);
  assertEquals((await client.request("tools/list")).result, {});
  assertEquals(client.closes, 0);
});

Deno.test("goaway with sessions kept: a new place that does not know the session opens another", async () => {
  const heard: string[] = [];
  await using server = new SessionServer(async (visit) => {
    if (visit.number > 1) {
      await visit.greet();
      await visit.welcome({ resumed: false, reason: "Unknown" });
      await visit.control("hello");
      await visit.welcome();
      return await visit.play(({ method }) => void heard.push(method));
    }
    await visit.open();
    await visit.play(async ({ method }) => {
      if (method === "notifications/initialized") await askToMove(visit, { sessions: "kept" });
    });
  });
  await using client = await Watched.open(server.url);
  await client.initialize();
  await client.told("moved");
  await until(() => heard.length === 2);
  assertEquals(heard, ["initialize", "notifications/initialized"]);
  assertEquals(client.events, ["sessionlost", "moved"]);
  assertEquals((await client.request("tools/list")).result, {});
});

Deno.test("goaway with sessions kept: a dial that is refused is tried again", async () => {
  await using server = new SessionServer(async (visit) => {
    if (visit.number === 2) return await visit.visit.refuse(503);
    await visit.open();
    if (visit.number > 1) return await visit.play();
    await askToMove(visit, { sessions: "kept", afterMs: AFTER_MS });
    await visit.visit.end();
  });
  await using client = await Watched.open(server.url);
  await client.told("moved");
  assertEquals(server.visits.length, 3);
  assertEquals([client.events, client.errors], [["resumed", "moved"], []]);
});

Deno.test('goaway with sessions kept: "end" with 4503 loses the session nothing', async () => {
  await using server = new SessionServer(async (visit) => {
    await visit.greet();
    if (visit.number === 2) {
      await visit.say("end", { code: 4503, reason: "Full" });
      return await visit.visit.end();
    }
    await visit.welcome({ resumed: visit.number > 1 });
    if (visit.number > 1) return await visit.play();
    await askToMove(visit, { sessions: "kept" });
    await visit.visit.silence();
  });
  await using client = await Watched.open(server.url);
  await client.told("lost");
  assertEquals(client.details.lost.loss.cause, "capacity");
  client.transport.reconnect();
  await client.told("recovered");
  assertEquals(client.events, ["lost", "resumed", "recovered"]);
});

// Sessions that are lost.

Deno.test("goaway with sessions lost: what is in flight stays, what is new goes elsewhere", async () => {
  const moved = Promise.withResolvers<void>();
  const heard: Json[] = [];
  await using server = new SessionServer(async (visit) => {
    await visit.open();
    await visit.play(async (message) => {
      heard.push([visit.number, message.method ?? message.id]);
      if (message.method === "x/slow") {
        await visit.send({
          method: "notifications/progress",
          params: { progressToken: 1, progress: 1 },
        });
        await askToMove(visit, { sessions: "lost" });
        await moved.promise;
        await visit.send({
          method: "notifications/progress",
          params: { progressToken: 1, progress: 2 },
        });
        await visit.answer(message, { from: visit.number });
        return true;
      }
      if (message.method !== "x/who") return;
      await visit.answer(message, { from: visit.number });
      return true;
    });
  });
  await using client = await Watched.open(server.url);
  await client.initialize();
  const first = client.transport.session;
  const slow = client.ask("x/slow");
  await client.told("moved");
  assert(client.transport.session !== first);
  const fresh = await client.request("x/who");
  assertEquals(fresh.result, { from: 2 });
  moved.resolve();
  assertEquals((await client.answer(slow)).result, { from: 1 });
  const progress = client.messages.filter(({ method }) => method === "notifications/progress");
  assertEquals(progress.map(({ params }) => params.progress), [1, 2]);
  assertEquals(client.events, ["moved"]);
  assertEquals(client.statuses, ["connecting", "connected"]);
  await until(() => server.visits[0]?.frames.at(-1)?.startsWith('["bye"') === true);
  assertEquals(heard.filter(([visit]) => visit === 2).map(([, method]) => method), [
    "initialize",
    "notifications/initialized",
    "x/who",
  ]);
});

Deno.test("goaway with sessions lost: with nothing in flight the old connection is left at once", async () => {
  await using server = new SessionServer(async (visit) => {
    await visit.open();
    if (visit.number === 1) await askToMove(visit, { sessions: "lost" });
    await visit.play();
  });
  await using client = await Watched.open(server.url);
  await client.told("moved");
  await until(() => server.visits[0]?.frames.at(-1) === '["bye",0]');
  assertEquals((await client.request("tools/list")).result, {});
  assertEquals(client.transport.getStats().sessionsLost, 0);
});

Deno.test("goaway with sessions lost: answers and cancels go where they belong, whatever the ids", async () => {
  const heard: Json[] = [];
  const go = Promise.withResolvers<void>();
  await using server = new SessionServer(async (visit) => {
    await visit.open();
    await visit.play(async (message) => {
      const { method, id, result, params } = message;
      heard.push([visit.number, method ?? id, result?.of ?? params?.requestId]);
      // Both ask under the same id.
      if (method === "notifications/initialized") await visit.send({ id: 7, method: "roots/list" });
      if (method === "x/slow" && visit.number === 1) {
        await askToMove(visit, { sessions: "lost" });
        await go.promise;
      }
      return method === "x/slow";
    });
  });
  await using client = await Watched.open(server.url);
  await client.initialize();
  const slow = client.ask("x/slow");
  await client.told("moved");
  const asked = () => client.messages.filter(({ method }) => method === "roots/list");
  await until(() => asked().length === 2);
  const [old, fresh] = asked();
  assertEquals([old.id, old.id === fresh.id], [7, false]);
  go.resolve();
  // In the order that makes it hardest.
  await client.transport.send({ jsonrpc: "2.0", id: fresh.id, result: { of: "fresh" } });
  await client.transport.send({ jsonrpc: "2.0", id: old.id, result: { of: "old" } });
  await client.notify("notifications/cancelled", { requestId: slow });
  await until(() => server.visits[0]?.frames.at(-1)?.startsWith('["bye"') === true);
  const answers = heard.filter(([, method]) => method === 7);
  assertEquals(answers.toSorted(), [[1, 7, "old"], [2, 7, "fresh"]]);
  const cancels = heard.filter(([, method]) => method === "notifications/cancelled");
  assertEquals(cancels, [[1, "notifications/cancelled", slow]]);
  assertEquals(client.transport.getStats().pendingRequests, 0);
});

Deno.test("goaway with sessions lost: subscriptions move, and their old answer is nobody's", async () => {
  const heard: Json[] = [];
  await using server = new SessionServer(async (visit) => {
    await visit.open();
    await visit.play(async (message) => {
      heard.push([visit.number, message.method]);
      if (message.method === "x/go") await askToMove(visit, { sessions: "lost" });
      // The server answers what was cancelled, as it may.
      if (message.method === "notifications/cancelled") await visit.answer({ id: 1 }, {});
      return message.method === "subscriptions/listen";
    });
  });
  await using client = await Watched.open(server.url);
  const listen = client.ask("subscriptions/listen", { notifications: {} });
  const go = client.ask("x/go");
  await client.answer(go);
  await client.told("moved");
  await until(() => server.visits[0]?.frames.at(-1)?.startsWith('["bye"') === true);
  await until(() => heard.length === 4);
  assertEquals(heard.toSorted(), [
    [1, "notifications/cancelled"],
    [1, "subscriptions/listen"],
    [1, "x/go"],
    [2, "subscriptions/listen"],
  ]);
  assertEquals(client.messages.some(({ id }) => id === listen), false);
  assertEquals(client.transport.getStats().pendingRequests, 1);
});

Deno.test("goaway with sessions lost: the old connection is lost in between", async () => {
  const cut = Promise.withResolvers<void>();
  await using server = new SessionServer(async (visit) => {
    await visit.open();
    await visit.play(async (message) => {
      if (visit.number > 1) return;
      if (message.method === "x/go") {
        await askToMove(visit, { sessions: "lost" });
        await cut.promise;
        visit.visit.cut();
      }
      return true;
    });
  });
  await using client = await Watched.open(server.url);
  const safe = client.ask("resources/read", { uri: "x:y" });
  const unsafe = client.ask("tools/call", { name: "any" });
  const go = client.ask("x/go");
  await client.told("moved");
  assertEquals(await isPending(client.answer(safe)), true);
  cut.resolve();
  for (const id of [unsafe, go]) {
    assertEquals((await client.answer(id)).error.data, { outcome: "unknown" });
  }
  assertEquals((await client.answer(safe)).result, {});
  assertEquals(client.events, ["moved"]);
});

Deno.test("goaway with sessions lost: the new connection is cut while the old one still serves", async () => {
  const go = Promise.withResolvers<void>();
  await using server = new SessionServer(async (visit) => {
    await visit.open({ received: visit.number === 3 ? 1 : 0 });
    await visit.play(async (message) => {
      if (message.method === "x/cut") return visit.visit.cut();
      if (visit.number > 1 || message.method !== "x/slow") return;
      await askToMove(visit, { sessions: "lost" });
      await go.promise;
    });
  });
  await using client = await Watched.open(server.url);
  const slow = client.ask("x/slow");
  await client.told("moved");
  await client.notify("x/cut");
  await client.told("recovered");
  go.resolve();
  assertEquals((await client.answer(slow)).result, {});
  assertEquals(client.events, ["moved", "lost", "resumed", "recovered"]);
});

Deno.test("goaway with sessions lost: both are cut, and what may be repeated is", async () => {
  const cut = Promise.withResolvers<void>();
  await using server = new SessionServer(async (visit) => {
    if (visit.number === 3) await new Promise((resolve) => setTimeout(resolve, 50));
    await visit.open({ received: visit.number === 3 ? 1 : 0 });
    await visit.play(async ({ method }) => {
      if (method === "x/cut") {
        cut.resolve();
        visit.visit.cut();
      }
      if (method === "x/go") {
        await askToMove(visit, { sessions: "lost" });
        await cut.promise;
        visit.visit.cut();
      }
      return visit.number === 1;
    });
  });
  await using client = await Watched.open(server.url);
  const safe = client.ask("resources/read", { uri: "x:y" });
  await client.notify("x/go");
  await client.told("moved");
  await client.notify("x/cut");
  assertEquals((await client.answer(safe)).result, {});
});

// Wherever to.

Deno.test("goaway: its URL is used if it has the same origin, and ignored if not", async () => {
  await using elsewhere = new SessionServer((visit) => visit.visit.end());
  const paths: string[] = [];
  let url = "";
  await using server = new SessionServer(async (visit) => {
    await visit.open();
    paths.push(visit.visit.request.split(" ")[1] ?? "");
    if (visit.number === 1) url = "/other?place=2";
    else if (visit.number === 2) url = elsewhere.url;
    else return await visit.play();
    await askToMove(visit, { sessions: "kept", url });
    await visit.visit.silence();
  });
  await using client = await Watched.open(server.url);
  await client.told("moved", 2);
  assertEquals(paths, ["/mcp", "/other?place=2", "/mcp"]);
  assertEquals(elsewhere.visits.length, 0);
});

Deno.test("goaway: a second one while it moves changes nothing", async () => {
  await using server = new SessionServer(async (visit) => {
    await visit.open();
    if (visit.number > 1) return await visit.play();
    for (let n = 0; n < 3; n++) await askToMove(visit, { sessions: "kept" });
    await visit.visit.silence();
  });
  await using client = await Watched.open(server.url);
  await client.told("moved");
  await client.request("tools/list");
  assertEquals([server.visits.length, client.events], [2, ["resumed", "moved"]]);
});

Deno.test("goaway right behind the welcome of a resumed session is heard", async () => {
  await using server = new SessionServer(async (visit) => {
    const hello = await visit.greet();
    if (hello.attempt === 1) {
      await visit.welcome();
      return void await visit.next();
    }
    if (hello.attempt > 2) {
      await visit.welcome({ resumed: true, received: 1 });
      return await visit.play();
    }
    await visit.welcome({ resumed: true, received: 1 });
    await askToMove(visit, { sessions: "kept", afterMs: 10 });
    await visit.visit.silence();
  });
  await using client = await Watched.open(server.url);
  await client.notify("x/cut");
  await client.told("moved");
});

Deno.test("goaway: a move that never succeeds is told once, and the loss that follows is repaired", async () => {
  let isOpen = true;
  await using server = new SessionServer(async (visit) => {
    if (visit.number > 1 && isOpen) return await visit.visit.refuse(500);
    await visit.open();
    if (visit.number > 1) return await visit.play();
    await askToMove(visit, { sessions: "lost", afterMs: 200 });
    await until(() => server.visits.length > 2);
    await new Promise((resolve) => setTimeout(resolve, 300));
    isOpen = false;
  });
  await using client = await Watched.open(server.url);
  await client.told("recovered");
  assertEquals(client.events, ["lost", "resumed", "recovered"]);
  assert(client.errors.length <= 1, `${client.errors.length}`);
});

Deno.test("close() while it moves leaves nothing behind", async () => {
  const moving = Promise.withResolvers<void>();
  await using server = new SessionServer(async (visit) => {
    await visit.greet();
    if (visit.number > 1) {
      moving.resolve();
      return await visit.visit.silence();
    }
    await visit.welcome();
    await askToMove(visit, { sessions: "lost" });
    await visit.end();
  });
  await using client = await Watched.open(server.url);
  const pending = client.ask("x/never");
  await moving.promise;
  await client.transport.close();
  assertEquals([client.closes, client.transport.state.status], [1, "disconnected"]);
  assertEquals(client.messages.some(({ id }) => id === pending), false);
});

Deno.test("close() while an old connection is being left closes both", async () => {
  await using server = new SessionServer(async (visit) => {
    await visit.open();
    if (visit.number > 1) return await visit.play();
    await visit.next();
    await askToMove(visit, { sessions: "lost" });
    await visit.end();
  });
  await using client = await Watched.open(server.url);
  client.ask("x/never");
  await client.told("moved");
  await client.transport.close();
  assertEquals(client.closes, 1);
  await server.allGone();
});

Deno.test("goaway: who adopted a socket has nowhere to move to", async () => {
  await using server = new SessionServer(async (visit) => {
    await visit.visit.accept("bowline.v1");
    await visit.say("goaway", { afterMs: 10, reason: "Bye", sessions: "lost" });
    await visit.visit.end();
  });
  const socket = new WebSocket(server.url, ["bowline.v1"]);
  await new Promise((resolve) => socket.onopen = resolve);
  const transport = new WebSocketClientTransport(socket);
  const errors: Error[] = [];
  transport.onerror = (error) => errors.push(error);
  await transport.start();
  await until(() => errors.length > 0);
  await transport.close();
  await assertRejects(() => transport.start());
});
