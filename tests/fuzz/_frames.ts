import fc from "fast-check";
import { anyText, jsonValue } from "./_texts.ts";

const NAMES = ["hello", "welcome", "ack", "ping", "pong", "drop", "goaway", "end", "bye"];
const count = fc.oneof(fc.nat(20), fc.maxSafeInteger());
const token = fc.string({
  unit: fc.constantFrom(..."abcXYZ019_-"),
  minLength: 43,
  maxLength: 43,
});
const limits = fc.record({
  messageBytes: fc.oneof(count, jsonValue),
  bufferBytes: fc.oneof(count, jsonValue),
  bufferMessages: fc.oneof(count, jsonValue),
}, { requiredKeys: [] });
const name = fc.record({ name: fc.oneof(anyText, jsonValue), version: fc.constant("1") });
const list = fc.array(fc.oneof(fc.constant("deflate-raw"), jsonValue), { maxLength: 3 });

const hello = fc.record({
  session: fc.oneof(fc.constant("01J8Z"), anyText),
  token,
  attempt: count,
  resume: fc.oneof(fc.boolean(), jsonValue),
  received: fc.oneof(count, jsonValue),
  limits: fc.oneof(limits, jsonValue),
  accept: fc.oneof(list, jsonValue),
  promptAck: fc.oneof(fc.boolean(), jsonValue),
  auth: fc.oneof(fc.constant("a-token"), jsonValue),
  client: fc.oneof(name, jsonValue),
}, { requiredKeys: ["session", "token", "attempt"] });
const welcome = fc.record({
  resumed: fc.oneof({ weight: 4, arbitrary: fc.boolean() }, { weight: 1, arbitrary: jsonValue }),
  received: fc.oneof(count, jsonValue),
  windowMs: fc.oneof(count, jsonValue),
  limits: fc.oneof(limits, jsonValue),
  pingMs: fc.oneof(count, jsonValue),
  accept: fc.oneof(list, jsonValue),
  server: fc.oneof(name, jsonValue),
  reason: fc.oneof(anyText, jsonValue),
}, { requiredKeys: ["resumed"] });
const goaway = fc.record({
  afterMs: fc.oneof(count, jsonValue),
  reason: fc.oneof(anyText, jsonValue),
  sessions: fc.oneof(fc.constantFrom("kept", "lost"), jsonValue),
  url: fc.oneof(fc.constant("ws://127.0.0.1:1/mcp"), jsonValue),
}, { requiredKeys: [] });
const end = fc.record({
  code: fc.oneof(fc.integer({ min: 990, max: 5_010 }), jsonValue),
  reason: fc.oneof(anyText, jsonValue),
  retryAfterMs: fc.oneof(count, jsonValue),
}, { requiredKeys: ["code"] });

/** Control frames of every name, with values that are mostly of the right kind. */
export const controlText: fc.Arbitrary<string> = fc.oneof(
  fc.tuple(fc.constant("hello"), hello),
  fc.tuple(fc.constant("welcome"), welcome),
  fc.tuple(fc.constant("goaway"), goaway),
  fc.tuple(fc.constant("end"), end),
  fc.tuple(fc.constantFrom("ack", "bye"), fc.oneof(count, jsonValue)),
  fc.tuple(fc.constantFrom("ping", "pong"), jsonValue, fc.oneof(count, jsonValue)),
  fc.constant(["drop"]),
  fc.tuple(fc.oneof(fc.constantFrom(...NAMES), jsonValue), jsonValue, jsonValue),
).map((frame) => JSON.stringify(frame));
