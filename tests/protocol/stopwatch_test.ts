import { assert, assertEquals } from "@std/assert";
import { systemClock } from "../../protocol/clock.ts";
import { stopwatch } from "../../protocol/clock.ts";
import { ManualClock } from "../support/manual_clock.ts";

Deno.test("stopwatch() takes a clock that was given as it is", () => {
  const clock = new ManualClock();
  const now = stopwatch(clock);
  const start = now();
  clock.advance(7);
  assertEquals(now() - start, 7);
});

Deno.test("stopwatch() of the host's clock never goes back", () => {
  const now = stopwatch(systemClock);
  const first = now();
  assert(first >= 0 && now() >= first);
});
