import { assertEquals, assertRejects } from "@std/assert";
import { type ClientKind, connectClient } from "./support/clients.ts";
import { Journal } from "./support/scene.ts";
import { ServerProcess } from "./support/server_process.ts";
import type { ServerKind } from "./support/serving.ts";
import type { ConnectOptions } from "./support/test_client.ts";

/** Clients, and a server for each that speaks their era. */
const PAIRS: readonly [ClientKind, ServerKind, era: "legacy" | "modern"][] = [
  ["v1", "v1", "legacy"],
  ["v2", "v2", "legacy"],
  ["v2, pinned", "v2", "modern"],
  ["ours, legacy", "own", "legacy"],
  ["ours, auto", "v2", "modern"],
];

const REPLAYED_TO_OURS = [
  "got notifications/initialized",
  "got logging/setLevel",
  "got resources/subscribe",
];

/** What a new server of the legacy era has to hear; ours answers `initialize` and `ping` unseen. */
function replayedTo(kind: ServerKind, protocol: string): readonly string[] {
  if (kind === "own") return REPLAYED_TO_OURS;
  // Over plain `mcp` a question goes along that spares what follows a delay.
  const escort = protocol === "mcp" ? ["got ping"] : [];
  return ["got initialize", ...escort, ...REPLAYED_TO_OURS];
}

/** Reconnects as soon as the server is back. */
function over(protocol: string): ConnectOptions {
  const reconnect = { attempts: 1_000, minDelay: 10, maxDelay: 50, minUptime: 50 };
  return { transport: { protocols: [protocol], reconnect, dialLimit: false } };
}

for (const [client, kind, era] of PAIRS) {
  for (const protocol of ["mcp", "bowline.v1"]) {
    const title = `client "${client}" of a killed server "${kind}", over ${protocol},`;

    Deno.test(`${title} goes on with its successor, and tells it what it has to know`, async () => {
      const heard = new Journal();
      await using first = await ServerProcess.start({ kind });
      await using connected = await connectClient(client, first.url, {
        ...over(protocol),
        hear: (method) => heard.write(method),
        onlost: () => heard.write("lost"),
        onclose: () => heard.write("closed"),
      });
      await connected.subscribe();
      if (era === "legacy") await connected.setLevel();

      await first.kill();
      await heard.seen("lost");
      await using second = await ServerProcess.start({ kind, port: first.port });
      assertEquals(await connected.call("echo", { text: "hello again" }), "hello again");
      await connected.call("grow");
      await heard.seen("notifications/resources/updated");
      assertEquals(heard.count("closed"), 0);
      const replayed = replayedTo(kind, protocol);
      assertEquals(told(second), era === "modern" ? told(first, "subscriptions") : replayed);
    });

    Deno.test(`${title} has what only reads answered, and the rest refused`, async () => {
      let closes = 0;
      const options = { ...over(protocol), onclose: () => closes++ };
      await using first = await ServerProcess.start({ kind, holds: true });
      await using connected = await connectClient(client, first.url, options);
      await connected.listTools();
      const look = connected.call("look");
      const read = connected.read();
      const change = assertRejects(() => connected.call("change"), Error, "may or may not");
      for (const label of ["look", "read", "change"]) await first.journal.seen(`${label} started`);

      await first.kill();
      // Over plain `mcp` that is known at once, in a session when the new server does not know it.
      if (protocol === "mcp") await change;
      await using second = await ServerProcess.start({ kind, port: first.port });
      assertEquals([await look, await read], ["look", "read"]);
      assertEquals(second.journal.count("change started"), 0);
      assertEquals(outcomeOf(await change), "unknown");
      assertEquals(closes, 0);
    });
  }
}

Deno.test("a client with default options survives the restart of its server", async () => {
  const heard = new Journal();
  await using first = await ServerProcess.start({ kind: "v1" });
  await using connected = await connectClient("v1", first.url, {
    onlost: () => heard.write("lost"),
    onclose: () => heard.write("closed"),
  });
  await first.kill();
  await heard.seen("lost");
  const call = connected.call("echo", { text: "hello again" });
  await using _second = await ServerProcess.start({ kind: "v1", port: first.port });
  assertEquals(await call, "hello again");
  assertEquals(heard.count("closed"), 0);
});

/** What a server was told besides calls, its subscriptions with their ids. */
function told({ journal }: ServerProcess, group = ""): string[] {
  return journal.entries.filter((entry) => /^got (?!tools)/.test(entry) && entry.includes(group));
}

/** What became of the request, as SDKs and our client say it. */
function outcomeOf(error: Error): unknown {
  const { outcome, code, data } = error as Error & {
    outcome?: unknown;
    code?: unknown;
    data?: { outcome?: unknown };
  };
  return outcome ?? (code === -32000 ? data?.outcome : undefined);
}
