import { assertEquals, assertRejects } from "@std/assert";
import { type ClientKind, connectClient } from "./support/clients.ts";
import { Journal } from "./support/scene.ts";
import { type Answer, initializing, type Script, serveScript } from "./support/scripted.ts";

const KINDS: readonly ClientKind[] = ["v1", "v2", "ours, legacy"];
/** Reconnects as soon as the server is back. */
const SOON = { reconnect: { attempts: 1_000, minDelay: 1, maxDelay: 20, minUptime: 1 } };
const CAPABILITIES = { tools: {}, logging: {}, resources: { subscribe: true } };
const SERVER: Script = {
  "initialize": initializing(CAPABILITIES),
  "tools/list": () => ({ tools: [] }),
};

/** An answer whose first few times cost the client its connection. */
function failing(times: number, answer?: Answer): Answer {
  let calls = 0;
  return (params, session, id) => {
    if (++calls > times) return answer?.(params, session, id);
    session.disconnect("Oops", 1011);
  };
}

for (const kind of KINDS) {
  for (
    const [moment, method, times] of [
      ["before initialize is answered", "initialize", 1],
      ["right after initialize was answered", "notifications/initialized", 1],
      ["again and again, while it is opened again", "notifications/initialized", 3],
    ] as const
  ) {
    Deno.test(`client "${kind}" survives a connection that is lost ${moment}`, async () => {
      const journal = new Journal();
      await using served = serveScript(
        { ...SERVER, [method]: failing(times, SERVER[method]) },
        journal,
      );
      let closes = 0;
      await using connected = await connectClient(kind, served.url, {
        transport: SOON,
        onclose: () => closes++,
      });
      await journal.seen("opened", times + 1);
      assertEquals(await connected.listTools(), []);
      assertEquals([closes, journal.count("opened")], [0, times + 1]);
    });
  }

  Deno.test(`client "${kind}" hears of its own close() once while its server is away`, async () => {
    const heard = new Journal();
    const served = serveScript(SERVER, new Journal());
    const connected = await connectClient(kind, served.url, {
      transport: SOON,
      onlost: () => heard.write("lost"),
      onclose: () => heard.write("closed"),
    });
    await served[Symbol.asyncDispose]();
    await heard.seen("lost");
    const pending = assertRejects(() => connected.listTools(), Error);
    await connected[Symbol.asyncDispose]();
    await pending;
    // Our client tells it by its state alone.
    assertEquals(heard.count("closed"), kind.startsWith("ours") ? 0 : 1);
  });

  Deno.test(`client "${kind}" goes on when its level and subscription are refused after a loss`, async () => {
    const journal = new Journal();
    const errors = new Journal();
    const refusing = (answer: Answer): Answer => {
      let calls = 0;
      return (params, session, id) => {
        if (++calls === 1) return answer(params, session, id);
        session.post({ jsonrpc: "2.0", id, error: { code: -32603, message: "Not any more" } });
      };
    };
    await using served = serveScript({
      ...SERVER,
      "logging/setLevel": refusing(() => ({})),
      "resources/subscribe": refusing(() => ({})),
      "tools/call": failing(1, () => ({ content: [{ type: "text", text: "called" }] })),
    }, journal);
    await using connected = await connectClient(kind, served.url, {
      transport: SOON,
      onerror: ({ message }) => errors.write(message),
    });
    await connected.setLevel();
    await connected.subscribe();
    await assertRejects(() => connected.call("x"), Error, "may or may not");
    assertEquals(await connected.call("x"), "called");
    assertEquals(errors.entries, ["Not any more", "Not any more"]);
  });

  Deno.test(`client "${kind}" hears the progress of a call that is sent again`, async () => {
    const served = serveScript({
      ...SERVER,
      "tools/list": () => ({
        tools: [{
          name: "x",
          inputSchema: { type: "object" },
          annotations: { idempotentHint: true },
        }],
      }),
      "tools/call": failing(1, ({ _meta }, session) => {
        const { progressToken } = _meta as { progressToken: number };
        const params = { progressToken, progress: 1 };
        session.post({ jsonrpc: "2.0", method: "notifications/progress", params });
        return { content: [{ type: "text", text: "called" }] };
      }),
    }, new Journal());
    await using _served = served;
    await using connected = await connectClient(kind, served.url, { transport: SOON });
    await connected.listTools();
    const seen: number[] = [];
    const onProgress = (progress: number) => void seen.push(progress);
    assertEquals(await connected.call("x", {}, { onProgress }), "called");
    assertEquals(seen, [1]);
  });
}

for (const kind of ["v2, auto", "ours, auto"] as const) {
  Deno.test(`client "${kind}" does not repeat a probe that was never answered`, async () => {
    const journal = new Journal();
    await using served = serveScript({
      ...SERVER,
      "tools/call": failing(1, () => ({ content: [{ type: "text", text: "called" }] })),
    }, journal);
    const errors: string[] = [];
    await using connected = await connectClient(kind, served.url, {
      transport: SOON,
      probeTimeout: 20,
      onerror: ({ message }) => errors.push(message),
    });
    await assertRejects(() => connected.call("x"), Error, "may or may not");
    assertEquals(await connected.call("x"), "called");
    assertEquals([journal.count("opened"), journal.count("got server/discover")], [2, 1]);
    assertEquals(errors, []);
  });
}
