import { assertEquals } from "@std/assert";
import { Ticker } from "../../client/ticker.ts";
import { ManualClock } from "../support/manual_clock.ts";

function makeTicker(interval: number | false = 100) {
  const clock = new ManualClock();
  const start = clock.now();
  const ticks: number[] = [];
  const state = { isWanted: true, onTick: () => {} };
  const ticker = new Ticker(interval, clock, () => state.isWanted, () => {
    ticks.push(clock.now() - start);
    state.onTick();
  });
  return { clock, ticks, ticker, state };
}

Deno.test("Ticker calls at intervals once it was told that it is wanted", () => {
  const { clock, ticks, ticker } = makeTicker();
  assertEquals(clock.timers, 0);
  ticker.update();
  ticker.update();
  assertEquals(clock.timers, 1);
  clock.advance(350);
  assertEquals(ticks, [100, 200, 300]);
});

Deno.test("Ticker leaves no timer when it is not wanted any more, and starts afresh", () => {
  const { clock, ticks, ticker, state } = makeTicker();
  ticker.update();
  clock.advance(50);
  state.isWanted = false;
  ticker.update();
  ticker.update();
  assertEquals(clock.timers, 0);
  state.isWanted = true;
  ticker.update();
  clock.advance(100);
  assertEquals(ticks, [150]);
});

Deno.test("Ticker goes on only if it is still wanted after the call", () => {
  const { clock, ticks, ticker, state } = makeTicker();
  state.onTick = () => {
    state.isWanted = false;
    ticker.update();
  };
  ticker.update();
  clock.advance(1_000);
  assertEquals([ticks, clock.timers], [[100], 0]);
});

Deno.test("Ticker with interval false calls never", () => {
  const { clock, ticker } = makeTicker(false);
  ticker.update();
  assertEquals(clock.timers, 0);
});
