import { assert, assertEquals } from "@std/assert";
import type { FrameSizes } from "../../../protocol/session/frames.ts";
import { type JoinCounts, Joiner } from "../../../protocol/session/joiner.ts";
import { Outgoing } from "../../../protocol/session/outgoing.ts";
import type { Task } from "../../../protocol/turn_end.ts";

/** A joiner, what it has written, and the ends of its turns. */
function setUp(sizes: FrameSizes) {
  const frames: string[] = [];
  const tasks: Task[] = [];
  const counts: JoinCounts = { turn: 0, full: 0, control: 0 };
  const sink = { put: (frame: string) => void frames.push(frame) };
  const joiner = new Joiner(sizes, sink, (task) => void tasks.push(task), counts);
  const add = (...texts: string[]) => {
    for (const text of texts) joiner.add(new Outgoing(undefined, text));
  };
  const endTurn = () => {
    for (const task of tasks.splice(0)) task.run();
  };
  return { joiner, frames, tasks, counts, add, endTurn };
}

Deno.test("Joiner.add() joins the messages of a turn, and asks for its end once", () => {
  const { frames, tasks, counts, add, endTurn } = setUp({ max: 100 });
  add("{1}", "{2}", "{3}");
  assertEquals([frames, tasks.length], [[], 1]);
  endTurn();
  add("{4}");
  endTurn();
  assertEquals(frames, ["{1}\n{2}\n{3}", "{4}"]);
  assertEquals(counts, { turn: 2, full: 0, control: 0 });
});

Deno.test("Joiner.add() begins another frame when one is full", () => {
  const { joiner, frames, counts, add, endTurn } = setUp({ max: 10 });
  add("{111}", "{22}", "{3}", "{4444444}");
  assertEquals(frames, ["{111}\n{22}", "{3}"]);
  endTurn();
  assertEquals(frames, ["{111}\n{22}", "{3}", "{4444444}"]);
  assertEquals([joiner.frames, counts], [3, { turn: 1, full: 2, control: 0 }]);
});

Deno.test("Joiner.flush() writes no joint frame with more bytes than it may have", () => {
  const { frames, add, endTurn } = setUp({ max: 20 });
  // As UTF-16 they fit into one frame, as UTF-8 only two of them do.
  const texts = ["{ééé}", "{€€}", "{a}", "{ü}"];
  add(...texts);
  endTurn();
  assertEquals(frames.flatMap((frame) => frame.split("\n")), texts);
  const sizes = frames.map((frame) => new TextEncoder().encode(frame).length);
  assert(sizes.length > 1 && sizes.every((size) => size <= 20), String(sizes));
});

Deno.test("Joiner.pass() writes a message by itself, behind those that wait", () => {
  const { joiner, frames, counts, add, endTurn } = setUp({ max: 100 });
  add("{1}", "{2}");
  joiner.pass(new Outgoing(undefined, "{3}"));
  add("{4}");
  endTurn();
  assertEquals(frames, ["{1}\n{2}", "{3}", "{4}"]);
  assertEquals(counts, { turn: 2, full: 0, control: 1 });
});

Deno.test("Joiner.resize() writes what was joined for the size before", () => {
  const { joiner, frames, add, endTurn } = setUp({ max: 100 });
  add("{1}", "{2}");
  joiner.resize({ max: 4 });
  add("{3}", "{4}");
  endTurn();
  assertEquals(frames, ["{1}\n{2}", "{3}", "{4}"]);
});
