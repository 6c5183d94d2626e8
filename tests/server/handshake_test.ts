import { assertEquals, assertStringIncludes } from "@std/assert";
import {
  decideHandshake,
  type HandshakePolicy,
  type Refusal,
  refusalResponse,
} from "../../server/handshake.ts";
import type { RequestSnapshot } from "../../server/request.ts";
import { UPGRADE_HEADERS } from "../support/raw_socket.ts";

const POLICY: HandshakePolicy = {
  path: "/mcp",
  maxConnections: 2,
  activeConnections: 1,
  isClosing: false,
  hasSessions: true,
  takesSessions: true,
};

interface Change {
  readonly method?: string;
  readonly path?: string | undefined;
  readonly headers?: Record<string, string | undefined>;
}

/** A correct upgrade request, except for what the test changes. */
function upgradeRequest(change: Change = {}): RequestSnapshot {
  const { method = "GET", headers = {} } = change;
  const path = "path" in change ? change.path : "/mcp";
  const all = Object.entries({ ...UPGRADE_HEADERS, ...headers });
  return {
    method,
    path,
    url: `http://127.0.0.1${path}`,
    headers: new Headers(all.filter((entry): entry is [string, string] => entry[1] !== undefined)),
    remoteAddress: "127.0.0.1",
  };
}

function refusalOf(change: Change, policy: HandshakePolicy = POLICY): Refusal {
  const decision = decideHandshake(upgradeRequest(change), policy);
  if (decision.type === "refuse") return decision;
  throw new Error(`Accepted: ${JSON.stringify(change)}`);
}

Deno.test("decideHandshake() accepts a correct upgrade", () => {
  assertEquals(decideHandshake(upgradeRequest(), POLICY), { type: "accept", protocol: undefined });
  const variants: Record<string, string>[] = [
    { Connection: "keep-alive, Upgrade" },
    { Connection: "UPGRADE", Upgrade: "WebSocket" },
    { Upgrade: "h2c, websocket" },
    { Origin: "http://localhost:3000" },
  ];
  for (const headers of variants) {
    assertEquals(decideHandshake(upgradeRequest({ headers }), POLICY).type, "accept");
  }
});

Deno.test("decideHandshake() refuses what is no upgrade to this endpoint", () => {
  const table: [name: string, change: Change, status: number][] = [
    ["another path", { path: "/other" }, 404],
    ["a longer path", { path: "/mcp/" }, 404],
    ["an unreadable URL", { path: undefined }, 400],
    ["another path, whatever the method", { path: "/other", method: "POST" }, 404],
    ["POST", { method: "POST" }, 405],
    ["CONNECT", { method: "CONNECT" }, 405],
    ["OPTIONS", { method: "OPTIONS" }, 204],
    ["HEAD", { method: "HEAD" }, 426],
    ["a plain GET", { headers: { Connection: undefined, Upgrade: undefined } }, 426],
    ["Upgrade without Connection", { headers: { Connection: "keep-alive" } }, 426],
    ["Connection without Upgrade", { headers: { Upgrade: undefined } }, 426],
    ["an upgrade to something else", { headers: { Upgrade: "h2c" } }, 426],
    ["no version", { headers: { "Sec-WebSocket-Version": undefined } }, 426],
    ["version 8", { headers: { "Sec-WebSocket-Version": "8" } }, 426],
    ["no key", { headers: { "Sec-WebSocket-Key": undefined } }, 400],
    ["a key of three letters", { headers: { "Sec-WebSocket-Key": "abc" } }, 400],
    ["a key of 17 bytes", { headers: { "Sec-WebSocket-Key": btoa("x".repeat(17)) } }, 400],
    ["a key that is no base64", { headers: { "Sec-WebSocket-Key": `${"!".repeat(22)}==` } }, 400],
    ["two versions", { headers: { "Sec-WebSocket-Version": "13, 13" } }, 400],
    ["two keys", {
      headers: { "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==, dGhlIHNhbXBsZSBub25jZQ==" },
    }, 400],
    ["two hosts", { headers: { Host: "a, b" } }, 400],
    ["a host that is not ours", { headers: { Host: "evil.example" } }, 403],
    ["a foreign page", { headers: { Origin: "https://evil.example" } }, 403],
    ["an opaque origin", { headers: { Origin: "null" } }, 403],
    ["two origins", { headers: { Origin: "http://localhost, http://localhost" } }, 403],
  ];
  for (const [name, change, status] of table) {
    assertEquals(refusalOf(change).status, status, name);
  }
});

Deno.test("decideHandshake() tells in a single word why it refuses", () => {
  const table: [cause: string, change: Change, policy?: Partial<HandshakePolicy>][] = [
    ["url", { path: undefined }],
    ["path", { path: "/other" }],
    ["method", { method: "POST" }],
    ["options", { method: "OPTIONS" }],
    ["upgrade", { headers: { Upgrade: undefined } }],
    ["headers", { headers: { "Sec-WebSocket-Version": "8" } }],
    ["headers", { headers: { "Sec-WebSocket-Key": "abc" } }],
    ["headers", { headers: { Host: "a, b" } }],
    ["host", { headers: { Host: "evil.example" } }],
    ["origin", { headers: { Origin: "https://evil.example" } }],
    ["full", {}, { activeConnections: 2 }],
    ["closing", {}, { isClosing: true, activeConnections: 2 }],
  ];
  for (const [cause, change, policy] of table) {
    assertEquals(refusalOf(change, { ...POLICY, ...policy }).cause, cause);
  }
});

Deno.test("decideHandshake() tells with 426 what to upgrade to", () => {
  const plain = refusalOf({ headers: { Upgrade: undefined } });
  assertEquals(plain.headers, { "Connection": "Upgrade", "Upgrade": "websocket" });
  assertStringIncludes(plain.reason, "WebSocket");
  const version = refusalOf({ headers: { "Sec-WebSocket-Version": "8" } });
  assertEquals(version.headers["Sec-WebSocket-Version"], "13");
});

Deno.test("decideHandshake() tells with 405 what is allowed", () => {
  assertEquals(refusalOf({ method: "DELETE" }).headers, { "Allow": "GET, HEAD, OPTIONS" });
  assertEquals(refusalOf({ method: "OPTIONS" }).headers, { "Allow": "GET, HEAD, OPTIONS" });
});

Deno.test("decideHandshake() sends clients away for a while when it is full or closing", () => {
  for (const change of [{ activeConnections: 2 }, { activeConnections: 3 }, { isClosing: true }]) {
    const refusal = refusalOf({}, { ...POLICY, ...change });
    assertEquals(refusal.status, 503);
    assertEquals(Number(refusal.headers["Retry-After"]) > 0, true);
  }
});

Deno.test("decideHandshake() tells strangers nothing about its load", () => {
  const full = { ...POLICY, activeConnections: 2 };
  assertEquals(refusalOf({ headers: { Origin: "https://evil.example" } }, full).status, 403);
});

Deno.test("decideHandshake() selects a subprotocol and never a credential", () => {
  const table: [offer: string | undefined, selected: string | undefined][] = [
    [undefined, undefined],
    ["", undefined],
    ["mcp", "mcp"],
    ["mcp, bowline.v1", "bowline.v1"],
    ["mcp,bowline.v1", "bowline.v1"],
    ["bowline.v1,\tmcp", "bowline.v1"],
    ["bowline.v1", "bowline.v1"],
    ["mcp.auth.c2VjcmV0, mcp", "mcp"],
    ["mcp.auth.c2VjcmV0", undefined],
    ["mcp.auth.c2VjcmV0, mcp.version.2025-11-25", "mcp.version.2025-11-25"],
    ["mcp.version.2025-11-25, mcp.version.2025-06-18", "mcp.version.2025-11-25"],
    ["mcp.version.2025-11-25, mcp", "mcp"],
    ["mcp.version.a b", undefined],
    ["graphql-ws", undefined],
    ["MCP", undefined],
  ];
  for (const [offer, protocol] of table) {
    const request = upgradeRequest({ headers: { "Sec-WebSocket-Protocol": offer } });
    assertEquals(decideHandshake(request, POLICY), { type: "accept", protocol }, offer);
  }
});

Deno.test("decideHandshake() selects plain MCP where no sessions are kept", () => {
  const policy = { ...POLICY, hasSessions: false, takesSessions: false };
  for (
    const [offer, protocol] of [["mcp, bowline.v1", "mcp"], ["bowline.v1", undefined]] as const
  ) {
    const request = upgradeRequest({ headers: { "Sec-WebSocket-Protocol": offer } });
    assertEquals(decideHandshake(request, policy), { type: "accept", protocol }, offer);
  }
});

Deno.test("decideHandshake() counts no session: one that exists may come back at any time", () => {
  const request = upgradeRequest({ headers: { "Sec-WebSocket-Protocol": "mcp, bowline.v1" } });
  for (const change of [{ activeConnections: 2 }, { isClosing: true }]) {
    const policy = { ...POLICY, ...change };
    assertEquals(decideHandshake(request, policy).type, "accept");
    const refusal = decideHandshake(request, { ...policy, takesSessions: false });
    assertEquals(refusal.type === "refuse" && refusal.status, 503);
  }
  const decision = decideHandshake(request, { ...POLICY, takesSessions: false });
  assertEquals(decision.type === "refuse" && decision.reason, "The server is at capacity");
});

Deno.test("refusalResponse() carries status, headers and reason", async () => {
  const response = refusalResponse(refusalOf({ method: "POST" }));
  assertEquals(response.status, 405);
  assertEquals(response.headers.get("Allow"), "GET, HEAD, OPTIONS");
  assertEquals(response.headers.get("Content-Type"), "text/plain; charset=utf-8");
  assertEquals(await response.text(), "A WebSocket is opened with GET\n");
});

Deno.test("refusalResponse() has no body where none is allowed", async () => {
  const response = refusalResponse(refusalOf({ method: "OPTIONS" }));
  assertEquals(response.status, 204);
  assertEquals(await response.text(), "");
});
