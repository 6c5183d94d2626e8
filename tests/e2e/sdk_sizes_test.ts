import { assertEquals, assertRejects } from "@std/assert";
import { type ClientKind, connectClient } from "./support/clients.ts";
import { createOwnServer } from "./support/own_server.ts";
import { createScene } from "./support/scene.ts";
import { serve } from "./support/serving.ts";

const KINDS: readonly ClientKind[] = ["v1", "v2", "v2, pinned", "ours, legacy", "ours, auto"];
/** Reconnects at once. */
const SOON = { attempts: 1_000, minDelay: 1, maxDelay: 20, minUptime: 1 };

for (const kind of KINDS) {
  for (const server of ["own", "v1", "v2"] as const) {
    if (server === "v1" && kind === "v2, pinned") continue;

    Deno.test(`client "${kind}" and server "${server}" exchange a megabyte of any characters`, async () => {
      await using served = await serve(server, createScene());
      await using connected = await connectClient(kind, served.url);
      const text = "aé漢🦕\n\u0000".repeat(50_000);
      assertEquals(await connected.call("echo", { text }) === text, true);
    });
  }

  Deno.test(`client "${kind}" fails what is too large to send, and nothing else`, async () => {
    await using served = await serve("own", createScene());
    const transport = { maxSendBytes: 1_000 };
    await using connected = await connectClient(kind, served.url, { transport });
    const text = "x".repeat(1_000);
    await assertRejects(() => connected.call("echo", { text }), RangeError, "1000");
    assertEquals(await connected.call("echo", { text: "still here" }), "still here");
  });

  Deno.test(`client "${kind}" does not even send what its server says is too large`, async () => {
    await using server = createOwnServer(createScene(), { maxMessageBytes: 4_000 });
    const { url } = await server.start({ port: 0 });
    let dials = 0;
    const transport = { reconnect: SOON, hooks: { onDial: () => dials++ } };
    await using connected = await connectClient(kind, url, { transport });
    const text = "x".repeat(4_000);
    await assertRejects(() => connected.call("echo", { text }), RangeError, "4000");
    assertEquals(await connected.call("echo", { text: "still here" }), "still here");
    assertEquals(dials, 1);
  });

  Deno.test(`client "${kind}" does not repeat what is too large for its plain server`, async () => {
    await using server = createOwnServer(createScene(), { maxMessageBytes: 4_000 });
    const { url } = await server.start({ port: 0 });
    let dials = 0;
    const hooks = { onDial: () => dials++ };
    const transport = { protocols: ["mcp"], reconnect: SOON, hooks };
    await using connected = await connectClient(kind, url, { transport });
    await connected.listTools(); // Now it knows that `echo` may be repeated.
    const text = "x".repeat(4_000);
    await assertRejects(() => connected.call("echo", { text }), Error, "may or may not");
    assertEquals(await connected.call("echo", { text: "still here" }), "still here");
    assertEquals(dials, 2);
  });
}
