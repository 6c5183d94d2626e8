import { assert, assertEquals, assertInstanceOf, assertStringIncludes } from "@std/assert";
import { MCPConnectionError, MCPTimeoutError } from "../../client/mod.ts";
import { playLegacy, ScriptedServer, type Visit } from "../support/scripted_server.ts";
import { assertConnectionError, hostileTest, SECRET, Victim } from "./support/hostile.ts";

/** The head of an upgrade that was taken, with these lines changed. */
async function answerUpgrade(visit: Visit, lines: readonly string[]): Promise<void> {
  await visit.readRequest();
  const head = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade"];
  await visit.write([...head, ...lines, "\r\n"].join("\r\n"));
}

/** Soon enough for a test in which nothing comes. */
const SHORT = { connectTimeout: 400, probeTimeout: 200, requestTimeout: 400 } as const;
const KEY_OF_NOBODY = "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

// Deno opens the connection all the same, and does not show the header: over `wss:` nobody
// can answer in the server's place, which is what the key is for.
for (const [what, lines] of [["a wrong", [KEY_OF_NOBODY]], ["no", []]] as const) {
  hostileTest(
    `connect() settles when the upgrade is answered with ${what} Sec-WebSocket-Accept`,
    async (visit) => {
      await answerUpgrade(visit, [...lines, "Sec-WebSocket-Protocol: mcp"]);
      await visit.silence();
    },
    async (victim) => {
      assertInstanceOf(await victim.connect(), MCPTimeoutError);
    },
    SHORT,
  );
}

for (const protocol of ["graphql-ws", "mcp, bowline.v1", "BOWLINE.V1", `mcp.auth.${SECRET}`]) {
  const what = protocol.includes(SECRET) ? "its credential" : `"${protocol}"`;
  hostileTest(
    `connect() refuses a server that selects ${what}, which it did not offer`,
    async (visit) => {
      await visit.accept(protocol);
      await visit.end();
    },
    async (victim, server) => {
      const error = await victim.connect();
      assertConnectionError(error, { kind: "protocol", cause: "protocol", retryable: false });
      assertEquals(server.visits, 1);
    },
    { reconnect: { attempts: 3, minDelay: 1, maxDelay: 2, initial: true } },
  );
}

/** Statuses, and what each means for a client. */
const STATUSES: readonly (readonly [status: number, cause: string, retryable: boolean])[] = [
  [200, "not-found", false],
  [301, "not-found", false],
  [302, "not-found", false],
  [401, "unauthenticated", true],
  [403, "forbidden", false],
  [429, "rate", true],
  [500, "internal", true],
  [503, "capacity", true],
];

for (const [status, cause, retryable] of STATUSES) {
  hostileTest(
    `connect() takes status ${status} for "${cause}", and reads no endless body`,
    async (visit) => {
      await visit.readRequest();
      await visit.write(`HTTP/1.1 ${status} No\r\nContent-Length: 999999999999\r\n\r\n`);
      const chunk = new Uint8Array(65_536).fill(0x78);
      for (;;) await visit.write(chunk);
    },
    async (victim) => {
      assertConnectionError(await victim.connect(), { status, cause, retryable });
    },
  );
}

Deno.test("connect() follows no redirect, and takes its token nowhere", async () => {
  for (const status of [301, 302, 303, 307, 308]) {
    await using elsewhere = new ScriptedServer((visit) => playLegacy(visit));
    await using server = new ScriptedServer(async (visit) => {
      await visit.readRequest();
      const location = `Location: ${elsewhere.url.replace("ws:", "http:")}`;
      await visit.write(`HTTP/1.1 ${status} Moved\r\n${location}\r\nContent-Length: 0\r\n\r\n`);
      await visit.silence();
    });
    await using victim = new Victim(server.url);
    assertConnectionError(await victim.connect(), { status, retryable: false });
    assertEquals([server.visits, elsewhere.visits], [1, 0]);
  }
});

hostileTest(
  "connect() gives up a handshake that comes byte by byte and never ends",
  async (visit) => {
    await visit.readRequest();
    await visit.write("HTTP/1.1 101 Switching Protocols\r\nX-Slow: ");
    for (;;) {
      await visit.write("x");
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  },
  async (victim) => {
    const error = await victim.connect();
    assertInstanceOf(error, MCPTimeoutError);
    assertStringIncludes(error.message, "not open within 300 ms");
  },
  { connectTimeout: 300 },
);

hostileTest(
  "connect() gives up a server that takes the connection and says nothing",
  (visit) => visit.silence(),
  async (victim) => {
    const error = await victim.connect();
    assertInstanceOf(error, MCPTimeoutError);
    assert(error.retryable);
  },
  { connectTimeout: 300 },
);

for (const protocol of ["mcp", "bowline.v1", ""]) {
  hostileTest(
    `connect() gives up a server that selects "${protocol}" and says nothing`,
    async (visit) => {
      await visit.accept(protocol);
      await visit.silence();
    },
    async (victim) => {
      const error = await victim.connect();
      assert(error instanceof MCPTimeoutError || error instanceof MCPConnectionError);
      assertEquals(error.kind, "timeout");
    },
    SHORT,
  );
}

/** What is no answer to an upgrade. */
const NONSENSE: Readonly<Record<string, string>> = {
  "another protocol": "SSH-2.0-OpenSSH_9.9\r\n",
  "a status of a million": "HTTP/1.1 1000000 Yes\r\n\r\n",
  "an upgrade to something else": "HTTP/1.1 101 Yes\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n",
  "a head with zero bytes": "HTTP/1.1 101 \0\0\0\r\n\0: \0\r\n\r\n",
  "a head of 1 MiB": `HTTP/1.1 101 Yes\r\nX: ${"x".repeat(2 ** 20)}\r\n\r\n`,
  "100,000 headers": `HTTP/1.1 101 Yes\r\n${"X: y\r\n".repeat(100_000)}\r\n`,
  "nothing at all": "",
};

for (const [what, text] of Object.entries(NONSENSE)) {
  hostileTest(
    `connect() fails with an error that says so when it is answered with ${what}`,
    async (visit) => {
      await visit.readRequest();
      await visit.write(text);
    },
    async (victim) => {
      const error = await victim.connect();
      assertConnectionError(error, { kind: "network", retryable: true });
      assertStringIncludes(error?.message ?? "", "Cannot connect to");
    },
  );
}
