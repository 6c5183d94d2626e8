import { assertEquals } from "@std/assert";
import { HeldFrames } from "../../protocol/held_frames.ts";

Deno.test("HeldFrames.release() gives the frames in order, once", () => {
  const held = new HeldFrames(100);
  assertEquals([held.hold("a"), held.hold("b")], [true, true]);
  assertEquals(held.release(), ["a", "b"]);
  assertEquals(held.release(), []);
});

Deno.test("HeldFrames.hold() has room for so many units, and again after a release", () => {
  const held = new HeldFrames(10);
  assertEquals([held.hold("12345"), held.hold("67890"), held.hold("1")], [true, true, false]);
  held.release();
  assertEquals(held.hold("1234567890"), true);
});

Deno.test("HeldFrames.hold() has room for 1,024 frames", () => {
  const held = new HeldFrames(1_000_000);
  for (let n = 0; n < 1_024; n++) assertEquals(held.hold("x"), true);
  assertEquals(held.hold("x"), false);
});

Deno.test("HeldFrames.hold() has no room for what is not text", () => {
  assertEquals(new HeldFrames(100).hold(new ArrayBuffer(1)), false);
});
