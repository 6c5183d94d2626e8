import { assert, assertEquals } from "@std/assert";
import type { RequestId } from "../../protocol/jsonrpc.ts";
import { type PendingRequest, PendingTable } from "../../protocol/pending.ts";
import { ManualClock } from "../support/manual_clock.ts";
import { randomInteger, seededRandom } from "../support/random.ts";

interface Setting {
  readonly clock: ManualClock;
  readonly table: PendingTable;
  readonly expired: RequestId[];
}

function setUp(): Setting {
  const clock = new ManualClock();
  const expired: RequestId[] = [];
  const table = new PendingTable(clock, { expired: (id) => void expired.push(id) });
  return { clock, table, expired };
}

function requestFor(
  clock: ManualClock,
  options: Partial<PendingRequest> & { maxTimeout?: number } = {},
): PendingRequest {
  const { timeout = 100, maxTimeout = 1_000 } = options;
  return {
    method: "x",
    resolve: () => {},
    reject: () => {},
    timeout,
    startedAt: clock.now(),
    deadline: clock.now() + timeout,
    lastDeadline: clock.now() + maxTimeout,
    ...options,
  };
}

Deno.test("PendingTable.take() gives a request once", () => {
  const { clock, table } = setUp();
  const request = requestFor(clock);
  table.add(1, request);
  assert(table.take(1) === request);
  assertEquals(table.take(1), undefined);
});

Deno.test("PendingTable.take() tells 1 from '1'", () => {
  const { clock, table } = setUp();
  table.add(1, requestFor(clock));
  assertEquals(table.take("1"), undefined);
  assertEquals(table.size, 1);
  table.take(1);
});

Deno.test("PendingTable.take() lets go of the caller's signal", () => {
  const { clock, table } = setUp();
  let releases = 0;
  table.add(1, requestFor(clock, { release: () => releases++ }));
  table.take(1);
  table.take(1);
  assertEquals(releases, 1);
});

Deno.test("PendingTable.rejectAll() leaves no timer", () => {
  const { clock, table } = setUp();
  table.add(1, requestFor(clock));
  assertEquals(clock.timers, 1);
  table.rejectAll(new Error("over"));
  assertEquals(clock.timers, 0);
});

Deno.test("PendingTable has no timer any more when one finds nothing to do", () => {
  const { clock, table, expired } = setUp();
  table.add(1, requestFor(clock));
  table.take(1);
  clock.advance(100);
  assertEquals([expired, clock.timers], [[], 0]);
});

Deno.test("PendingTable needs one timer, however many requests are in flight", () => {
  const { clock, table } = setUp();
  for (let id = 0; id < 100; id++) {
    table.add(id, requestFor(clock, { timeout: 1_000 - id }));
  }
  assertEquals(clock.timers, 1);
  table.rejectAll(new Error("over"));
});

Deno.test("PendingTable expires a request at its deadline, not before", () => {
  const { clock, table, expired } = setUp();
  table.add(1, requestFor(clock));
  clock.advance(99);
  assertEquals(expired, []);
  clock.advance(1);
  assertEquals(expired, [1]);
  assertEquals([table.size, clock.timers], [0, 0]);
});

Deno.test("PendingTable expires each request at its own deadline", () => {
  const { clock, table, expired } = setUp();
  for (const [id, timeout] of [[1, 300], [2, 100], [3, 200]] as const) {
    table.add(id, requestFor(clock, { timeout }));
  }
  clock.advance(100);
  assertEquals(expired, [2]);
  clock.advance(100);
  assertEquals(expired, [2, 3]);
  clock.advance(100);
  assertEquals(expired, [2, 3, 1]);
});

Deno.test("PendingTable never expires a request without a deadline", () => {
  const { clock, table, expired } = setUp();
  table.add(1, requestFor(clock, { timeout: Infinity }));
  assertEquals(clock.timers, 0);
  clock.advance(1e12);
  assertEquals(expired, []);
});

Deno.test("PendingTable takes a request out before it says that it expired", () => {
  const clock = new ManualClock();
  const sizes: number[] = [];
  const table = new PendingTable(clock, { expired: () => void sizes.push(table.size) });
  table.add(1, requestFor(clock));
  table.add(2, requestFor(clock));
  clock.advance(100);
  assertEquals(sizes, [1, 0]);
});

Deno.test("PendingTable keeps watch over a request that is added while another expires", () => {
  const clock = new ManualClock();
  const expired: RequestId[] = [];
  const table = new PendingTable(clock, {
    expired(id) {
      expired.push(id);
      if (id === 1) table.add(2, requestFor(clock));
    },
  });
  table.add(1, requestFor(clock));
  clock.advance(100);
  assertEquals([expired, clock.timers], [[1], 1]);
  clock.advance(100);
  assertEquals([expired, clock.timers], [[1, 2], 0]);
});

Deno.test("PendingTable.extend() starts a request's time again", () => {
  const { clock, table, expired } = setUp();
  table.add(1, requestFor(clock));
  clock.advance(99);
  table.extend(1);
  clock.advance(99);
  assertEquals(expired, []);
  clock.advance(1);
  assertEquals(expired, [1]);
});

Deno.test("PendingTable.extend() does not go beyond the last deadline", () => {
  const { clock, table, expired } = setUp();
  table.add(1, requestFor(clock, { maxTimeout: 250 }));
  for (let elapsed = 50; elapsed < 250; elapsed += 50) {
    clock.advance(50);
    table.extend(1);
  }
  clock.advance(49);
  assertEquals(expired, []);
  clock.advance(1);
  assertEquals(expired, [1]);
});

Deno.test("PendingTable.extend() gives the request, and no other", () => {
  const { clock, table } = setUp();
  const request = requestFor(clock);
  table.add(1, requestFor(clock));
  table.add(2, request);
  assert(table.extend(2) === request);
  assertEquals(table.extend(3), undefined);
  table.rejectAll(new Error("over"));
});

Deno.test("PendingTable.rejectAll() rejects everything once and leaves nothing", () => {
  const { clock, table } = setUp();
  const rejected: unknown[] = [];
  const reason = new Error("over");
  for (const id of [1, 2, 3]) {
    table.add(id, requestFor(clock, { reject: (why) => rejected.push(why) }));
  }
  table.rejectAll(reason);
  table.rejectAll(new Error("again"));
  assertEquals(rejected, [reason, reason, reason]);
  assertEquals([table.size, clock.timers], [0, 0]);
});

Deno.test("PendingTable settles every request exactly once, whatever happens in which order", () => {
  for (let seed = 0; seed < 100; seed++) {
    const random = seededRandom(seed);
    const clock = new ManualClock();
    const settled = new Map<RequestId, number>();
    const due = new Map<RequestId, { soonest: number; latest: number }>();
    const settle = (id: RequestId) => settled.set(id, (settled.get(id) ?? 0) + 1);
    const table = new PendingTable(clock, {
      expired(id) {
        settle(id);
        const times = due.get(id);
        assert(
          times !== undefined && clock.now() >= times.soonest &&
            clock.now() <= times.latest,
          `seed ${seed}: ${id} expired at the wrong time`,
        );
      },
    });
    let added = 0;
    for (let step = 0; step < 300; step++) {
      const id = randomInteger(random, added + 1);
      const action = random();
      if (action < 0.4) {
        const timeout = 1 + randomInteger(random, 500);
        const latest = clock.now() + timeout + randomInteger(random, 500);
        due.set(added, { soonest: clock.now() + timeout, latest });
        table.add(
          added,
          requestFor(clock, {
            timeout,
            lastDeadline: latest,
            reject: ((id) => () => settle(id))(added),
          }),
        );
        added++;
      } else if (action < 0.6) {
        if (table.take(id) !== undefined) settle(id);
      } else if (action < 0.8) table.extend(id);
      else if (action < 0.99) clock.advance(randomInteger(random, 200));
      else table.rejectAll(new Error("over"));
      assert(clock.timers <= 1, `seed ${seed}: ${clock.timers} timers`);
      assertEquals(table.size, added - settled.size, `seed ${seed}`);
    }
    clock.advance(2_000);
    assertEquals([table.size, clock.timers], [0, 0], `seed ${seed}`);
    assertEquals(settled.size, added, `seed ${seed}`);
    assert([...settled.values()].every((times) => times === 1), `seed ${seed}`);
  }
});
