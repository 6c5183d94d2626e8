import { assert, assertEquals, assertMatch, assertRejects, assertThrows } from "@std/assert";
import { ProtectedResource } from "../../../server/auth/protected_resource.ts";
import { Tickets } from "../../../server/auth/tickets.ts";
import { createWebSocketHandler } from "../../../server/handler.ts";
import { JsonSocket } from "../../support/json_socket.ts";
import { RawSocket, UPGRADE_HEADERS } from "../../support/raw_socket.ts";
import { until } from "../../support/until.ts";
import { serve } from "../_serving.ts";
import { ADA, authenticate, BOB, serveKnown, showing, statusOf, tellOwner } from "./_access.ts";

Deno.test("auth challenges who shows nothing, whatever is asked for", async () => {
  const resource = new ProtectedResource({
    resource: "https://mcp.example.com/mcp",
    authorizationServers: ["https://auth.example.com"],
  });
  await using serving = serveKnown({ resource, requiredScopes: ["tools"] });
  const response = await fetch(serving.url.replace("ws:", "http:"));
  assertEquals(response.status, 401);
  assertEquals(
    response.headers.get("WWW-Authenticate"),
    'Bearer realm="mcp", scope="tools", resource_metadata=' +
      '"https://mcp.example.com/.well-known/oauth-protected-resource/mcp"',
  );
  await response.body?.cancel();
  await assertRejects(() => JsonSocket.open(serving.url), Error, "401");
  const document = await fetch(`http://127.0.0.1:${serving.port}${resource.path}`);
  assertEquals((await document.json()).authorization_servers, ["https://auth.example.com"]);
});

Deno.test("auth tells handlers whose a connection is, by header or subprotocol", async () => {
  await using serving = serveKnown();
  await using ada = await JsonSocket.open(serving.url, { headers: showing(ADA) });
  await using bob = await JsonSocket.open(serving.url, { protocols: ["mcp", `mcp.auth.${BOB}`] });
  assertEquals((await ada.request("who")).result, { principal: "ada", client: "ada" });
  assertEquals((await bob.request("who")).result, { principal: "bob", client: "bob" });
  assertEquals(bob.socket.protocol, "mcp");
});

Deno.test("auth never echoes a credential, nor takes one for a protocol", async () => {
  await using serving = serveKnown();
  const headers = { ...UPGRADE_HEADERS, "Sec-WebSocket-Protocol": `mcp.auth.${ADA}` };
  const { socket, head } = await RawSocket.request(serving.port, headers);
  assertEquals(head.status, 101);
  assertEquals([...head.headers].filter(([, value]) => value.includes(ADA)), []);
  assertEquals(head.headers.get("Sec-WebSocket-Protocol"), null);
  socket.close();
});

Deno.test("auth refuses who shows something wrong, and says what", async () => {
  await using serving = serveKnown({ requiredScopes: ["tools"] });
  const wrong = await fetch(serving.url.replace("ws:", "http:"), {
    headers: showing("x".repeat(20)),
  });
  assertEquals([wrong.status, await wrong.text()], [401, "The token is unknown\n"]);
  assertMatch(wrong.headers.get("WWW-Authenticate")!, /error="invalid_token"/);
  assertEquals(await statusOf(serving.url, showing(BOB)), 403);
  assertEquals(await statusOf(serving.url, { Authorization: "Bearer" }), 400);
  assertEquals(await statusOf(`${serving.url}?access_token=${ADA}`), 400);
});

Deno.test("auth may take its time, and a request that has left meanwhile leaves nothing", async () => {
  const decision = Promise.withResolvers<void>();
  await using serving = serveKnown({
    authenticate: async (request, credential, context) => {
      await decision.promise;
      return authenticate(request, credential, context);
    },
  });
  const opening = JsonSocket.open(serving.url, { headers: showing(ADA) });
  const gone = await RawSocket.connect(serving.port);
  const lines = Object.entries({ ...UPGRADE_HEADERS, ...showing(ADA) })
    .map(([name, value]) => `${name}: ${value}`);
  await gone.write(["GET /mcp HTTP/1.1", ...lines, "", ""].join("\r\n"));
  gone.close();
  decision.resolve();
  await using client = await opening;
  assertEquals((await client.request("who")).result.principal, "ada");
  await until(() => serving.handler.health().activeConnections === 1);
});

Deno.test("auth that fails lets nobody in, and is told to who runs the server", async () => {
  const errors: Error[] = [];
  await using serving = serveKnown({
    authenticate: () => {
      throw new Error("database is down");
    },
  }, { onError: (error) => errors.push(error) });
  const response = await fetch(serving.url.replace("ws:", "http:"), { headers: showing(ADA) });
  assertEquals([response.status, response.headers.get("Retry-After")], [503, "5"]);
  assertEquals(await response.text(), "Nobody can be let in at the moment\n");
  assertEquals(errors.map(({ message }) => message), [
    "Cannot authenticate client: the check failed",
  ]);
});

Deno.test("auth lets a ticket in once, in the URL or in place of a token", async () => {
  const tickets = new Tickets();
  await using serving = serveKnown({ tickets });
  const ticket = tickets.mint({ id: "eve" });
  const url = `${serving.url}?ticket=${ticket}`;
  await using client = await JsonSocket.open(url);
  assertEquals((await client.request("who")).result.principal, "eve");
  await assertRejects(() => JsonSocket.open(url), Error, "401");
  const second = { headers: showing(tickets.mint({ id: "mallory" })) };
  await using other = await JsonSocket.open(serving.url, second);
  assertEquals((await other.request("who")).result.principal, "mallory");
  await assertRejects(() => JsonSocket.open(serving.url, second), Error, "401");
});

Deno.test("maxConnectionsPerPrincipal counts a principal's connections, and nobody else's", async () => {
  await using serving = serveKnown({}, { maxConnectionsPerPrincipal: 2 });
  const first = await JsonSocket.open(serving.url, { headers: showing(ADA) });
  await using second = await JsonSocket.open(serving.url, { headers: showing(ADA) });
  await assertRejects(() => JsonSocket.open(serving.url, { headers: showing(ADA) }), Error, "503");
  await using bob = await JsonSocket.open(serving.url, { headers: showing(BOB) });
  await first.close();
  await until(() => serving.handler.health().activeConnections === 2);
  await using third = await JsonSocket.open(serving.url, { headers: showing(ADA) });
  for (const client of [second, bob, third]) assert("result" in await client.request("who"));
});

Deno.test("rejectAfterUpgrade tells pages why they are refused, by a close code", async () => {
  await using serving = serveKnown({ requiredScopes: ["tools"] }, {
    rejectAfterUpgrade: true,
    maxConnectionsPerPrincipal: 1,
  });
  const closeOf = async (headers: HeadersInit) => {
    const socket = await JsonSocket.open(serving.url, { headers });
    socket.ask("who");
    return await socket.closed;
  };
  assertEquals(await closeOf({}), { code: 4401, reason: "A credential is needed" });
  assertEquals(await closeOf(showing(BOB)), {
    code: 4403,
    reason: "The token does not allow enough",
  });
  await using ada = await JsonSocket.open(serving.url, { headers: showing(ADA) });
  assertEquals((await ada.request("who")).result.principal, "ada");
  assertEquals(await closeOf(showing(ADA)), {
    code: 4503,
    reason: "Too many connections of this principal",
  });
  // What is no upgrade is still told by its status.
  assertEquals(await statusOf(serving.url), 401);
});

Deno.test("rejectAfterUpgrade does not wait for who says nothing", async () => {
  await using serving = serveKnown({}, { rejectAfterUpgrade: true });
  const socket = await JsonSocket.open(serving.url);
  assertEquals((await socket.closed).code, 4401);
});

Deno.test("allowedHosts names hosts besides this machine's; others are refused", async () => {
  await using serving = serve(tellOwner, { allowedHosts: ["mcp.example.com", "example.org:81"] });
  const table: [host: string, status: number][] = [
    ["127.0.0.1", 426],
    [`localhost:${serving.port}`, 426],
    ["mcp.example.com:8443", 426],
    ["example.org:81", 426],
    ["example.org", 403],
    ["evil.example", 403],
    ["127.0.0.1.evil.example", 403],
  ];
  for (const [host, status] of table) {
    const { socket, head } = await RawSocket.request(serving.port, { "Host": host });
    assertEquals(head.status, status, host);
    socket.close();
  }
});

Deno.test("admission counts connections by the address that a trusted proxy names", async () => {
  await using serving = serve(tellOwner, {
    trustedProxies: { addresses: ["127.0.0.1"] },
    admission: { maxConnectionsPerAddress: 2 },
  });
  const from = (address: string) => ({ headers: { "X-Forwarded-For": address } });
  const first = await JsonSocket.open(serving.url, from("192.0.2.1"));
  await using second = await JsonSocket.open(serving.url, from("192.0.2.1"));
  await assertRejects(() => JsonSocket.open(serving.url, from("192.0.2.1")), Error, "429");
  await using other = await JsonSocket.open(serving.url, from("192.0.2.2"));
  await first.close();
  await until(() => serving.handler.health().activeConnections === 2);
  await using third = await JsonSocket.open(serving.url, from("192.0.2.1"));
  for (const client of [second, third, other]) assert("result" in await client.request("who"));
});

Deno.test("admission frees the place of every upgrade that comes to nothing", async () => {
  await using serving = serveKnown({}, {
    trustedProxies: { addresses: ["127.0.0.1"] },
    admission: { maxConnectionsPerAddress: 1, upgradesPerAddress: false },
  });
  const from = { "X-Forwarded-For": "192.0.2.1" };
  for (let i = 0; i < 10; i++) {
    assertEquals(await statusOf(serving.url, from), 401);
    assertEquals(await statusOf(serving.url, { ...from, ...showing(ADA) }), 426);
    const { socket, head } = await RawSocket.request(serving.port, {
      ...UPGRADE_HEADERS,
      ...from,
      ...showing(ADA),
      "Sec-WebSocket-Version": "8",
    });
    assertEquals(head.status, 426);
    socket.close();
  }
  await using client = await JsonSocket.open(serving.url, {
    headers: { ...from, ...showing(ADA) },
  });
  assertEquals((await client.request("who")).result.principal, "ada");
});

Deno.test("admission says when to come back", async () => {
  await using serving = serve(tellOwner, { admission: { upgrades: { perSecond: 0.5, burst: 1 } } });
  assertEquals(await statusOf(serving.url), 426);
  const response = await fetch(serving.url.replace("ws:", "http:"));
  assertEquals([response.status, await response.text()], [503, "Too many upgrades\n"]);
  assertEquals(response.headers.get("Retry-After"), "2");
});

Deno.test("createWebSocketHandler() refuses options about access that make no sense", () => {
  const make = (options: unknown) => () => createWebSocketHandler(tellOwner, options as never);
  const table: [options: unknown, message: string][] = [
    [{ auth: {} }, '"auth.authenticate" must be a function: current value is undefined'],
    [{ auth: { authenticate }, principalOf: () => "a" }, '"principalOf" and "auth" exclude'],
    [{ allowedHosts: "a" }, '"allowedHosts" must be a list of hosts or a function'],
    [{ allowedHosts: ["http://a"] }, '"allowedHosts" must be made of hosts'],
    [{ trustedProxies: { addresses: ["nowhere"] } }, "nowhere"],
  ];
  for (const [options, message] of table) assertThrows(make(options), TypeError, message);
  const ranges: [options: unknown, message: string][] = [
    [{ maxConnectionsPerPrincipal: 0 }, '"maxConnectionsPerPrincipal" must be a positive integer'],
    [{ admission: { maxUnauthenticated: 0 } }, '"maxUnauthenticated" must be a positive integer'],
    [{ auth: { authenticate, timeout: 0 } }, '"timeout" must be positive'],
  ];
  for (const [options, message] of ranges) assertThrows(make(options), RangeError, message);
});
