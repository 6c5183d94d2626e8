import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { HeadBuffer, latin1 } from "../../guard/head_buffer.ts";
import { forwardedHead, readRequestHead } from "../../guard/request_head.ts";
import { readResponseHead, refusalText } from "../../guard/response_head.ts";

const LINE = "GET /mcp HTTP/1.1";
const headOf = (...fields: readonly string[]) => [LINE, ...fields].join("\r\n");
const refusal = (text: string) => {
  const head = readRequestHead(text);
  return head.type === "refuse" ? head.status : "forward";
};

Deno.test("HeadBuffer.push() finds the end wherever the bytes are cut, and leaves the rest alone", () => {
  const head = latin1("GET / HTTP/1.1\r\nHost: \xe9\r\n\r\nrest");
  for (let cut = 0; cut < head.length; cut++) {
    const buffer = new HeadBuffer(100);
    const first = buffer.push(head.subarray(0, cut));
    const isWhole = cut >= head.length - 4;
    assertEquals(first.status, isWhole ? "complete" : "incomplete");
    const taken = isWhole ? first.taken : cut + buffer.push(head.subarray(cut)).taken;
    assertEquals(taken, head.length - 4);
    assertEquals(buffer.text(), "GET / HTTP/1.1\r\nHost: \xe9");
  }
});

Deno.test("HeadBuffer.push() takes a head of the limit, and not one byte more", () => {
  const head = latin1(`${"x".repeat(96)}\r\n\r\n`);
  assertEquals(new HeadBuffer(100).push(head), { status: "complete", taken: 100 });
  assertEquals(new HeadBuffer(99).push(head).status, "tooLarge");
  const slow = new HeadBuffer(99);
  const statuses = new Set([...head].map((byte) => slow.push(new Uint8Array([byte])).status));
  assertEquals([...statuses], ["incomplete", "tooLarge"]);
});

Deno.test("HeadBuffer.push() does not take bare line feeds for the end", () => {
  assertEquals(
    new HeadBuffer(100).push(latin1("GET / HTTP/1.1\n\n\r\n\n\r\r\n")).status,
    "incomplete",
  );
});

Deno.test("readRequestHead() tells an upgrade from another request", () => {
  const table: [string, boolean][] = [
    ["Upgrade: websocket", true],
    ["upgrade: h2c, WebSocket", true],
    ["Upgrade: h2c", false],
    ["Upgrade: websockets", false],
    ["X-Upgrade: websocket", false],
  ];
  for (const [field, isUpgrade] of table) {
    const head = readRequestHead(headOf(field));
    assert(head.type === "forward");
    assertEquals(head.isUpgrade, isUpgrade);
  }
});

Deno.test("readRequestHead() refuses what two readers could read in two ways", () => {
  const table: [string, number | "forward"][] = [
    [headOf("Host: a"), "forward"],
    [headOf("Host: a", "X-Empty:", "X-Tab:\t\xe9"), "forward"],
    ["GET /mcp HTTP/1.0", "forward"],
    ["", 400],
    ["GET /mcp HTTP/2.0", 400],
    ["PRI * HTTP/2.0", 400],
    ["GET  /mcp HTTP/1.1", 400],
    ["GET /m cp HTTP/1.1", 400],
    [` ${LINE}`, 400],
    [`\r\n${LINE}`, 400],
    [headOf("Host : a"), 400],
    [headOf("Host: a", " folded"), 400],
    [headOf("Host: a\nBowline-Guard: forged"), 400],
    [headOf("Host: a\rBowline-Guard: forged"), 400],
    [headOf("Host: a\0"), 400],
    [headOf("no colon"), 400],
    [headOf(": nameless"), 400],
    [headOf(...Array<string>(101).fill("X: y")), 431],
  ];
  for (const [text, expected] of table) assertEquals(refusal(text), expected, JSON.stringify(text));
});

Deno.test("readRequestHead() refuses a body, in either form", () => {
  const table: [string, number | "forward"][] = [
    ["Content-Length: 0", "forward"],
    ["Content-Length: 5", 413],
    ["content-length: 0, 5", 413],
    ["Content-Length: +0", 413],
    ["Transfer-Encoding: chunked", 413],
    ["Transfer-Encoding: identity", 413],
  ];
  for (const [field, expected] of table) assertEquals(refusal(headOf(field)), expected, field);
});

Deno.test("forwardedHead() replaces what a client says of the connection and in the guard's name", () => {
  const head = readRequestHead(headOf(
    "Host: a",
    "connection: keep-alive, Upgrade",
    "bowline-guard: forged",
    "Upgrade: websocket",
    "BOWLINE-GUARD: forged",
  ));
  assert(head.type === "forward");
  const expected = [
    LINE,
    "Host: a",
    "Upgrade: websocket",
    "Connection: Upgrade, close",
    "Bowline-Guard: t",
  ];
  assertEquals(forwardedHead(head, "t"), [...expected, "", ""].join("\r\n"));
});

Deno.test("readRequestHead() lets no client speak in the guard's name, whatever it writes", () => {
  const field = fc.constantFrom(
    "Bowline-Guard",
    "bowline-GUARD",
    " ",
    ":",
    "\n",
    "\r",
    "\r\n",
    "\t",
    "x",
    "\0",
  );
  fc.assert(
    fc.property(fc.array(field, { maxLength: 12 }), (parts) => {
      const head = readRequestHead(`${LINE}\r\n${parts.join("")}`);
      if (head.type === "refuse") return;
      const names = head.lines.slice(1).map((line) => line.split(":")[0]?.trim().toLowerCase());
      assertEquals(names.includes("bowline-guard"), false);
      assertEquals(/[\r\n]/.test(head.lines.join("")), false);
    }),
    { numRuns: 5_000 },
  );
});

Deno.test("readResponseHead() takes 101 for an upgrade only if one was asked for", () => {
  const text =
    "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nconnection: close\r\nx: y";
  assertEquals(readResponseHead(text, true), {
    isUpgraded: true,
    text: "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nx: y\r\n\r\n",
  });
  assertEquals(readResponseHead(text, false), { isUpgraded: false, text: `${text}\r\n\r\n` });
  assertEquals(readResponseHead("HTTP/1.1 401 No", true).isUpgraded, false);
});

Deno.test("refusalText() says how long it is, that the connection ends, and when to come back", () => {
  assertEquals(
    refusalText(503, "No"),
    "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n" +
      "Connection: close\r\nRetry-After: 5\r\n\r\nNo\n",
  );
  assertEquals(refusalText(400, "No").includes("Retry-After"), false);
});
