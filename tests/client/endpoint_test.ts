import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { parseEndpoint } from "../../client/endpoint.ts";

const ACCEPTED: readonly [string, string, string][] = [
  ["ws://127.0.0.1:8787/mcp", "ws://127.0.0.1:8787/mcp", "ws://127.0.0.1:8787/mcp"],
  ["wss://example.com", "wss://example.com/", "wss://example.com/"],
  ["wss://EXAMPLE.com:443/a", "wss://example.com/a", "wss://example.com/a"],
  ["ws://[::1]:1/x?ticket=abc", "ws://[::1]:1/x?ticket=abc", "ws://[::1]:1/x"],
];

Deno.test("parseEndpoint() keeps the URL, and names it without its query", () => {
  for (const [text, url, name] of ACCEPTED) {
    for (const given of [text, new URL(text)]) {
      assertEquals(parseEndpoint(given), { url, socket: undefined, held: undefined, name });
    }
  }
});

const REFUSED: readonly [string, string][] = [
  ["http://example.com/mcp", 'Cannot use URL "http://example.com/mcp": its scheme must be'],
  ["file:///etc/passwd", "its scheme must be"],
  ["ws://user:secret@example.com/", 'credentials belong into option "token"'],
  ["ws://user@example.com/", 'credentials belong into option "token"'],
  ["ws://:secret@example.com/", 'credentials belong into option "token"'],
  ["ws://example.com/#here", "it has a fragment"],
  ["ws://example.com/#", "it has a fragment"],
];

Deno.test("parseEndpoint() refuses what is no WebSocket URL, without telling secrets", () => {
  for (const [text, words] of REFUSED) {
    const error = assertThrows(() => parseEndpoint(text), TypeError, words);
    assert(!error.message.includes("secret"), error.message);
  }
});

Deno.test("parseEndpoint() refuses malformed URLs, without repeating them", () => {
  for (const text of ["", "mcp", "ws://", "ws://a b/secret"]) {
    const error = assertThrows(() => parseEndpoint(text), SyntaxError, "Cannot use URL");
    assertEquals(error.message, "Cannot use URL: it is malformed");
  }
});

Deno.test("parseEndpoint() takes a socket as it is", () => {
  const socket = { readyState: 1 } as WebSocket;
  const endpoint = parseEndpoint(socket);
  assertStrictEquals(endpoint.socket, socket);
  assertEquals([endpoint.url, endpoint.name], ["", "adopted socket"]);
});
