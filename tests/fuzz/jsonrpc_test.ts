import { assert, assertEquals, assertInstanceOf, assertThrows } from "@std/assert";
import fc from "fast-check";
import { MCPRpcError } from "../../protocol/errors.ts";
import {
  errorResponse,
  findFault,
  isObject,
  type JsonRpcMessage,
  parseMessage,
  serializeMessage,
} from "../../protocol/jsonrpc.ts";
import { PlainReader } from "../../protocol/plain.ts";
import { countBytes } from "../../protocol/utf8.ts";
import { fuzz } from "./_fuzz.ts";
import { message, messageText, oddMessage } from "./_messages.ts";
import { anyText, garbage, hostile, jsonValue } from "./_texts.ts";

/** What the words of JSON-RPC 2.0 and MCP make of a value, written down a second time. */
function isMessage(value: unknown): boolean {
  if (!isObject(value) || value.jsonrpc !== "2.0") return false;
  const { id, method, params, result, error } = value;
  const hasId = typeof id === "string" || (typeof id === "number" && Number.isSafeInteger(id));
  if (method !== undefined) {
    return typeof method === "string" && (params === undefined || isObject(params)) &&
      (id === undefined || hasId);
  }
  if (result !== undefined) return error === undefined && isObject(result) && hasId;
  return isObject(error) && Number.isInteger(error.code) && typeof error.message === "string" &&
    (id === undefined || id === null || hasId);
}

/** The message in a text, or the error that it is answered with. */
function parse(text: string): JsonRpcMessage | MCPRpcError {
  try {
    return parseMessage(text);
  } catch (thrown) {
    assertInstanceOf(thrown, MCPRpcError);
    return thrown;
  }
}

fuzz(
  "parseMessage() throws nothing but errors that can be answered",
  20_000,
  fc.property(hostile(messageText), (text) => {
    const parsed = parse(text);
    if (parsed instanceof MCPRpcError) {
      assert([-32700, -32600].includes(parsed.code));
      assertEquals(findFault(errorResponse(parsed)), undefined);
    } else assertEquals(findFault(parsed), undefined);
    assertEquals(Reflect.get({}, "polluted"), undefined);
  }),
);

fuzz(
  "findFault() finds what a second reading of the rules finds",
  15_000,
  fc.property(fc.oneof(oddMessage, message, jsonValue), (value) => {
    assertEquals(findFault(value) === undefined, isMessage(value));
  }),
);

fuzz(
  "parseMessage() returns what was serialized",
  6_000,
  fc.property(message, (value) => {
    assertEquals<unknown>(
      parseMessage(serializeMessage(value, 2 ** 20)),
      JSON.parse(JSON.stringify(value)),
    );
  }),
);

fuzz(
  "serializeMessage() refuses exactly what is larger than allowed",
  4_000,
  fc.property(message, fc.nat(200), (value, room) => {
    const text = JSON.stringify(value);
    const size = new TextEncoder().encode(text).length;
    if (size <= room) assertEquals(serializeMessage(value, room), text);
    else assertThrows(() => serializeMessage(value, room), RangeError, `size is ${size}`);
  }),
);

fuzz(
  "countBytes() counts what the runtime encodes",
  10_000,
  fc.property(fc.oneof(anyText, garbage), (text) => {
    assertEquals(countBytes(text), new TextEncoder().encode(text).length);
  }),
);

/** The same frame several times, since ten bad ones in a row are too many. */
const run = fc.tuple(
  fc.constantFrom<string | Uint8Array>("{", "[]", "é", "null", "x".repeat(251), new Uint8Array(3)),
  fc.integer({ min: 1, max: 11 }),
).map(([frame, times]) => Array.from({ length: times }, () => frame));

fuzz(
  "PlainReader.read() tells its sink of each frame once, and of the tenth fault in a row",
  3_000,
  fc.property(
    fc.array(fc.oneof(run, hostile(messageText).map((text) => [text])), { maxLength: 6 }),
    (runs) => {
      const frames = runs.flat();
      const heard: string[] = [];
      const reader = new PlainReader(
        {
          message: () => heard.push("message"),
          fault: () => heard.push("fault"),
          violation: (code) => heard.push(String(code)),
        },
        "client",
        250,
      );
      let faults = 0;
      for (const frame of frames) {
        reader.read(frame);
        const expected = typeof frame !== "string"
          ? "4003"
          : new TextEncoder().encode(frame).length > 250
          ? "4413"
          : !(parse(frame) instanceof MCPRpcError)
          ? "message"
          : ++faults < 10
          ? "fault"
          : "4002";
        if (expected === "message") faults = 0;
        assertEquals(heard.splice(0), [expected]);
      }
    },
  ),
);
