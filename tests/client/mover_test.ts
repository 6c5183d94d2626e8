import { assert, assertEquals } from "@std/assert";
import { stub } from "@std/testing/mock";
import { FakeTime } from "@std/testing/time";
import { Mover } from "../../client/mover.ts";
import { systemClock } from "../../protocol/clock.ts";
import type { Goaway } from "../../protocol/session/control.ts";

const GOAWAY: Goaway = { afterMs: 10_000, reason: "Restarting", sessions: "kept" };

/** A mover under fake time. */
class Moving implements Disposable {
  readonly time = new FakeTime(0);
  /** When each try was made. */
  readonly tries: number[] = [];
  readonly signals: AbortSignal[] = [];
  readonly failures: unknown[] = [];
  readonly mover: Mover;
  /** What a try does. */
  move: () => Promise<void> = () => Promise.resolve();
  readonly #random;

  constructor(random = 0.5) {
    this.#random = stub(Math, "random", () => random);
    this.mover = new Mover({
      move: (_goaway, signal) => {
        this.tries.push(this.time.now);
        this.signals.push(signal);
        return this.move();
      },
      onFailure: (error) => this.failures.push(error),
      clock: systemClock,
    });
  }

  /** Lets time pass, step by step, as each pause begins after the last. */
  async pass(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += 100) await this.time.tickAsync(100);
  }

  [Symbol.dispose](): void {
    this.mover.stop();
    this.#random.restore();
    this.time.restore();
  }
}

for (const random of [0, 0.5, 0.999]) {
  Deno.test(`Mover moves within the first tenth of the time, chance being ${random}`, async () => {
    using moving = new Moving(random);
    moving.mover.start(GOAWAY);
    await moving.pass(2_000);
    assertEquals([moving.tries.length, moving.failures], [1, []]);
    const [tried = 0] = moving.tries;
    // As exactly as time passes here.
    assert(tried >= random * 1_000 && tried <= Math.max(random * 1_000 + 1, 100), `${tried}`);
  });
}

Deno.test("Mover tries again until it succeeds, and tells nobody", async () => {
  using moving = new Moving();
  moving.move = () =>
    moving.tries.length < 3 ? Promise.reject(new Error("503")) : Promise.resolve();
  moving.mover.start(GOAWAY);
  await moving.pass(2_000);
  assertEquals(moving.tries, [500, 1_100, 1_700]);
  assertEquals(moving.failures, []);
});

Deno.test("Mover gives up when the time is over, and tells why once", async () => {
  using moving = new Moving();
  moving.move = () => Promise.reject(new Error(`try ${moving.tries.length}`));
  moving.mover.start(GOAWAY);
  await moving.pass(15_000);
  assert((moving.tries.at(-1) ?? 0) < 11_000);
  assertEquals(moving.failures.map(String), [`Error: try ${moving.tries.length}`]);
});

Deno.test("Mover tries once where there is no time at all", async () => {
  using moving = new Moving();
  moving.mover.start({ ...GOAWAY, afterMs: 0 });
  await moving.time.tickAsync(0);
  assertEquals(moving.tries.length, 1);
});

Deno.test("Mover moves once, however often it is asked, and again afterwards", async () => {
  using moving = new Moving();
  for (let n = 0; n < 3; n++) moving.mover.start(GOAWAY);
  await moving.pass(1_000);
  assertEquals(moving.tries.length, 1);
  moving.mover.start(GOAWAY);
  await moving.pass(1_000);
  assertEquals(moving.tries.length, 2);
});

Deno.test("Mover.stop() ends waiting and moving, and tells nobody", async () => {
  using moving = new Moving();
  moving.mover.start(GOAWAY);
  moving.mover.stop();
  await moving.pass(2_000);
  assertEquals(moving.tries, []);

  const gate = Promise.withResolvers<void>();
  moving.move = () => gate.promise;
  moving.mover.start(GOAWAY);
  await moving.pass(1_000);
  moving.mover.stop();
  assertEquals(moving.signals.at(-1)?.aborted, true);
  gate.reject(new Error("too late"));
  await moving.pass(2_000);
  assertEquals([moving.tries.length, moving.failures], [1, []]);
});

Deno.test("Mover stays for a second at least, however often it is asked to move", async () => {
  using moving = new Moving(0);
  const now: Goaway = { ...GOAWAY, afterMs: 0 };
  for (let i = 0; i < 30; i++) {
    moving.mover.start(now);
    await moving.pass(100);
  }
  assertEquals(moving.tries.length, 3);
  assertEquals(moving.failures, []);
});
