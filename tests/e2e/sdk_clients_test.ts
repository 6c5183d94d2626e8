import { assertEquals } from "@std/assert";
import { CLIENT_KINDS, connectClient, LEGACY_KINDS } from "./support/clients.ts";
import { testConversations } from "./support/conversations.ts";
import { createScene, Journal } from "./support/scene.ts";
import { serve } from "./support/serving.ts";

for (const client of CLIENT_KINDS) testConversations("own", client);

for (const client of CLIENT_KINDS) {
  const era = LEGACY_KINDS.includes(client) ? "legacy" : "modern";

  Deno.test(`MCPWebSocketServer speaks the ${era} era with client "${client}"`, async () => {
    await using served = await serve("own", createScene());
    await using connected = await connectClient(client, served.url);
    assertEquals(connected.era, era);
  });

  Deno.test(`MCPWebSocketServer gives lists and resources to client "${client}"`, async () => {
    await using served = await serve("own", createScene());
    await using connected = await connectClient(client, served.url);
    assertEquals((await connected.listTools()).length, 9);
    assertEquals(await connected.read(), "read");
  });
}

for (const client of LEGACY_KINDS) {
  Deno.test(`MCPWebSocketServer asks the user and the model of client "${client}"`, async () => {
    await using served = await serve("own", createScene());
    await using connected = await connectClient(client, served.url);
    assertEquals(await connected.call("ask"), "Ada");
    assertEquals(await connected.call("sample"), "42");
  });

  Deno.test(`MCPWebSocketServer notifies client "${client}" of its resource`, async () => {
    const heard = new Journal();
    await using served = await serve("own", createScene());
    await using connected = await connectClient(client, served.url, {
      hear: (method) => heard.write(method),
    });
    await connected.subscribe();
    await connected.call("grow");
    await heard.seen("notifications/resources/updated");
  });
}
