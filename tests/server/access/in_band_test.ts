import { assertEquals } from "@std/assert";
import { JsonSocket } from "../../support/json_socket.ts";
import { ManualClock } from "../../support/manual_clock.ts";
import { SessionPeer } from "../../support/session_peer.ts";
import { until } from "../../support/until.ts";
import { ADA, authenticate, BOB, serveKnown, showing } from "./_access.ts";

const REQUIRED = {
  code: -32001,
  message: "Authentication is required: the first request must be authenticate",
};

Deno.test("auth.inBand serves a plain client nothing before it has said who it is", async () => {
  await using serving = serveKnown({ inBand: true });
  await using client = await JsonSocket.open(serving.url);
  client.notify("note");
  assertEquals((await client.request("who")).error, REQUIRED);
  assertEquals(serving.handler.sessions.size, 0);
  assertEquals((await client.request("authenticate", { token: ADA })).result, {});
  assertEquals((await client.request("who")).result, { principal: "ada", client: "ada" });
});

Deno.test("auth.inBand holds what comes behind a token until it is judged", async () => {
  const asked = Promise.withResolvers<void>();
  await using serving = serveKnown({
    inBand: true,
    authenticate: async (request, credential, context) => {
      if (credential !== undefined) await asked.promise;
      return authenticate(request, credential, context);
    },
  });
  await using client = await JsonSocket.open(serving.url);
  client.ask("authenticate", { token: BOB });
  client.ask("who");
  client.ask("who");
  asked.resolve();
  assertEquals(await client.next(), { jsonrpc: "2.0", id: 1, result: {} });
  for (const id of [2, 3]) {
    assertEquals(await client.next(), {
      jsonrpc: "2.0",
      id,
      result: { principal: "bob", client: "bob" },
    });
  }
});

Deno.test("auth.inBand sends a plain client away after three wrong tokens", async () => {
  await using serving = serveKnown({ inBand: true });
  const client = await JsonSocket.open(serving.url);
  const wrong = { code: -32001, message: "The token is unknown" };
  for (let i = 0; i < 2; i++) {
    const answer = await client.request("authenticate", { token: "x".repeat(20) });
    assertEquals(answer.error, wrong);
  }
  const malformed = await client.request("authenticate", {});
  assertEquals(malformed.error, { code: -32001, message: "The credential is malformed" });
  assertEquals(await client.closed, { code: 4401, reason: "The credential is malformed" });
  await until(() => serving.handler.health().activeConnections === 0);
});

Deno.test("auth.inBand sends a plain client away that goes on without a token", async () => {
  await using serving = serveKnown({ inBand: true });
  const client = await JsonSocket.open(serving.url);
  for (let i = 0; i < 16; i++) assertEquals((await client.request("who")).error, REQUIRED);
  client.ask("who");
  assertEquals((await client.closed).code, 4401);
});

Deno.test("auth.inBand waits ten seconds for a plain client to say who it is", async () => {
  const clock = new ManualClock();
  await using serving = serveKnown({ inBand: true }, { clock });
  const client = await JsonSocket.open(serving.url);
  assertEquals((await client.request("who")).error, REQUIRED);
  clock.advance(10_000);
  assertEquals(await client.closed, { code: 4401, reason: "No credential came in time" });
});

Deno.test("auth.inBand lets nobody be one more than a principal may", async () => {
  await using serving = serveKnown({ inBand: true }, { maxConnectionsPerPrincipal: 1 });
  await using first = await JsonSocket.open(serving.url, { headers: showing(ADA) });
  const second = await JsonSocket.open(serving.url);
  assertEquals((await second.request("authenticate", { token: ADA })).result, {});
  assertEquals((await second.closed).code, 4503);
  assertEquals((await first.request("who")).result.principal, "ada");
});

Deno.test("auth.inBand sends who has yet to say who it is away when the server closes", async () => {
  await using serving = serveKnown({ inBand: true });
  const client = await JsonSocket.open(serving.url);
  assertEquals((await client.request("who")).error, REQUIRED);
  await serving.handler.close();
  assertEquals((await client.closed).code, 1001);
});

Deno.test("auth.inBand takes the token of a hello", async () => {
  await using serving = serveKnown({ inBand: true });
  await using peer = new SessionPeer(serving.port);
  await peer.open({ auth: ADA });
  assertEquals((await peer.request("who")).result.principal, "ada");
  await peer.drop();
  await peer.dial();
  peer.hello({ auth: BOB });
  assertEquals((await peer.control("end")).code, 4403);
  assertEquals((await peer.open({ auth: ADA })).resumed, true);
});

Deno.test("auth.inBand sends a hello away that shows nothing, or something wrong", async () => {
  await using serving = serveKnown({ inBand: true });
  await using peer = new SessionPeer(serving.port);
  await peer.dial();
  peer.hello();
  assertEquals(await peer.control("end"), { code: 4401, reason: "A credential is needed" });
  await peer.dial();
  peer.hello({ auth: "x".repeat(20) });
  assertEquals(await peer.control("end"), { code: 4401, reason: "The token is unknown" });
  assertEquals((await peer.open({ auth: ADA })).resumed, false);
});

Deno.test("auth without inBand does not look at the token of a hello", async () => {
  await using serving = serveKnown();
  await using peer = new SessionPeer(serving.port, { headers: showing(ADA) });
  await peer.open({ auth: BOB });
  assertEquals((await peer.request("who")).result.principal, "ada");
});

Deno.test("auth.inBand takes a plain client behind a header that was lost on the way", async () => {
  await using serving = serveKnown({ inBand: true });
  await using client = await JsonSocket.open(serving.url, { protocols: ["bowline.v1"] });
  assertEquals((await client.request("who")).error, REQUIRED);
  assertEquals((await client.request("authenticate", { token: ADA })).result, {});
  assertEquals((await client.request("who")).result.principal, "ada");
});
