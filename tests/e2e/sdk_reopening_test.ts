import { assertEquals, assertRejects } from "@std/assert";
import { WebSocketClientTransport } from "../../client/mod.ts";
import { ASK, Journal } from "./support/scene.ts";
import { type ClientKind, connectClient } from "./support/clients.ts";
import { initializing, serveScript } from "./support/scripted.ts";

const KINDS: readonly ClientKind[] = ["v1", "v2", "ours, legacy"];
/** Reconnects as soon as the server is back. */
const RECONNECT = { attempts: 1_000, minDelay: 1, maxDelay: 20, minUptime: 1 };

/** Asks the client under the same id on every connection. */
const ASKING = {
  "initialize": initializing(),
  "notifications/initialized": (_: unknown, session: Poster) => {
    session.post({ jsonrpc: "2.0", id: 7, method: "elicitation/create", params: { ...ASK } });
  },
};

interface Poster {
  post(
    message: { jsonrpc: "2.0"; id: number; method: string; params: Record<string, unknown> },
  ): unknown;
}

/** The answers that a scripted server got. */
function answers(journal: Journal): unknown[] {
  return journal.entries
    .filter((entry) => entry.startsWith("answer "))
    .map((entry) => JSON.parse(entry.slice("answer ".length)));
}

for (const kind of KINDS) {
  for (const protocol of ["mcp", "bowline.v1"]) {
    const SOON = { protocols: [protocol], reconnect: RECONNECT };
    const title = `client "${kind}" over ${protocol}`;

    Deno.test(`${title} aborts what a lost server asked, and answers the next one alone`, async () => {
      const journal = new Journal();
      const asked: { signal: AbortSignal; answer: (name: string) => void }[] = [];
      const heard = new Journal();
      const ask = (signal: AbortSignal) =>
        new Promise<string>((answer) => {
          asked.push({ signal, answer });
          heard.write("asked");
        });
      const first = serveScript(ASKING, journal);
      await using connected = await connectClient(kind, first.url, { transport: SOON, ask });
      await heard.seen("asked");
      const { port } = new URL(first.url);
      await first[Symbol.asyncDispose]();
      await using _second = serveScript(
        {
          ...ASKING,
          "tools/list": () => ({ tools: [] }),
        },
        journal,
        Number(port),
      );
      await heard.seen("asked", 2);
      assertEquals(asked.map(({ signal }) => signal.aborted), [true, false]);

      for (const [index, { answer }] of asked.entries()) answer(index === 0 ? "late" : "fresh");
      await connected.listTools();
      const result = { action: "accept", content: { name: "fresh" } };
      assertEquals(answers(journal), [{ jsonrpc: "2.0", id: 7, result }]);
    });

    for (
      const [change, initialize, words] of [
        ["offers less", initializing({ tools: {} }), 'no longer offers "resources"'],
        ["speaks another revision", initializing(both(), "2025-06-18"), 'now speaks "2025-06-18"'],
      ] as const
    ) {
      Deno.test(`${title} is closed, with the reason, when its server comes back and ${change}`, async () => {
        const journal = new Journal();
        const closed = Promise.withResolvers<void>();
        let closes = 0;
        const errors: string[] = [];
        const first = serveScript({ initialize: initializing(both()) }, journal);
        await using connected = await connectClient(kind, first.url, {
          transport: SOON,
          onclose: () => (closes++, closed.resolve()),
          onerror: ({ message }) => errors.push(message),
        });
        const { port } = new URL(first.url);
        await first[Symbol.asyncDispose]();
        await using _second = serveScript({ initialize }, journal, Number(port));
        await closed.promise;
        await assertRejects(() => connected.listTools(), Error);
        assertEquals(closes, 1);
        assertEquals(errors.filter((text) => text.includes(words)).length, 1);
      });
    }

    Deno.test(`${title} does not send what timed out while its server was away`, async () => {
      const journal = new Journal();
      const lost = Promise.withResolvers<void>();
      const first = serveScript({ initialize: initializing() }, journal);
      await using connected = await connectClient(kind, first.url, {
        transport: SOON,
        onlost: lost.resolve,
      });
      const { port } = new URL(first.url);
      await first[Symbol.asyncDispose]();
      await lost.promise;
      await assertRejects(() => connected.call("late", {}, { timeout: 20 }), Error);
      await using _second = serveScript(
        {
          "initialize": initializing(),
          "tools/list": () => ({ tools: [] }),
        },
        journal,
        Number(port),
      );
      await connected.listTools();
      assertEquals(journal.count("got tools/call"), 0);
      assertEquals(journal.count("got notifications/cancelled"), 0);
    });

    Deno.test(`${title} is closed once when its server does not come back`, async () => {
      const closed = Promise.withResolvers<void>();
      let closes = 0;
      // A session is tried for as long as its server would have kept it.
      const first = serveScript({ initialize: initializing() }, new Journal(), 0, { window: 1 });
      await using connected = await connectClient(kind, first.url, {
        transport: { protocols: [protocol], reconnect: { attempts: 2, minDelay: 1, maxDelay: 1 } },
        onclose: () => (closes++, closed.resolve()),
      });
      const pending = assertRejects(() => connected.listTools(), Error);
      await first[Symbol.asyncDispose]();
      await closed.promise;
      await pending;
      await assertRejects(() => connected.listTools(), Error);
      assertEquals(closes, 1);
    });
  }
}

for (const protocols of [["mcp"], ["bowline.v1"]]) {
  Deno.test(`WebSocketClientTransport drops an answer to a request that was lost, over ${protocols}`, async () => {
    const journal = new Journal();
    const first = serveScript(ASKING, journal);
    const transport = new WebSocketClientTransport(first.url, { protocols, reconnect: RECONNECT });
    const got = new Journal();
    const ids: (string | number)[] = [];
    transport.onmessage = (message) => {
      if ("method" in message && "id" in message && message.id !== undefined) ids.push(message.id);
      if ("method" in message) got.write(message.method);
      else got.write("answer");
    };
    await transport.start();
    const params = { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: {} };
    await transport.send({ jsonrpc: "2.0", id: 0, method: "initialize", params });
    await got.seen("answer");
    await transport.send({ jsonrpc: "2.0", method: "notifications/initialized" });
    await got.seen("elicitation/create");
    const { port } = new URL(first.url);
    await first[Symbol.asyncDispose]();
    await using _second = serveScript(ASKING, journal, Number(port));
    await got.seen("notifications/cancelled");
    await got.seen("elicitation/create", 2);

    const [lost, fresh] = ids;
    assertEquals(lost, 7);
    assertEquals(fresh === 7, false);
    for (const id of [lost, fresh]) {
      await transport.send({ jsonrpc: "2.0", id: id ?? 0, result: { of: id } });
    }
    await transport.close();
    assertEquals(answers(journal), [{ jsonrpc: "2.0", id: 7, result: { of: fresh } }]);
  });
}

function both(): Record<string, unknown> {
  return { tools: {}, resources: {} };
}
