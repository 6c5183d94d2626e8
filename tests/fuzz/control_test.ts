import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  ackFrame,
  byeFrame,
  type ControlFrame,
  endFrame,
  goawayFrame,
  helloFrame,
  parseControl,
  pingFrame,
  welcomeFrame,
} from "../../protocol/session/control.ts";
import { RANGES, type SessionLimits } from "../../protocol/session/limits.ts";
import { controlText } from "./_frames.ts";
import { fuzz } from "./_fuzz.ts";
import { garbage, hostile, mutated } from "./_texts.ts";

function assertIn(value: number, { min, max }: { min: number; max: number }): void {
  assert(value >= min && value <= max, `${value} is not from ${min} to ${max}`);
}

function assertLimits({ messageBytes, bufferBytes, bufferMessages }: SessionLimits): void {
  assertIn(messageBytes, RANGES.messageBytes);
  assertIn(bufferBytes, RANGES.bufferBytes);
  assertIn(bufferMessages, RANGES.bufferMessages);
}

function assertCount(count: number): void {
  assert(Number.isSafeInteger(count) && count >= 0, `${count} is no count`);
}

/** Whatever a peer says, this is what timers and buffers get. */
function assertBounded(frame: ControlFrame): void {
  switch (frame.type) {
    case "hello":
      assertLimits(frame.hello.limits);
      assertCount(frame.hello.received);
      assert(frame.hello.attempt >= 1 && frame.hello.token.length === 43);
      return assert(/^[\x21-\x7e]{1,128}$/.test(frame.hello.session));
    case "welcome":
      assertLimits(frame.welcome.limits);
      assertCount(frame.welcome.received);
      assertIn(frame.welcome.windowMs, RANGES.windowMs);
      assertIn(frame.welcome.pingMs, RANGES.pingMs);
      return assert((frame.welcome.reason ?? "").length <= 512);
    case "goaway":
      assertIn(frame.goaway.afterMs, RANGES.afterMs);
      return assert(frame.goaway.reason.length <= 512);
    case "end":
      assertIn(frame.end.code, { min: 1_000, max: 4_999 });
      assertIn(frame.end.retryAfterMs ?? 0, RANGES.retryAfterMs);
      return assert(frame.end.reason.length <= 512);
    case "ping":
    case "pong":
      assert(JSON.stringify(frame.mark).length <= 256);
      return assertCount(frame.count);
    case "ack":
    case "bye":
      return assertCount(frame.count);
    case "drop":
  }
}

/** The frame that says what was read. */
function write(frame: ControlFrame): string {
  switch (frame.type) {
    case "hello":
      return helloFrame(frame.hello);
    case "welcome":
      return welcomeFrame(frame.welcome);
    case "goaway":
      return goawayFrame(frame.goaway);
    case "end":
      return endFrame(frame.end);
    case "ack":
      return ackFrame(frame.count);
    case "bye":
      return byeFrame(frame.count);
    case "ping":
    case "pong":
      return pingFrame(frame.type, frame.mark, frame.count);
    case "drop":
      return '["drop"]';
  }
}

fuzz(
  "parseControl() never throws, and brings every number into its range",
  20_000,
  fc.property(hostile(controlText), (text) => {
    const frame = parseControl(text);
    if (frame !== undefined) assertBounded(frame);
    assertEquals(Reflect.get({}, "polluted"), undefined);
  }),
);

fuzz(
  "parseControl() reads what was read, written again, as the same",
  8_000,
  fc.property(fc.oneof(controlText, mutated(controlText)), (text) => {
    const frame = parseControl(text);
    if (frame !== undefined) assertEquals(parseControl(write(frame)), frame);
  }),
);

fuzz(
  "parseControl() reads nothing that is no array with a known name first",
  6_000,
  fc.property(garbage, (text) => {
    const frame = parseControl(text);
    if (frame !== undefined) assertEquals(JSON.parse(text)[0], frame.type);
  }),
);
