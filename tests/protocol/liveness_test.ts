import { assert, assertEquals } from "@std/assert";
import { FakeTime } from "@std/testing/time";
import { systemClock } from "../../protocol/clock.ts";
import { Liveness } from "../../protocol/liveness.ts";
import { ManualClock } from "../support/manual_clock.ts";

const POLICY = { interval: 25_000, timeout: 5_000, maxMissed: 3 };

interface Watched {
  readonly liveness: Liveness;
  readonly events: string[];
}

function watch(clock: { now(): number } & typeof systemClock, mayAsk = true): Watched {
  const events: string[] = [];
  const start = clock.now();
  const note = (what: string) => events.push(`${what} ${clock.now() - start}`);
  const ping = () => {
    note("ping");
    return mayAsk;
  };
  return { liveness: new Liveness(POLICY, clock, { ping, dead: () => note("dead") }), events };
}

Deno.test("Liveness pings after silence, three times, and gives the peer up", () => {
  const clock = new ManualClock();
  const { events } = watch(clock);
  clock.advance(100_000);
  assertEquals(events, ["ping 25000", "ping 30000", "ping 35000", "dead 40000"]);
  assertEquals(clock.timers, 0);
});

Deno.test("Liveness takes any frame for a sign of life", () => {
  const clock = new ManualClock();
  const { liveness, events } = watch(clock);
  clock.advance(36_000);
  liveness.seen();
  clock.advance(24_999);
  assertEquals(events, ["ping 25000", "ping 30000", "ping 35000"]);
  clock.advance(5_000);
  assertEquals(events.length, 4);
  liveness.stop();
});

Deno.test("Liveness leaves a talkative peer alone", () => {
  const clock = new ManualClock();
  const { liveness, events } = watch(clock);
  for (let i = 0; i < 100; i++) {
    clock.advance(20_000);
    liveness.seen();
  }
  assertEquals(events, []);
  assertEquals(clock.timers, 1);
  liveness.stop();
});

Deno.test("Liveness does not accuse a peer that cannot be asked", () => {
  const clock = new ManualClock();
  const { liveness, events } = watch(clock, false);
  clock.advance(1_000_000);
  assert(events.length > 10);
  assert(events.every((event) => event.startsWith("ping")));
  liveness.stop();
});

Deno.test("Liveness gives the peer its full time after this side was asleep", () => {
  const clock = new ManualClock();
  const { liveness, events } = watch(clock);
  clock.advance(35_000);
  clock.stall(3_600_000);
  clock.advance(0);
  assertEquals(events.at(-1), "ping 3635000");
  clock.advance(4_999);
  liveness.seen();
  clock.advance(1);
  assert(events.every((event) => event.startsWith("ping")));
  liveness.stop();
});

Deno.test("Liveness.stop() stops for good, and can be called twice", () => {
  const clock = new ManualClock();
  const { liveness, events } = watch(clock);
  liveness.stop();
  liveness.stop();
  assertEquals(clock.timers, 0);
  clock.advance(100_000);
  assertEquals(events, []);
});

/** A watch that notes what becomes of its pings. */
function watchPings() {
  const clock = new ManualClock();
  const heard: (string | number)[] = [];
  const hooks = { onMiss: () => {} };
  const events = { ping: () => true, dead: () => void heard.push("dead") };
  const liveness = new Liveness(POLICY, clock, events, {
    pinged: () => heard.push("pinged"),
    ponged: (ms) => heard.push(ms),
    missed: () => {
      heard.push("missed");
      hooks.onMiss();
    },
  });
  const answer = () => {
    liveness.seen();
    liveness.answered();
  };
  return { clock, heard, hooks, liveness, answer };
}

Deno.test("Liveness measures the round trip of a ping", () => {
  const { clock, heard, liveness, answer } = watchPings();
  clock.advance(25_120);
  answer();
  clock.advance(25_000);
  clock.advance(80);
  answer();
  assertEquals(heard, ["pinged", 120, "pinged", 80]);
  liveness.stop();
});

Deno.test("Liveness takes an answer once, and none that nobody asked for", () => {
  const { clock, heard, liveness, answer } = watchPings();
  answer();
  clock.advance(25_010);
  answer();
  answer();
  assertEquals(heard, ["pinged", 10]);
  liveness.stop();
});

Deno.test("Liveness tells every ping that was missed, the last before it gives up", () => {
  const { clock, heard } = watchPings();
  clock.advance(100_000);
  assertEquals(heard, ["pinged", "missed", "pinged", "missed", "pinged", "missed", "dead"]);
});

Deno.test("Liveness counts no ping as missed that other frames made needless", () => {
  const { clock, heard, liveness } = watchPings();
  clock.advance(25_000);
  liveness.seen();
  clock.advance(25_000);
  assertEquals(heard, ["pinged", "pinged"]);
  liveness.stop();
});

Deno.test("Liveness neither measures nor misses a ping that this side slept through", () => {
  const { clock, heard, liveness, answer } = watchPings();
  clock.advance(25_000);
  clock.stall(3_600_000);
  answer();
  clock.advance(0);
  assertEquals(heard, ["pinged"]);
  liveness.stop();
});

Deno.test("Liveness that is stopped when told of a miss goes no further", () => {
  const { clock, heard, hooks, liveness } = watchPings();
  hooks.onMiss = () => liveness.stop();
  clock.advance(100_000);
  assertEquals([heard, clock.timers], [["pinged", "missed"], 0]);
});

Deno.test("Liveness runs on the host's clock", () => {
  using time = new FakeTime(0);
  const { events } = watch(systemClock);
  time.tick(40_000);
  assertEquals(events, ["ping 25000", "ping 30000", "ping 35000", "dead 40000"]);
});
