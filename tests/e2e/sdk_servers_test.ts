import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { CLIENT_KINDS, type ClientKind, connectClient, LEGACY_KINDS } from "./support/clients.ts";
import { testConversations } from "./support/conversations.ts";
import { createScene, Journal } from "./support/scene.ts";
import { serve } from "./support/serving.ts";

const OURS: readonly ClientKind[] = CLIENT_KINDS.filter((kind) => kind !== "v1, own transport");

for (const server of ["v1", "v2"] as const) {
  for (const client of CLIENT_KINDS) {
    const isModern = server === "v2" && !LEGACY_KINDS.includes(client);
    const era = isModern ? "modern" : "legacy";
    if (server === "v1" && client === "v2, pinned") continue;
    testConversations(server, client);

    Deno.test(`SDK server "${server}" speaks the ${era} era with client "${client}"`, async () => {
      await using served = await serve(server, createScene());
      await using connected = await connectClient(client, served.url);
      assertEquals(connected.era, era);
    });

    if (client === "ours, auto" && isModern) continue; // It does not answer questions in results.

    Deno.test(`SDK server "${server}" asks the user and the model of client "${client}"`, async () => {
      await using served = await serve(server, createScene());
      await using connected = await connectClient(client, served.url);
      assertEquals(await connected.call("ask"), "Ada");
      assertEquals(await connected.call("sample"), "42");
    });

    Deno.test(`SDK server "${server}" notifies client "${client}" of its resource`, async () => {
      const heard = new Journal();
      const hear = (method: string) => heard.write(method);
      await using served = await serve(server, createScene());
      await using connected = await connectClient(client, served.url, { hear });
      await connected.subscribe();
      await connected.call("grow");
      await heard.seen("notifications/resources/updated");
    });
  }

  for (const client of OURS) {
    if (server === "v1" && client === "v2, pinned") continue;

    Deno.test(`SDK server "${server}" knows session and request of client "${client}"`, async () => {
      await using served = await serve(server, createScene());
      const transport = { headers: { "X-Caller": client } };
      await using connected = await connectClient(client, served.url, { transport });
      const [session, caller] = JSON.parse(await connected.call("whoami"));
      assertMatch(session, /^[0-9A-HJKMNP-TV-Z]{26}$/);
      assertEquals(caller, client);
    });
  }
}

Deno.test('SDK server "v1" is refused by a client of SDK v2 that is pinned to the modern era', async () => {
  await using served = await serve("v1", createScene());
  await assertRejects(() => connectClient("v2, pinned", served.url), Error, "2026-07-28");
});
