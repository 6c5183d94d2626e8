import { assertEquals, assertStrictEquals } from "@std/assert";
import type { JsonRpcErrorResponse, JsonRpcMessage } from "../../protocol/jsonrpc.ts";
import { PlainReader } from "../../protocol/plain.ts";

type Heard =
  | { type: "message"; message: JsonRpcMessage }
  | { type: "fault"; error: Error; reply: JsonRpcErrorResponse }
  | { type: "violation"; code: number; reason: string };

const MESSAGE = '{"jsonrpc":"2.0","method":"x"}';

function readAll(
  frames: readonly unknown[],
  { end = "server", maxBytes = 1_000 }: {
    end?: "server" | "client";
    maxBytes?: number;
  } = {},
): Heard[] {
  const heard: Heard[] = [];
  const reader = new PlainReader(
    {
      message: (message) => heard.push({ type: "message", message }),
      fault: (error, reply) => heard.push({ type: "fault", error, reply }),
      violation: (code, reason) => heard.push({ type: "violation", code, reason }),
    },
    end,
    maxBytes,
  );
  for (const frame of frames) reader.read(frame);
  return heard;
}

Deno.test("PlainReader.read() hands on a message", () => {
  assertEquals(readAll([MESSAGE]), [
    { type: "message", message: { jsonrpc: "2.0", method: "x" } },
  ]);
});

Deno.test("PlainReader.read() hands on messages in the order they came", () => {
  const ids = readAll(
    [3, 1, 2].map((id) => `{"jsonrpc":"2.0","id":${id},"method":"x"}`),
  ).map((heard) => heard.type === "message" && "id" in heard.message && heard.message.id);
  assertEquals(ids, [3, 1, 2]);
});

for (
  const [frame, code, id] of [
    ["garbage", -32700, undefined],
    ["", -32700, undefined],
    ['{"jsonrpc":"2.0","id":7,"method":1}', -32600, 7],
    ["[]", -32600, undefined],
  ] as const
) {
  Deno.test(`PlainReader.read() answers ${JSON.stringify(frame)} with ${code}`, () => {
    const [heard, ...rest] = readAll([frame]);
    if (heard?.type !== "fault") throw new TypeError("No fault was heard");
    assertEquals(heard.reply.error.code, code);
    assertEquals(heard.reply.id, id);
    assertEquals("id" in heard.reply, id !== undefined);
    assertStrictEquals(heard.reply.error.message, heard.error.message);
    assertEquals(rest, []);
  });
}

Deno.test("PlainReader.read() hands on a bad response as the failure of its request", () => {
  const [heard] = readAll(['{"jsonrpc":"2.0","id":7,"result":null}']);
  if (heard?.type !== "message") throw new TypeError("No message was heard");
  assertEquals(heard.message, {
    jsonrpc: "2.0",
    id: 7,
    error: {
      code: -32600,
      message: 'Invalid response: member "result" must be an object',
    },
  });
});

for (
  const [end, binary, garbage, tooBig] of [
    ["server", 1003, 1002, 1009],
    ["client", 4003, 4002, 4413],
  ] as const
) {
  Deno.test(`PlainReader.read() refuses binary frames at a ${end} with ${binary}`, () => {
    assertEquals(readAll([new ArrayBuffer(1), new Blob()], { end }), [
      { type: "violation", code: binary, reason: BINARY_REASON },
      { type: "violation", code: binary, reason: BINARY_REASON },
    ]);
  });

  Deno.test(`PlainReader.read() refuses large frames at a ${end} with ${tooBig}`, () => {
    assertEquals(readAll([" ".repeat(11)], { end, maxBytes: 10 }), [
      {
        type: "violation",
        code: tooBig,
        reason: "Message larger than 10 bytes",
      },
    ]);
  });

  Deno.test(`PlainReader.read() ends it at a ${end} with ${garbage} after ten faults in a row`, () => {
    const heard = readAll(Array(10).fill("garbage"), { end });
    assertEquals(heard.slice(0, 9).every(({ type }) => type === "fault"), true);
    assertEquals(heard[9], {
      type: "violation",
      code: garbage,
      reason: "10 invalid messages in a row",
    });
    assertEquals(heard.length, 10);
  });
}

const BINARY_REASON = "Binary frames were not negotiated";

Deno.test("PlainReader.read() starts to count again after a valid message", () => {
  const nine = Array(9).fill("garbage");
  const heard = readAll([...nine, MESSAGE, ...nine]);
  assertEquals(heard.some(({ type }) => type === "violation"), false);
});

Deno.test("PlainReader.read() ends it when every other message is a fault, after a hundred and ten", () => {
  const heard = readAll(Array.from({ length: 400 }, (_, i) => i % 2 ? MESSAGE : "garbage"));
  const [violation] = heard.filter(({ type }) => type === "violation");
  assertEquals(violation, { type: "violation", code: 1002, reason: "Too many invalid messages" });
  // The valid ones between them have paid for ten more.
  const before = heard.indexOf(violation!);
  assertEquals(heard.slice(0, before).filter(({ type }) => type === "fault").length, 110);
});

Deno.test("PlainReader.read() bears faults for ever that are one in eleven messages", () => {
  const round = ["garbage", ...Array(10).fill(MESSAGE)];
  const heard = readAll(Array(1_000).fill(round).flat());
  assertEquals(heard.filter(({ type }) => type === "fault").length, 1_000);
  assertEquals(heard.some(({ type }) => type === "violation"), false);
});

Deno.test("PlainReader.read() counts a message that is too deep as a fault, and goes on", () => {
  const deep = `{"jsonrpc":"2.0","id":3,"method":"x","params":{"a":${"[".repeat(70)}${
    "]".repeat(70)
  }}}`;
  const [heard, next] = readAll([deep, MESSAGE]);
  if (heard?.type !== "fault") throw new TypeError("No fault was heard");
  assertEquals(heard.reply, {
    jsonrpc: "2.0",
    id: 3,
    error: { code: -32600, message: "Invalid request: nested deeper than 64" },
  });
  assertEquals(next?.type, "message");
});

for (
  const [title, text] of [
    ["ASCII", MESSAGE],
    ["two bytes a unit", '{"jsonrpc":"2.0","method":"ääää"}'],
    ["three bytes a unit", '{"jsonrpc":"2.0","method":"漢字漢字"}'],
    ["four bytes a pair", '{"jsonrpc":"2.0","method":"🪢🪢"}'],
  ] as const
) {
  Deno.test(`PlainReader.read() takes a frame exactly at its bound, and not one byte more: ${title}`, () => {
    const size = new TextEncoder().encode(text).length;
    assertEquals(readAll([text], { maxBytes: size })[0]?.type, "message");
    assertEquals(readAll([text], { maxBytes: size - 1 })[0]?.type, "violation");
  });
}

Deno.test("PlainReader.read() looks at the size before the content", () => {
  const [heard] = readAll(["garbage".repeat(10)], { maxBytes: 10 });
  assertEquals(heard?.type, "violation");
});
