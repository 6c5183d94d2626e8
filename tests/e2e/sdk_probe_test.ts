import { Client } from "@modelcontextprotocol/client";
import { assertEquals, assertRejects } from "@std/assert";
import { WebSocketClientTransport } from "../../client/mod.ts";
import { Journal } from "./support/scene.ts";
import { initializing, serveScript } from "./support/scripted.ts";
import { serve } from "./support/serving.ts";

/** SDK v2 in the mode that asks the server for its era. */
function createClient(timeoutMs = 5_000): Client {
  return new Client({ name: "test", version: "1.0.0" }, {
    versionNegotiation: { mode: "auto", probe: { timeoutMs } },
  });
}

/** A plain peer is asked something before it is told what it does not answer. */
const ESCORTS = { "mcp": ["got ping"], "bowline.v1": [] };

for (const [protocol, escort] of Object.entries(ESCORTS)) {
  Deno.test(`SDK v2 falls back to initialize on the same connection when its probe is not answered, over ${protocol}`, async () => {
    const journal = new Journal();
    await using served = serveScript({ initialize: initializing() }, journal);
    const client = createClient(50);
    await client.connect(new WebSocketClientTransport(served.url, { protocols: [protocol] }));
    assertEquals(client.getProtocolEra(), "legacy");
    await journal.seen("got notifications/initialized");
    assertEquals(journal.entries, [
      "opened",
      "got server/discover",
      "got initialize",
      ...escort,
      "got notifications/initialized",
    ]);
    await client.close();
  });
}

Deno.test("SDK v2 gives up on a silent server when a transport has no stderr and pid", async () => {
  await using served = serveScript({ initialize: initializing() }, new Journal());
  const transport = new WebSocketClientTransport(served.url);
  for (const member of ["stderr", "pid"]) Reflect.deleteProperty(transport, member);
  const client = createClient(50);
  await assertRejects(() => client.connect(transport), Error, "timed out");
});

Deno.test("SDK v2 gets a typed error when its probe is answered with a final close", async () => {
  await using served = serveScript({
    "server/discover": (_, session) => void session.disconnect("Not you", 1008),
  }, new Journal());
  const transport = new WebSocketClientTransport(served.url);
  let closes = 0;
  transport.onclose = () => closes++;
  const client = createClient();
  await assertRejects(() => client.connect(transport), Error);
  assertEquals([closes, transport.state.status], [1, "failed"]);
});

Deno.test("SDK v2 notices nothing when the connection is lost during its probe", async () => {
  const journal = new Journal();
  await using served = serveScript({
    "server/discover"(_, session) {
      if (journal.count("got server/discover") === 1) {
        return void session.disconnect("Oops", 1011);
      }
      return {
        supportedVersions: ["2026-07-28"],
        capabilities: {},
        resultType: "complete",
        ttlMs: 0,
        cacheScope: "private",
      };
    },
  }, journal);
  const client = createClient();
  const reconnect = { minDelay: 1, minUptime: 1 };
  await client.connect(new WebSocketClientTransport(served.url, { reconnect }));
  assertEquals(client.getProtocolEra(), "modern");
  assertEquals(journal.count("opened"), 2);
  await client.close();
});

Deno.test("SDK v2 connects without a round trip when it knows the server", async () => {
  const journal = new Journal();
  await using served = await serve("v2", { journal, holds: false });
  const client = createClient();
  await client.connect(new WebSocketClientTransport(served.url));
  const discover = client.getDiscoverResult();
  await client.close();
  if (discover === undefined) throw new Error("Nothing was discovered");

  const prior = { kind: "modern", discover } as const;
  await client.connect(new WebSocketClientTransport(served.url), { prior });
  assertEquals((await client.listTools()).tools.length, 9);
  assertEquals(journal.count("got server/discover"), 1);
  await client.close();
});
