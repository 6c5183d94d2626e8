import { assert, assertEquals, assertThrows } from "@std/assert";
import { MCPWebSocketClient } from "../../client/client.ts";
import type { MCPWebSocketClientOptions } from "../../client/client_options.ts";
import { paddedSize } from "../../client/padding.ts";
import { hideGlobals } from "../support/globals.ts";
import { pad } from "../../protocol/padding.ts";

/** A bare legacy server over plain `mcp`, and the frames that it got. */
class Stage implements AsyncDisposable {
  readonly frames: string[] = [];
  readonly #server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, (request) => {
    const { socket, response } = Deno.upgradeWebSocket(request, { protocol: "mcp" });
    socket.onmessage = ({ data }) => {
      const { id, method } = JSON.parse(data);
      if (method === "x/echo") this.frames.push(data);
      const opening = { protocolVersion: "2025-11-25", capabilities: {}, serverInfo: {} };
      const result = method === "initialize" ? opening : {};
      if (id !== undefined) socket.send(JSON.stringify({ jsonrpc: "2.0", id, result }));
    };
    return response;
  });

  async connect(options: MCPWebSocketClientOptions = {}): Promise<MCPWebSocketClient> {
    const { port } = this.#server.addr;
    const client = new MCPWebSocketClient(`ws://127.0.0.1:${port}/`, { era: "legacy", ...options });
    await client.connect();
    return client;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }
}

const bytes = (text: string) => new TextEncoder().encode(text).length;

/** Sends one request, and gives its frame. */
async function send(stage: Stage, data: string, options?: MCPWebSocketClientOptions) {
  await using client = await stage.connect(options);
  await client.request("x/echo", { data });
  const frame = stage.frames.pop() ?? "";
  assertEquals(JSON.parse(frame).params, { data });
  return frame;
}

Deno.test("a plain frame above 1 KiB is filled up to 64 KiB on Deno and loopback, with spaces behind it", async () => {
  await using stage = new Stage();
  for (const data of ["x".repeat(1_100), "é✓😀 \\u0020 ".repeat(500), " ".repeat(40_000)]) {
    const frame = await send(stage, data);
    assertEquals(bytes(frame), 65_536);
    const text = frame.trimEnd();
    assertEquals(text, JSON.stringify(JSON.parse(frame)));
    assertEquals(frame.slice(text.length), " ".repeat(frame.length - text.length));
  }
});

Deno.test("a plain frame that does not wait is left as it is", async () => {
  await using stage = new Stage();
  for (const units of [0, 900, 66_000]) {
    const frame = await send(stage, "x".repeat(units));
    assertEquals(frame, frame.trimEnd());
  }
});

Deno.test("padding: false leaves every frame as it is, and a number says how far", async () => {
  await using stage = new Stage();
  const data = "x".repeat(2_000);
  const frame = await send(stage, data, { padding: false });
  assertEquals(frame, frame.trimEnd());
  assertEquals(bytes(await send(stage, data, { padding: 9_000 })), 9_000);
});

Deno.test("no frame is filled up beyond maxSendBytes", async () => {
  await using stage = new Stage();
  const frame = await send(stage, "x".repeat(2_000), { maxSendBytes: 65_535 });
  assertEquals(frame, frame.trimEnd());
  assertEquals(bytes(await send(stage, "x".repeat(2_000), { maxSendBytes: 65_536 })), 65_536);
});

Deno.test("paddedSize() asks where the peer is, and what the runtime does", () => {
  for (const host of ["localhost", "a.localhost", "127.0.0.1", "127.9.9.9", "[::1]"]) {
    assertEquals(paddedSize(`ws://${host}:1/`, "auto"), 65_536, host);
  }
  for (const host of ["example.com", "10.0.0.1", "[fd00::1]", "localhost.example.com"]) {
    assertEquals(paddedSize(`wss://${host}/`, "auto"), 1_448, host);
  }
  assertEquals(paddedSize("", "auto"), 0);
  assertEquals(paddedSize("ws://localhost/", false), 0);
  assertEquals(paddedSize("ws://example.com/", 9_000), 9_000);
});

Deno.test("paddedSize() leaves frames as they are on other runtimes, unless a number is given", () => {
  using _hidden = hideGlobals("Deno");
  assertEquals(paddedSize("ws://localhost/", "auto"), 0);
  assertEquals(paddedSize("ws://localhost/", 9_000), 9_000);
});

Deno.test("pad() fills up what has between 1,024 bytes and its size, in bytes of UTF-8", () => {
  for (const text of ["x", "é", "✓", "😀"]) {
    for (const count of [1, 300, 341, 342, 512, 513, 1_023, 1_024, 1_025, 1_999, 2_000, 2_001]) {
      const whole = text.repeat(count);
      const size = bytes(whole);
      const padded = pad(whole, 2_000);
      assert(padded.startsWith(whole));
      assertEquals(bytes(padded), size <= 1_024 ? size : Math.max(size, 2_000));
    }
  }
});

Deno.test("padding is refused outside its range", () => {
  for (const padding of [0, -1, 65_537, NaN]) {
    assertThrows(
      () => new MCPWebSocketClient("ws://localhost/", { padding }),
      RangeError,
      "padding",
    );
  }
});
