import { assertEquals } from "@std/assert";
import { SessionRegistry } from "../../server/registry.ts";
import type { WebSocketServerTransport } from "../../server/transport.ts";

/** What the registry looks at. */
function sessionOf(id: string, messagesIn: number, messagesOut: number): WebSocketServerTransport {
  return { id, messagesIn, messagesOut } as WebSocketServerTransport;
}

Deno.test("SessionRegistry counts a place from the moment it is reserved", () => {
  const registry = new SessionRegistry();
  const seat = registry.reserve(undefined);
  assertEquals([registry.active, registry.total, registry.sessions.size], [1, 0, 0]);
  seat.take(sessionOf("a", 1, 2));
  assertEquals([registry.active, registry.total, registry.sessions.size], [1, 1, 1]);
});

Deno.test("SessionRegistry frees a place once, however often it is told", () => {
  const registry = new SessionRegistry();
  const [first, second] = [registry.reserve(undefined), registry.reserve(undefined)];
  first.free();
  first.free();
  assertEquals(registry.active, 1);
  const session = sessionOf("a", 1, 2);
  second.take(session);
  second.free();
  assertEquals(registry.active, 1);
  assertEquals([registry.retire(session), registry.retire(session)], [true, false]);
  assertEquals([registry.active, registry.total, registry.sessions.size], [0, 1, 0]);
  assertEquals([registry.messagesIn, registry.messagesOut], [1, 2]);
});

Deno.test("SessionRegistry sums what is open and what has gone", () => {
  const registry = new SessionRegistry();
  const [first, second] = [registry.reserve(undefined), registry.reserve(undefined)];
  const session = sessionOf("a", 1, 2);
  first.take(session);
  second.take(sessionOf("b", 10, 20));
  registry.retire(session);
  assertEquals([registry.messagesIn, registry.messagesOut], [11, 22]);
});
