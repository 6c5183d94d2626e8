import fc from "fast-check";
import type { JsonRpcMessage, JsonRpcParams } from "../../protocol/jsonrpc.ts";
import { anyText, jsonValue } from "./_texts.ts";

const id = fc.oneof(
  fc.maxSafeInteger(),
  anyText,
  fc.constantFrom("__proto__", "constructor", "", 0, -1),
);
const method = fc.oneof(
  fc.constantFrom("initialize", "ping", "tools/call", "notifications/cancelled", "__proto__"),
  anyText,
);
const params: fc.Arbitrary<JsonRpcParams> = fc.dictionary(
  fc.oneof(fc.constantFrom("name", "_meta", "requestId", "progressToken"), fc.string()),
  jsonValue,
  { maxKeys: 4 },
);
const jsonrpc = fc.constant("2.0" as const);
const error = fc.record({ code: fc.integer(), message: anyText, data: jsonValue }, {
  requiredKeys: ["code", "message"],
});

/** Every kind of valid message. */
export const message: fc.Arbitrary<JsonRpcMessage> = fc.oneof(
  fc.record({ jsonrpc, id, method, params }, { requiredKeys: ["jsonrpc", "id", "method"] }),
  fc.record({ jsonrpc, method, params }, { requiredKeys: ["jsonrpc", "method"] }),
  fc.record({ jsonrpc, id, result: params }),
  fc.record({ jsonrpc, id, error }, { requiredKeys: ["jsonrpc", "error"] }),
);

/** Objects that have the members of messages, with anything in them. */
export const oddMessage: fc.Arbitrary<unknown> = fc.record({
  jsonrpc: fc.oneof({ weight: 4, arbitrary: jsonrpc }, { weight: 1, arbitrary: jsonValue }),
  id: fc.oneof(id, jsonValue),
  method: fc.oneof(method, jsonValue),
  params: fc.oneof(params, jsonValue),
  result: fc.oneof(params, jsonValue),
  error: fc.oneof(error, jsonValue),
}, { requiredKeys: [] });

/** The text of a valid message. */
export const messageText: fc.Arbitrary<string> = message.map((value) => JSON.stringify(value));
