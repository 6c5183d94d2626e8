import { assertEquals, assertRejects } from "@std/assert";
import { MCPError, MCPWebSocketClient, type WebSocketClientOptions } from "../../client/mod.ts";
import { type AuthOptions, MCPWebSocketServer, Tickets } from "../../server/mod.ts";
import { until } from "../support/until.ts";

const PROTOCOLS = { sessions: ["mcp", "bowline.v1"], plain: ["mcp"] };
type Variant = keyof typeof PROTOCOLS;
const VARIANTS = Object.keys(PROTOCOLS) as Variant[];

/** Tokens such as `ada.500` belong to Ada for that many milliseconds. */
const authenticate: AuthOptions["authenticate"] = (_request, credential) => {
  if (credential === undefined) return { type: "challenge" };
  const [, id, ms] = /^([a-z]+)\.(\d+)$/.exec(credential.token) ?? [];
  if (id === undefined) return { type: "refuse", status: 401, reason: "The token is unknown" };
  return { type: "accept", principal: { id, expiresAt: Date.now() + Number(ms) } };
};

/** Serves those with a token; a call tells whose it is when it was released. */
async function serve(auth: Partial<AuthOptions> = {}) {
  const release = Promise.withResolvers<void>();
  const server = new MCPWebSocketServer({
    name: "demo",
    version: "1.0.0",
    auth: { authenticate, ...auth },
  });
  server.handle("tools/call", async ({ name }, { session }) => {
    if (name === "wait") await release.promise;
    return { content: [{ type: "text", text: session.principal?.id ?? "" }] };
  });
  const { url } = await server.start({ port: 0 });
  return {
    server,
    url,
    release: release.resolve,
    [Symbol.asyncDispose]: () => server.stop({ timeout: 0 }),
  };
}

function connectTo(url: string, variant: Variant, options: WebSocketClientOptions) {
  const reconnect = { minDelay: 1, maxDelay: 10 };
  return new MCPWebSocketClient(url, { protocols: PROTOCOLS[variant], reconnect, ...options });
}

async function whoAmI(client: MCPWebSocketClient, name = "who"): Promise<string | undefined> {
  const { content: [content] } = await client.request("tools/call", { name });
  return content?.type === "text" ? content.text : undefined;
}

for (const variant of VARIANTS) {
  for (const tokenVia of ["auto", "header", "subprotocol", "message"] as const) {
    Deno.test(`a token gets in by ${tokenVia}, ${variant}`, async () => {
      await using serving = await serve({ inBand: tokenVia === "message" });
      await using client = connectTo(serving.url, variant, { token: "ada.60000", tokenVia });
      await client.connect();
      assertEquals(await whoAmI(client), "ada");
      assertEquals(serving.server.clients.map(({ principal }) => principal), ["ada"]);
    });
  }

  Deno.test(`a ticket gets in once for each dial, ${variant}`, async () => {
    const tickets = new Tickets();
    await using serving = await serve({ tickets });
    const token = () => tickets.mint({ id: "eve" });
    await using client = connectTo(serving.url, variant, { token, tokenVia: "ticket" });
    await client.connect();
    assertEquals(await whoAmI(client), "eve");
    client.reconnect();
    assertEquals(await whoAmI(client), "eve");
    assertEquals(tickets.size, 0);
  });

  Deno.test(`a wrong token ends connect() with an authentication error, ${variant}`, async () => {
    for (const tokenVia of ["header", "message"] as const) {
      await using serving = await serve({ inBand: tokenVia === "message" });
      await using client = connectTo(serving.url, variant, { token: "wrong", tokenVia });
      const error = await assertRejects(() => client.connect(), MCPError);
      assertEquals(error.kind, "authentication");
      await until(() => serving.server.health().activeConnections === 0);
    }
  });

  Deno.test(`authenticate() keeps a connection whose first token has expired, ${variant}`, async () => {
    await using serving = await serve();
    let asked = 0;
    const token = () => ++asked === 1 ? "ada.700" : "ada.60000";
    await using client = connectTo(serving.url, variant, { token });
    await client.connect();
    const waiting = whoAmI(client, "wait");
    const [before] = serving.server.clients;
    await client.authenticate();
    await new Promise((resolve) => setTimeout(resolve, 800));
    serving.release();
    assertEquals(await waiting, "ada");
    assertEquals(serving.server.clients.map(({ id }) => id), [before?.id]);
    assertEquals([asked, client.getStats().reconnects], [2, 0]);
  });
}

Deno.test("a session whose credential expires goes on with a fresh one, its request in flight", async () => {
  await using serving = await serve();
  let asked = 0;
  const token = () => ++asked === 1 ? "ada.300" : "ada.60000";
  await using client = connectTo(serving.url, "sessions", { token });
  await client.connect();
  const waiting = whoAmI(client, "wait");
  await until(() => asked === 2 && client.isConnected);
  serving.release();
  assertEquals(await waiting, "ada");
  assertEquals(client.getStats().sessionsLost ?? 0, 0);
});

Deno.test("revoke() stops a client for good, which may not come in again", async () => {
  let isRevoked = false;
  await using serving = await serve({
    authenticate: (request, credential, context) =>
      isRevoked
        ? { type: "refuse", status: 403, reason: "Access was revoked" }
        : authenticate(request, credential, context),
  });
  await using client = connectTo(serving.url, "sessions", { token: "ada.60000" });
  await client.connect();
  isRevoked = true;
  assertEquals(await serving.server.revoke("ada"), 1);
  await until(() => client.state.status === "failed");
});
