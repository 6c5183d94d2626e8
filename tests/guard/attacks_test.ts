import { assert, assertEquals } from "@std/assert";
import { JsonSocket } from "../support/json_socket.ts";
import { OPCODES, RawSocket, UPGRADE_HEADERS } from "../support/raw_socket.ts";
import { until } from "../support/until.ts";
import { startGuard } from "../../guard/mod.ts";
import { GuardedChild } from "./_child.ts";
import { frame, header } from "./_frames.ts";
import { serveGuarded } from "./_guarded.ts";

const TLS = new URL("../support/tls/", import.meta.url);
const readPem = (name: string) => Deno.readTextFileSync(new URL(name, TLS));
const [cert, key, ca] = ["server_cert.pem", "server_key.pem", "ca_cert.pem"].map(readPem);
const IS_LINUX = Deno.build.os === "linux";
/** The beginning of a TLS record. */
const UNFINISHED_HELLO = new Uint8Array([22, 3, 1, 2, 0]);
/** The server's own heartbeat would be quicker than the guard. */
const QUIET = { heartbeatTimeout: false } as const;

async function open(port: number): Promise<RawSocket> {
  const { socket, head } = await RawSocket.request(port, UPGRADE_HEADERS);
  assertEquals(head.status, 101);
  return socket;
}

/** The code with which the server says goodbye. */
async function closeCode(socket: RawSocket): Promise<number> {
  for (;;) {
    const { opcode, payload } = await socket.readFrame();
    if (opcode === OPCODES.CLOSE) return (payload[0] ?? 0) * 256 + (payload[1] ?? 0);
  }
}

/** Writes until the other side has gone, or does not take any more. */
async function writeAsLongAsPossible(socket: RawSocket, chunk: Uint8Array): Promise<number> {
  let written = 0;
  try {
    for (;;) {
      await socket.write(chunk);
      written += chunk.length;
    }
  } catch {
    return written;
  }
}

function openSockets(): number {
  return [...Deno.readDirSync("/proc/self/fd")].filter(({ name }) => {
    try {
      return Deno.readLinkSync(`/proc/self/fd/${name}`).startsWith("socket:");
    } catch {
      // The descriptor of the directory itself.
      return false;
    }
  }).length;
}

Deno.test("Guard ends 200 heads that never end, while others are served", async () => {
  await using guarded = serveGuarded({ headerTimeout: 1_000 });
  await using veteran = await JsonSocket.open(guarded.url);
  const crowd = await Promise.all([...Array(200)].map(() => RawSocket.connect(guarded.port)));
  await Promise.all(crowd.map((socket) => socket.write("GET /mcp HTTP/1.1\r\nX")));
  await until(() => guarded.guard.stats().handshakes === 200);
  await using newcomer = await JsonSocket.open(guarded.url);
  for (const socket of [veteran, newcomer]) {
    assertEquals((await socket.request("x")).result, {});
  }
  const heads = await Promise.all(crowd.map((socket) => socket.readHead()));
  assertEquals(new Set(heads.map(({ status }) => status)), new Set([408]));
  for (const socket of crowd) socket.close();
  await until(() => guarded.guard.stats().handshakes === 0);
  assertEquals(guarded.guard.stats().ended, { headerTimeout: 200 });
  assertEquals((await veteran.request("x")).result, {});
  await veteran.close();
  await newcomer.close();
});

Deno.test("Guard ends the oldest handshake when there is one too many, and a newcomer is served", async () => {
  await using guarded = serveGuarded({ maxHandshakes: 3 });
  const crowd: RawSocket[] = [];
  for (let i = 0; i < 3; i++) crowd.push(await RawSocket.connect(guarded.port));
  await until(() => guarded.guard.stats().handshakes === 3);
  await using newcomer = await JsonSocket.open(guarded.url);
  assertEquals((await newcomer.request("x")).result, {});
  await crowd[0]?.awaitEnd();
  assertEquals(guarded.guard.stats().ended, { crowded: 1 });
  for (const socket of crowd) socket.close();
  await newcomer.close();
});

Deno.test("Guard closes connections beyond the limit at once", async () => {
  await using guarded = serveGuarded({ maxConnections: 2 });
  using first = await open(guarded.port);
  using second = await RawSocket.connect(guarded.port);
  using third = await RawSocket.connect(guarded.port);
  await third.awaitEnd();
  assertEquals(guarded.guard.stats().ended, { full: 1 });
  first.close();
  second.close();
  await until(() => guarded.guard.stats().connections === 0);
  using _next = await open(guarded.port);
});

const outside = Deno.networkInterfaces().find(({ family, address }) =>
  family === "IPv4" && !address.startsWith("127.")
)?.address;

Deno.test({
  name: "Guard closes connections beyond the limit of their address at once",
  ignore: outside === undefined,
  async fn() {
    await using guard = startGuard(
      { hostname: "0.0.0.0", port: 0, maxConnectionsPerAddress: 2 },
      () => new Response("ok"),
    );
    const connect = () => Deno.connect({ hostname: outside ?? "", port: guard.port });
    using _first = await connect();
    using _second = await connect();
    using third = await connect();
    assertEquals(await third.read(new Uint8Array(1)), null);
    // This machine's own address is not counted.
    const response = await fetch(`http://127.0.0.1:${guard.port}/`);
    assertEquals(await response.text(), "ok");
    assertEquals(guard.stats().ended.address, 1);
  },
});

Deno.test("Guard answers 504 for a server that does not", async () => {
  await using guard = startGuard({ port: 0, answerTimeout: 200 }, () => new Promise(() => {}));
  const { socket, head } = await RawSocket.request(guard.port, UPGRADE_HEADERS);
  using _socket = socket;
  assertEquals(head.status, 504);
});

Deno.test("Guard closes with 1009 when fragments come to too much, and the server stays small", {
  ignore: !IS_LINUX,
}, async () => {
  await using child = new GuardedChild(1_024);
  const port = await child.port();
  const chunk = new Uint8Array(256 * 1024);
  const start = frame({ opcode: 1, payload: chunk, isFinal: false });
  const next = frame({ opcode: 0, payload: chunk, isFinal: false });
  const attack = async () => {
    using socket = await open(port);
    await socket.write(start);
    const code = closeCode(socket).catch(() => 1006);
    const written = await writeAsLongAsPossible(socket, next);
    return { code: await code, written, resident: child.residentBytes() };
  };
  const attacks = await Promise.all([...Array(40)].map(attack));
  const written = attacks.reduce((sum, attack) => sum + attack.written, 0);
  const largest = Math.max(...attacks.map(({ resident }) => resident));
  assertEquals(attacks.filter(({ code }) => code !== 1009 && code !== 1006), []);
  assert(written > 40 * 1024 * 1024, `${written}`);
  assert(largest < 400 * 1024 * 1024, `${largest}`);
  await using healthy = await JsonSocket.open(`ws://127.0.0.1:${port}/mcp`);
  assertEquals((await healthy.request("ping")).result, {});
  await healthy.close();
});

Deno.test("Guard says 1009 for a frame that announces too much, 1002 for one that is none", async () => {
  await using guarded = serveGuarded({ maxMessageBytes: 1_000 });
  const table: [Uint8Array, number][] = [
    [new Uint8Array([...header({ opcode: 1 }, 2 ** 40), 0, 0, 0, 0]), 1009],
    [frame({ opcode: 1, payload: new Uint8Array(4), isMasked: false }), 1002],
    [frame({ opcode: 1, reserved: 4 }), 1002],
    [frame({ opcode: 5 }), 1002],
    [frame({ opcode: 9, payload: new Uint8Array(126) }), 1002],
  ];
  for (const [wrong, code] of table) {
    using socket = await open(guarded.port);
    await socket.write(wrong);
    assertEquals(await closeCode(socket), code);
    await socket.awaitEnd();
  }
  await until(() => guarded.guard.stats().connections === 0);
  assertEquals(guarded.guard.stats().ended, { tooLarge: 1, malformed: 4 });
  assertEquals(guarded.handler.health().activeConnections, 0);
});

Deno.test("Guard cuts off who holds most, when all together leave too much unfinished", async () => {
  await using guarded = serveGuarded({ maxUnfinishedBytes: 250_000 });
  using greedy = await open(guarded.port);
  using modest = await open(guarded.port);
  await greedy.write(
    frame({ opcode: 1, payload: new Uint8Array(200_000).fill(32), isFinal: false }),
  );
  await until(() => guarded.guard.stats().unfinishedBytes === 200_000);
  await modest.write(
    frame({ opcode: 1, payload: new Uint8Array(100_000).fill(32), isFinal: false }),
  );
  await greedy.awaitEnd();
  assertEquals(guarded.guard.stats().ended, { unfinished: 1 });
  assertEquals(guarded.guard.stats().unfinishedBytes, 100_000);
  const rest = new TextEncoder().encode(JSON.stringify({ jsonrpc: "2.0", id: 1, method: "x" }));
  await modest.write(frame({ opcode: 0, payload: rest }));
  const { payload } = await modest.readFrame();
  assertEquals(JSON.parse(new TextDecoder().decode(payload)).id, 1);
  assertEquals(guarded.guard.stats().unfinishedBytes, 0);
});

Deno.test("Guard ends a client that is silent, not one that speaks", async () => {
  await using guarded = serveGuarded({ idleTimeout: 1_000 }, QUIET);
  await using healthy = await JsonSocket.open(guarded.url);
  const talk = setInterval(() => healthy.ask("x"), 50);
  using silent = await open(guarded.port);
  await silent.awaitEnd();
  clearInterval(talk);
  await until(() => guarded.handler.health().activeConnections === 1);
  assertEquals(guarded.guard.stats().ended, { idleTimeout: 1 });
  await healthy.close();
});

Deno.test("Guard ends a message that trickles, whatever else its client says", async () => {
  await using guarded = serveGuarded({ messageTimeout: 400 }, QUIET);
  using socket = await open(guarded.port);
  await socket.write(frame({ opcode: 1, payload: new Uint8Array(9), isFinal: false }));
  const trickle = setInterval(() => {
    socket.write(frame({ opcode: 9 })).catch(() => {});
  }, 50);
  await socket.awaitEnd();
  clearInterval(trickle);
  await until(() => guarded.guard.stats().connections === 0);
  assertEquals(guarded.guard.stats().ended, { messageTimeout: 1 });
});

for (const scheme of ["ws", "wss"]) {
  Deno.test(`Guard ends a ${scheme} client that does not read, and keeps no descriptor of it`, {
    ignore: !IS_LINUX,
  }, async () => {
    const tls = scheme === "wss" ? { cert, key } : {};
    const text = "x".repeat(1024 * 1024);
    const flood = { jsonrpc: "2.0", method: "note", params: { text } } as const;
    await using guarded = serveGuarded({ writeTimeout: 500, ...tls }, QUIET, async (session) => {
      await session.start();
      for (let i = 0; i < 30; i++) Promise.resolve(session.post(flood)).catch(() => {});
    });
    const before = openSockets();
    const { port } = guarded;
    const connection = scheme === "wss"
      ? await Deno.connectTls({ hostname: "127.0.0.1", port, caCerts: [ca ?? ""] })
      : await Deno.connect({ hostname: "127.0.0.1", port });
    const lines = Object.entries(UPGRADE_HEADERS).map(([name, value]) => `${name}: ${value}`);
    const head = ["GET /mcp HTTP/1.1", ...lines, "", ""].join("\r\n");
    await connection.write(new TextEncoder().encode(head));
    await until(() => guarded.guard.stats().ended.writeTimeout === 1);
    // The client's own end is still there.
    await until(() => openSockets() === before + 1);
    await until(() => guarded.handler.health().activeConnections === 0);
    connection.close();
  });
}

Deno.test("Guard keeps no descriptor of TLS handshakes that never end", {
  ignore: !IS_LINUX,
}, async () => {
  await using guarded = serveGuarded({ cert, key, headerTimeout: 500 });
  const crowd: RawSocket[] = [];
  const stall = async (count: number) => {
    const some = await Promise.all([...Array(count)].map(() => RawSocket.connect(guarded.port)));
    await Promise.all(some.slice(count / 2).map((socket) => socket.write(UNFINISHED_HELLO)));
    crowd.push(...some);
    await until(() => guarded.guard.stats().ended.headerTimeout === crowd.length);
  };
  // The first one makes the runtime open sockets of its own.
  await stall(2);
  const before = openSockets();
  await stall(20);
  await until(() => openSockets() === before + 20);
  for (const socket of crowd) socket.close();
});

Deno.test("Guard survives running out of file descriptors", {
  ignore: Deno.build.os === "windows",
}, async () => {
  await using child = new GuardedChild(80);
  const port = await child.port();
  const url = `ws://127.0.0.1:${port}/mcp`;
  await using veteran = await JsonSocket.open(url);
  const crowd = await Promise.all([...Array(120)].map(() => RawSocket.connect(port)));
  await child.wrote(/Cannot accept connections for (\d+) ms/);
  assertEquals((await veteran.request("ping")).result, {});
  for (const socket of crowd) socket.close();
  let newcomer: JsonSocket | undefined;
  while (newcomer === undefined) newcomer = await JsonSocket.open(url).catch(() => undefined);
  assertEquals((await newcomer.request("ping")).result, {});
  assertEquals((await veteran.request("ping")).result, {});
  await newcomer.close();
  await veteran.close();
});
