import { assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { ERROR_CODES, type JsonRpcParams } from "../../protocol/jsonrpc.ts";
import {
  MCPConnectionError,
  MCPError,
  MCPRpcError,
  MCPTimeoutError,
} from "../../protocol/errors.ts";
import { JsonRpcPeer } from "../../protocol/peer.ts";
import { openConversation, type OpeningOptions } from "../../client/opening.ts";

type Handlers = Record<string, (params: JsonRpcParams) => unknown>;

const DISCOVERED = { supportedVersions: ["2026-07-28"], capabilities: { tools: {} } };
const INITIALIZED = { protocolVersion: "2025-06-18", capabilities: {}, serverInfo: { name: "s" } };

interface Connected extends Disposable {
  readonly peer: JsonRpcPeer;
  readonly heard: string[];
}

/** A client's peer whose server answers with these handlers. */
function connectTo(handlers: Handlers): Connected {
  const heard: string[] = [];
  const peer: JsonRpcPeer = new JsonRpcPeer({ send: (message) => server.receive(message) });
  const server: JsonRpcPeer = new JsonRpcPeer({ send: (message) => peer.receive(message) });
  for (const [method, handler] of Object.entries(handlers)) {
    server.handle(method, (params) => {
      heard.push(method);
      return handler(params);
    });
  }
  server.onAnyNotification(({ method }) => heard.push(method));
  return {
    peer,
    heard,
    [Symbol.dispose]() {
      peer.close();
      server.close();
    },
  };
}

const options = (given: Partial<OpeningOptions> = {}): OpeningOptions => ({
  identity: { info: { name: "test", version: "1" }, capabilities: {} },
  era: "auto",
  probeTimeout: 1_000,
  signal: undefined,
  ...given,
});

Deno.test("openConversation() in the modern era only asks who is there", async () => {
  using server = connectTo({ "server/discover": () => DISCOVERED });
  assertEquals(await openConversation(server.peer, options()), {
    era: "modern",
    version: "2026-07-28",
    serverInfo: undefined,
    capabilities: { tools: {} },
    instructions: undefined,
  });
  assertEquals(server.heard, ["server/discover"]);
});

Deno.test("openConversation() in the legacy era initializes, in whatever revision the server chose", async () => {
  using server = connectTo({ initialize: () => INITIALIZED });
  const opening = await openConversation(server.peer, options({ era: "legacy" }));
  assertEquals([opening.era, opening.version], ["legacy", "2025-06-18"]);
  assertEquals(server.heard, ["initialize", "notifications/initialized"]);
});

Deno.test("openConversation() does without capabilities the server does not tell", async () => {
  using modern = connectTo({
    "server/discover": () => ({ supportedVersions: ["2026-07-28"] }),
  });
  assertEquals((await openConversation(modern.peer, options())).capabilities, {});
  using legacy = connectTo({ initialize: () => ({ protocolVersion: "2024-11-05" }) });
  const opening = await openConversation(legacy.peer, options({ era: "legacy" }));
  assertEquals([opening.capabilities, opening.serverInfo], [{}, undefined]);
});

Deno.test("openConversation() names the revisions of both where none is shared", async () => {
  using server = connectTo({ "server/discover": () => ({ supportedVersions: ["2031-01-01"] }) });
  const error = await assertRejects(
    () => openConversation(server.peer, options({ era: "modern" })),
    MCPError,
  );
  assertEquals(
    error.message,
    'Cannot open conversation: the server speaks ["2031-01-01"], this client ["2026-07-28"]',
  );
});

Deno.test("openConversation() does not take a lost connection for an old server", async () => {
  const lost = new MCPConnectionError("lost");
  const peer = new JsonRpcPeer({ send: () => Promise.reject(lost) });
  assertStrictEquals(await assertRejects(() => openConversation(peer, options())), lost);
  peer.close();
});

Deno.test("openConversation() does not take an impatient caller for an old server", async () => {
  const controller = new AbortController();
  using server = connectTo({
    "server/discover": () => {
      controller.abort(new Error("enough"));
      return new Promise(() => {});
    },
  });
  const { signal } = controller;
  await assertRejects(() => openConversation(server.peer, options({ signal })), Error, "enough");
  assertEquals(
    server.heard,
    ["server/discover", "notifications/cancelled"].slice(0, server.heard.length),
  );
});

Deno.test("openConversation() in the modern era reports silence as a time-out", async () => {
  using server = connectTo({ "server/discover": () => new Promise(() => {}) });
  const error = await assertRejects(
    () => openConversation(server.peer, options({ era: "modern", probeTimeout: 10 })),
    MCPTimeoutError,
  );
  assertEquals(error.timeout, 10);
});

Deno.test("openConversation() asks once more, and no oftener, with a revision the server lists", async () => {
  using server = connectTo({
    "server/discover": () => {
      throw new MCPRpcError(ERROR_CODES.UNSUPPORTED_PROTOCOL_VERSION, "no", {
        data: { supported: ["2026-07-28"] },
      });
    },
  });
  await assertRejects(() => openConversation(server.peer, options()), MCPRpcError, "no");
  assertEquals(server.heard, ["server/discover", "server/discover"]);
});
