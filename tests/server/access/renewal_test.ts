import { assertEquals } from "@std/assert";
import type { AuthOptions } from "../../../server/auth/gate.ts";
import { JsonSocket } from "../../support/json_socket.ts";
import { ManualClock } from "../../support/manual_clock.ts";
import { SessionPeer } from "../../support/session_peer.ts";
import { until } from "../../support/until.ts";
import { ADA, BOB, serveKnown, showing } from "./_access.ts";

/** Tokens such as `ada:1000` belong to Ada for a second. */
function expiring(clock: ManualClock): AuthOptions["authenticate"] {
  return (_request, credential) => {
    if (credential === undefined) return { type: "challenge" };
    const [id = "", ms = ""] = credential.token.split("-");
    const principal = { id, clientId: credential.token, expiresAt: clock.now() + Number(ms) };
    return { type: "accept", principal };
  };
}

Deno.test("authenticate replaces the credential of an open connection", async () => {
  const clock = new ManualClock();
  await using serving = serveKnown({ authenticate: expiring(clock) }, { clock });
  await using client = await JsonSocket.open(serving.url, { headers: showing("ada-1000") });
  clock.advance(900);
  assertEquals((await client.request("authenticate", { token: "ada-2000" })).result, {});
  clock.advance(1_999);
  const { result } = await client.request("who");
  assertEquals(result, { principal: "ada", client: "ada-2000" });
  clock.advance(1);
  assertEquals(await client.closed, { code: 4401, reason: "The credential has expired" });
});

Deno.test("authenticate refuses another principal, and what is no token", async () => {
  await using serving = serveKnown();
  await using client = await JsonSocket.open(serving.url, { headers: showing(ADA) });
  const table: [params: Record<string, unknown>, message: string][] = [
    [{ token: BOB }, "The token belongs to somebody else"],
    [{ token: "x".repeat(20) }, "The token is unknown"],
    [{ token: 1 }, "The credential is malformed"],
    [{}, "The credential is malformed"],
  ];
  for (const [params, message] of table) {
    assertEquals((await client.request("authenticate", params)).error, { code: -32001, message });
  }
  assertEquals((await client.request("who")).result.principal, "ada");
  assertEquals(serving.handler.health().activeConnections, 1);
});

Deno.test("authenticate judges one token of a connection at a time", async () => {
  const judged = Promise.withResolvers<void>();
  let count = 0;
  await using serving = serveKnown({
    authenticate: async () => {
      if (++count > 1) await judged.promise;
      return { type: "accept", principal: { id: "ada" } };
    },
  });
  await using client = await JsonSocket.open(serving.url, { headers: showing(ADA) });
  client.ask("authenticate", { token: ADA });
  const second = client.ask("authenticate", { token: ADA });
  const answer = await client.next();
  assertEquals([answer.id, answer.error.message], [second, "No token can be judged now"]);
  judged.resolve();
  assertEquals((await client.next()).result, {});
  assertEquals(count, 2);
});

Deno.test("authenticate is a method like any other where nobody asks who clients are", async () => {
  await using serving = serveKnown({}, { auth: undefined });
  await using client = await JsonSocket.open(serving.url);
  assertEquals((await client.request("authenticate", { token: ADA })).result, {});
  assertEquals((await client.request("who")).result, {});
});

Deno.test("a session whose credential expires waits for a fresh one, and loses nothing", async () => {
  const clock = new ManualClock();
  await using serving = serveKnown({ authenticate: expiring(clock), inBand: true }, { clock });
  await using peer = new SessionPeer(serving.port);
  await peer.open({ auth: "ada-1000" });
  assertEquals((await peer.request("who")).result.client, "ada-1000");
  clock.advance(1_000);
  const { code, reason } = await peer.control("end");
  assertEquals([code, reason], [4401, "The credential has expired"]);
  await peer.closed;
  assertEquals(serving.handler.health().detachedSessions, 1);
  peer.ask("who");
  assertEquals((await peer.open({ auth: "ada-5000" })).resumed, true);
  assertEquals((await peer.next()).result, { principal: "ada", client: "ada-5000" });
});

Deno.test("a session takes a fresh credential in a request, like any connection", async () => {
  const clock = new ManualClock();
  await using serving = serveKnown({ authenticate: expiring(clock) }, { clock });
  await using peer = new SessionPeer(serving.port, { headers: showing("ada-1000") });
  await peer.open();
  assertEquals((await peer.request("authenticate", { token: "ada-9000" })).result, {});
  clock.advance(1_000);
  assertEquals((await peer.request("who")).result.client, "ada-9000");
  assertEquals(peer.count("end"), 0);
});

Deno.test("WebSocketHandler.revoke() ends a principal's connections and sessions, and nobody else's", async () => {
  await using serving = serveKnown();
  const { handler, url, port } = serving;
  const plain = await JsonSocket.open(url, { headers: showing(ADA) });
  await using peer = new SessionPeer(port, { headers: showing(ADA) });
  await peer.open();
  await using detached = new SessionPeer(port, { headers: showing(ADA) });
  await detached.open();
  await detached.drop();
  await until(() => handler.health().detachedSessions === 1);
  await using bob = await JsonSocket.open(url, { headers: showing(BOB) });
  const [count, end, closed] = await Promise.all([
    handler.revoke("ada", "Fired"),
    peer.control("end"),
    plain.closed,
  ]);
  assertEquals(count, 3);
  assertEquals([end.code, end.reason], [4403, "Fired"]);
  assertEquals(closed, { code: 4403, reason: "Fired" });
  assertEquals((await bob.request("who")).result.principal, "bob");
  assertEquals(handler.health().activeConnections, 1);
  // The credential is still good here, but the sessions are gone.
  await detached.dial();
  detached.hello();
  assertEquals((await detached.control("end")).code, 1000);
});
