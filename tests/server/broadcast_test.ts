import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  type BroadcastOptions,
  MCPCapacityError,
  MCPWebSocketServer,
  type MCPWebSocketServerOptions,
  type ServerSession,
} from "../../server/mod.ts";
import { JsonSocket } from "../support/json_socket.ts";
import { RawSocket, UPGRADE_HEADERS } from "../support/raw_socket.ts";
import { SessionPeer } from "../support/session_peer.ts";
import { until } from "../support/until.ts";
import { collectSessions, note, serve } from "./_serving.ts";

/** A server with clients whose users are "ada", "ada" and "bob", in this order. */
async function open(options: Partial<MCPWebSocketServerOptions> = {}): Promise<
  & { server: MCPWebSocketServer; clients: JsonSocket[]; ids: string[]; sessions: ServerSession[] }
  & AsyncDisposable
> {
  const sessions: ServerSession[] = [];
  const server = new MCPWebSocketServer({
    name: "test",
    version: "1.0.0",
    principalOf: ({ headers }) => headers.get("x-user") ?? undefined,
    ...options,
  });
  server.handle("x/hello", (_, { session }) => void sessions.push(session));
  const { url } = await server.start({ port: 0 });
  const clients: JsonSocket[] = [];
  for (const user of ["ada", "ada", "bob"]) {
    const client = await JsonSocket.open(url, { headers: { "x-user": user } });
    await client.request("x/hello");
    clients.push(client);
  }
  return {
    server,
    clients,
    ids: sessions.map(({ id }) => id),
    sessions,
    async [Symbol.asyncDispose]() {
      await Promise.all(clients.map((client) => client.close()));
      await server.stop();
    },
  };
}

/** What each client has heard before the answer to a request that it sends now. */
function heard(clients: JsonSocket[]): Promise<string[][]> {
  return Promise.all(clients.map(async (client) => {
    const id = client.ask("ping");
    const methods: string[] = [];
    for (;;) {
      const message = await client.next();
      if (message.id === id) return methods;
      methods.push(message.method);
    }
  }));
}

Deno.test("MCPWebSocketServer.broadcast() reaches exactly the audience", async () => {
  await using scene = await open();
  const { server, clients, ids, sessions } = scene;
  const [a, b, c] = ids as [string, string, string];
  server.subscribe(a, "news");
  server.subscribe(sessions[2]!, "news");
  const cases: [BroadcastOptions<ServerSession>, number[]][] = [
    [{}, [0, 1, 2]],
    [{ except: [b] }, [0, 2]],
    [{ to: { ids: [b] } }, [1]],
    [{ to: { ids: [b, "nobody", b, c] } }, [1, 2]],
    [{ to: { ids: [] } }, []],
    [{ to: { principal: "ada" } }, [0, 1]],
    [{ to: { principal: "ada" }, except: [a] }, [1]],
    [{ to: { principal: "eve" } }, []],
    [{ to: { topic: "news" } }, [0, 2]],
    [{ to: { topic: "news" }, except: [c] }, [0]],
    [{ to: { topic: "olds" } }, []],
    [{ to: (session) => session === sessions[1] }, [1]],
    [{ to: ({ principal }) => principal?.id === "bob" }, [2]],
    [{ to: () => true, except: [a, b, c] }, []],
  ];
  for (const [options, reached] of cases) {
    assertEquals(server.broadcast("x/note", {}, options), reached.length);
    const expected = clients.map((_, i) => reached.includes(i) ? ["x/note"] : []);
    assertEquals(await heard(clients), expected, JSON.stringify(options));
  }
});

Deno.test("MCPWebSocketServer.broadcast() refuses an audience that is none, and sends nothing", async () => {
  await using scene = await open();
  const { server, clients } = scene;
  const to = { room: "news" } as unknown as { topic: string };
  assertThrows(
    () => server.broadcast("x/note", {}, { to }),
    TypeError,
    'Cannot broadcast as "to" must be a function, or have "ids", "principal" or "topic"',
  );
  const picky = ({ id }: ServerSession) => {
    if (id === scene.ids[2]) throw new RangeError("picky");
    return true;
  };
  assertThrows(() => server.broadcast("x/note", {}, { to: picky }), RangeError, "picky");
  assertEquals(await heard(clients), [[], [], []]);
});

Deno.test("MCPWebSocketServer.publish() reaches those who are in the topic, until they leave", async () => {
  await using scene = await open();
  const { server, clients, ids: [a, b] } = scene;
  assertEquals(server.publish("news", "x/0"), 0);
  assertEquals([server.subscribe(a!, "news"), server.subscribe(b!, "news")], [true, true]);
  assertEquals(server.subscribe(a!, "news"), true);
  assertEquals(server.publish("news", "x/1", { n: 1 }), 2);
  assertEquals(server.publish("news", "x/2", { n: 1 }, { except: [a!] }), 1);
  assertEquals([server.unsubscribe(a!, "news"), server.unsubscribe(a!, "news")], [true, false]);
  assertEquals(server.publish("news", "x/3"), 1);
  assertEquals(await heard(clients), [["x/1"], ["x/1", "x/2", "x/3"], []]);
});

Deno.test("MCPWebSocketServer.subscribe() knows nobody who is gone, and forgets who goes", async () => {
  await using scene = await open({ subscriptions: { maxInAll: 1 } });
  const { server, clients, ids: [a, b], sessions } = scene;
  assertEquals(server.subscribe("nobody", "news"), false);
  assertEquals(server.unsubscribe("nobody", "news"), false);
  server.subscribe(a!, "news");
  assertThrows(() => server.subscribe(b!, "other"), MCPCapacityError, "there may be 1 names");
  await clients[0]!.close();
  await sessions[0]!.transport.closed;
  assertEquals(server.subscribe(sessions[0]!, "news"), false);
  // Its topic is gone with it: there is room for another one.
  assertEquals(server.subscribe(b!, "other"), true);
  assertEquals(server.publish("news", "x/note"), 0);
  const closing = sessions[2]!.transport.close();
  assertEquals(server.subscribe(sessions[2]!, "other"), false);
  await closing;
});

Deno.test("MCPWebSocketServer.subscribe() bounds what one client is in", async () => {
  await using scene = await open({ subscriptions: { maxPerSession: 2, maxLength: 4 } });
  const { server, ids: [a, b] } = scene;
  for (const topic of ["one", "two"]) assert(server.subscribe(a!, topic));
  const error = assertThrows(() => server.subscribe(a!, "more"), MCPCapacityError);
  assertEquals(error.limit, 2);
  assert(server.subscribe(b!, "more"));
  assertThrows(() => server.subscribe(b!, "three"), RangeError, "1 to 4 characters");
});

Deno.test("MCPWebSocketServer.publish() reaches nobody of a server that was started again", async () => {
  await using scene = await open();
  const { server, clients, ids: [a] } = scene;
  server.subscribe(a!, "news");
  await Promise.all([server.stop(), ...clients.map(({ closed }) => closed)]);
  await server.start({ port: 0 });
  assertEquals(server.publish("news", "x/note"), 0);
});

Deno.test("WebSocketHandler.subscribe() keeps a session in its topic while its client is away", async () => {
  const { sessions, onSession } = collectSessions();
  await using serving = serve(onSession);
  const { handler, port } = serving;
  await using peer = new SessionPeer(port);
  await peer.open();
  await peer.request("x/hello");
  const [session] = sessions;
  assert(handler.subscribe(session!, "news"));
  await peer.drop();
  await until(() => !session!.isAttached);
  assertEquals(handler.broadcast(note(1), { to: { topic: "news" } }), 1);
  await peer.open();
  assertEquals(await peer.next(), note(1));
  assertEquals(handler.broadcast(note(2), { to: { topic: "news" } }), 1);
  assertEquals(await peer.next(), note(2));
});

Deno.test("WebSocketHandler.subscribe() takes no connection of another handler", async () => {
  const { sessions, onSession } = collectSessions();
  await using serving = serve(onSession);
  await using other = serve();
  await using _client = await JsonSocket.open(serving.url);
  assertEquals(other.handler.subscribe(sessions[0]!, "news"), false);
  assertEquals(serving.handler.subscribe(sessions[0]!, "news"), true);
  assertEquals(other.handler.broadcast(note(1), { to: { topic: "news" } }), 0);
});

Deno.test("WebSocketHandler.broadcast() is not held up by who does not read; that one goes with 4429", async () => {
  const { sessions, onSession } = collectSessions();
  await using serving = serve(onSession, { maxSendBytes: 1024 * 1024 });
  const { handler, port, url } = serving;
  const { socket, head } = await RawSocket.request(port, {
    ...UPGRADE_HEADERS,
    "Sec-WebSocket-Protocol": "mcp",
  });
  using _stuck = socket;
  assertEquals(head.status, 101);
  await using quick = await JsonSocket.open(url);
  await quick.request("x/hello");
  const text = "x".repeat(512 * 1024);
  const ended = sessions[0]!.closed;
  let rounds = 0;
  // Sockets of the system hold some megabytes before anything waits.
  while (sessions[0]!.isOpen && rounds < 1_000) {
    assertEquals(handler.broadcast({ jsonrpc: "2.0", method: "x/big", params: { text } }), 2);
    assertEquals((await quick.next()).method, "x/big");
    rounds++;
  }
  assertEquals(await ended, { code: 4429, reason: "The peer reads too slowly" });
  assertEquals(handler.broadcast(note(1)), 1);
  assertEquals(await quick.next(), note(1));
});
