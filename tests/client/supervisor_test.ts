import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStrictEquals,
} from "@std/assert";
import { stub } from "@std/testing/mock";
import { FakeTime } from "@std/testing/time";
import { systemClock } from "../../protocol/clock.ts";
import { closeVerdict, statusVerdict } from "../../protocol/close_codes.ts";
import { MCPConnectionError, MCPError, MCPTimeoutError } from "../../protocol/errors.ts";
import { DialLimit, DialLimitError, type DialLimitOptions } from "../../client/dial_limit.ts";
import type { ReconnectOptions } from "../../client/options.ts";
import { type Loss, lossOf } from "../../client/recovery.ts";
import { type OpenConnection, Supervisor } from "../../client/supervisor.ts";
import { setGlobal } from "../support/globals.ts";

const POLICY: ReconnectOptions = {
  attempts: 10,
  minDelay: 1_000,
  maxDelay: 30_000,
  multiplier: 2,
  minUptime: 5_000,
  immediate: ["reset", "timeout", "heartbeat"],
  initial: false,
};

/** One call of `open`, whose outcome is the test's to choose. */
interface Dial {
  readonly at: number;
  readonly signal: AbortSignal;
  /** Opens it; gives what loses the connection with a close code. */
  open(hasProgressed?: boolean, wasWelcomed?: boolean): (code: number, reason?: string) => void;
  fail(error?: Error): void;
}

/** A supervisor under fake time, with everything it does. */
class Supervised implements Disposable {
  readonly time = new FakeTime(0);
  readonly dials: Dial[] = [];
  readonly states: string[] = [];
  readonly losses: [string, boolean][] = [];
  readonly ends: Error[] = [];
  readonly supervisor: Supervisor;
  /** Called while a loss is told. */
  onLoss = () => {};
  /** Whether there is a session that the server should still have. */
  mayStillResume = false;
  policy: ReconnectOptions | false;
  readonly #random;

  constructor(
    policy: Partial<ReconnectOptions> | false = {},
    random = 0,
    limit: Partial<DialLimitOptions> | false = false,
  ) {
    this.#random = stub(Math, "random", () => random);
    this.policy = policy && { ...POLICY, ...policy };
    this.supervisor = new Supervisor({
      open: (signal) => this.#open(signal),
      policy: () => this.policy,
      mayStillResume: () => this.mayStillResume,
      onState: (state) => this.states.push(state.status),
      onLoss: (loss, willRetry) => {
        this.losses.push([loss.cause, willRetry]);
        this.onLoss();
      },
      onEnd: (reason) => this.ends.push(reason),
      limit: limit === false ? undefined : new DialLimit(limit, systemClock),
      clock: systemClock,
    });
  }

  get status(): string {
    return this.supervisor.state.status;
  }

  /** When each dial began. */
  get times(): number[] {
    return this.dials.map(({ at }) => at);
  }

  dial(index: number): Dial {
    const dial = this.dials.at(index);
    assert(dial !== undefined, `no dial ${index}`);
    return dial;
  }

  /** Lets promises settle. */
  settle(): Promise<void> {
    return this.time.runMicrotasks();
  }

  /** Lets time pass, timer by timer. */
  async pass(ms: number): Promise<void> {
    let isOver = false;
    setTimeout(() => isOver = true, ms);
    while (!isOver) await this.time.nextAsync();
    // Pauses of no length that begin right now.
    await this.time.tickAsync();
    await this.settle();
  }

  /** Starts; who does not care how that ends need not. */
  start(signal?: AbortSignal): Promise<void> {
    const started = this.supervisor.start(signal);
    started.catch(() => {});
    return started;
  }

  /** Starts, and opens the first connection; gives what loses it. */
  async started(): Promise<(code: number, reason?: string) => void> {
    const start = this.start();
    const lose = this.dial(-1).open();
    await start;
    return lose;
  }

  #open(signal: AbortSignal): Promise<OpenConnection> {
    const { promise, resolve, reject } = Promise.withResolvers<OpenConnection>();
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    this.dials.push({
      at: this.time.now,
      signal,
      open(hasProgressed = false, wasWelcomed = false) {
        const lost = Promise.withResolvers<Loss>();
        resolve({ lost: lost.promise, hasProgressed, wasWelcomed });
        return (code, reason = "") => lost.resolve(lossOf({ code, reason }));
      },
      fail: (error = new MCPConnectionError("refused")) => reject(error),
    });
    return promise;
  }

  [Symbol.dispose](): void {
    this.supervisor.close();
    this.#random.restore();
    this.time.restore();
  }
}

const refusal = (status: number) =>
  new MCPConnectionError(`status ${status}`, { status, verdict: statusVerdict(status) });

Deno.test("Supervisor starts: connecting, connected", async () => {
  using it = new Supervised();
  await it.started();
  assertEquals(it.states, ["connecting", "connected"]);
  assertEquals([it.supervisor.state.attempt, it.ends.length], [1, 0]);
});

Deno.test("Supervisor cannot be started twice, and says so without harm", async () => {
  using it = new Supervised();
  const start = it.start();
  const text = "Cannot start transport: it has been started";
  await assertRejects(() => it.start(), TypeError, text);
  it.dial(0).open();
  await start;
  await assertRejects(() => it.start(), TypeError, text);
  assertEquals([it.status, it.ends.length], ["connected", 0]);
});

Deno.test("Supervisor gives up when the first dial fails, and can be started again", async () => {
  using it = new Supervised();
  const start = it.start();
  const error = new MCPConnectionError("refused");
  it.dial(0).fail(error);
  assertStrictEquals(await assertRejects(() => start), error);
  assertEquals(it.states, ["connecting", "failed"]);
  assertEquals(it.ends, [error]);
  await it.started();
  assertEquals([it.status, it.supervisor.state.attempt, it.ends.length], ["connected", 1, 1]);
});

Deno.test("Supervisor with initial tries the first connection more than once", async () => {
  using it = new Supervised({ initial: true, minDelay: 100 });
  const start = it.start();
  await it.settle();
  await it.pass(1);
  it.dial(0).fail();
  await it.pass(100);
  it.dial(1).open();
  await start;
  assertEquals(it.states, ["connecting", "reconnecting", "connecting", "connected"]);
});

Deno.test("Supervisor with initial gives up after its attempts", async () => {
  using it = new Supervised({ initial: true, attempts: 3, minDelay: 10 });
  const start = assertRejects(() => it.start(), MCPConnectionError);
  for (let n = 0; n < 3; n++) {
    await it.pass(200);
    it.dial(n).fail();
  }
  const error = await start;
  assertEquals(error.message, "Gave up reconnecting: refused");
  assertEquals([it.status, it.dials.length, it.ends.length], ["failed", 3, 1]);
});

for (const [random, name] of [[0, "all of"], [0.5, "half"]] as const) {
  Deno.test(`Supervisor backs off exponentially; chance leaves ${name} the pause`, async () => {
    using it = new Supervised({ minUptime: 0 }, random);
    (await it.started())(1011);
    const first = random * 1_000;
    let at = first;
    const expected = [0, first];
    for (const pause of [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000, 30_000]) {
      at += (1 - random) * pause;
      expected.push(at);
    }
    for (let n = 1; n <= 10; n++) {
      while (it.dials.length <= n) assert(await it.time.nextAsync());
      it.dial(n).fail();
      await it.settle();
    }
    assertEquals(it.times, expected);
    assertEquals([it.status, it.dials.length], ["failed", 11]);
  });
}

Deno.test("Supervisor that has used up its attempts fails, and says what the last one said", async () => {
  using it = new Supervised({ attempts: 2, minDelay: 10 });
  (await it.started())(0);
  await it.pass(250);
  it.dial(1).fail(new MCPConnectionError("first"));
  await it.pass(10);
  const last = refusal(503);
  it.dial(2).fail(last);
  await it.settle();
  const { state } = it.supervisor;
  assert(state.status === "failed");
  assertInstanceOf(state.error, MCPConnectionError);
  assertEquals(state.error.message, "Gave up reconnecting: status 503");
  assertEquals(state.error.kind, "capacity");
  assertEquals(state.error.verdict?.cause, "capacity");
  assertStrictEquals(state.error.cause, last);
  assertEquals(it.ends, [state.error]);
  assertEquals(state.attempt, 2);
});

for (const code of [0, 1006, 4408]) {
  Deno.test(`Supervisor dials within 250 ms after close code ${code}`, async () => {
    using it = new Supervised({}, 0.999);
    const lose = await it.started();
    lose(code);
    await it.pass(250);
    assertEquals(it.dials.length, 2);
  });
}

Deno.test("Supervisor waits as long as the peer asks before it dials", async () => {
  using it = new Supervised();
  (await it.started())(1013, "retry-after=20");
  await it.pass(19_990);
  assertEquals(it.dials.length, 1);
  await it.pass(10);
  assertEquals(it.dials.length, 2);
});

Deno.test("Supervisor waits as long as the peer asks, also when it died young", async () => {
  using it = new Supervised({ minDelay: 10 });
  (await it.started())(0);
  await it.pass(1);
  it.dial(1).open()(1011, "retry-after=20");
  await it.settle();
  await it.pass(20_000 - 1);
  assertEquals(it.dials.length, 2);
  await it.pass(200);
  assertEquals(it.dials.length, 3);
});

Deno.test("Supervisor leaves a server at capacity alone for five seconds", async () => {
  using it = new Supervised({ minDelay: 10 });
  (await it.started())(0);
  await it.pass(1);
  it.dial(1).fail(refusal(503));
  await it.pass(5_000);
  assertEquals(it.dials.length, 2);
  await it.pass(100);
  assertEquals(it.dials.length, 3);
});

Deno.test("Supervisor counts a connection that dies young as a dial that failed", async () => {
  using it = new Supervised({ attempts: 3, minDelay: 10 });
  (await it.started())(0);
  for (let n = 1; n <= 3; n++) {
    await it.pass(100);
    const lose = it.dial(n).open();
    await it.pass(4_000);
    lose(0);
    await it.settle();
  }
  assertEquals([it.status, it.dials.length], ["failed", 4]);
  assertEquals(it.ends.map(({ message }) => message), [
    "Gave up reconnecting: Connection lost: reset (code 0)",
  ]);
  assertEquals(it.losses.length, 4);
});

Deno.test("Supervisor starts to count afresh after a stable connection", async () => {
  using it = new Supervised({ attempts: 2, minDelay: 10 });
  let lose = await it.started();
  for (let round = 0; round < 5; round++) {
    lose(0);
    await it.pass(10);
    it.dial(-1).fail();
    await it.pass(100);
    lose = it.dial(-1).open();
    await it.settle();
    assertEquals(it.supervisor.state.attempt, 2);
    await it.pass(5_100);
  }
  assertEquals(it.status, "connected");
});

for (const code of [1000, 1002, 1003, 1007, 1008, 4002, 4003, 4403, 4409]) {
  Deno.test(`Supervisor stops at once after close code ${code}`, async () => {
    using it = new Supervised();
    (await it.started())(code);
    await it.settle();
    assertEquals([it.status, it.dials.length, it.ends.length], ["failed", 1, 1]);
    assertEquals(it.losses, [[closeVerdict(code).cause, false]]);
    assertInstanceOf(it.ends[0], MCPConnectionError);
    assertEquals(it.ends[0].code, code);
  });
}

Deno.test("Supervisor stops at once when a redial is refused for good", async () => {
  using it = new Supervised();
  (await it.started())(0);
  await it.pass(1);
  const error = refusal(403);
  it.dial(1).fail(error);
  await it.settle();
  assertEquals([it.status, it.dials.length], ["failed", 2]);
  assertStrictEquals(it.ends[0], error);
});

Deno.test("Supervisor tries once more with a fresh credential after a 401, then stops", async () => {
  using it = new Supervised({ minDelay: 10 });
  (await it.started())(0);
  await it.pass(1);
  it.dial(1).fail(refusal(401));
  await it.pass(100);
  const last = refusal(401);
  it.dial(2).fail(last);
  await it.settle();
  assertEquals([it.status, it.dials.length], ["failed", 3]);
  assertStrictEquals(it.ends[0], last);
});

Deno.test("Supervisor tries once more after 4401, then stops, although each dial is let in", async () => {
  using it = new Supervised({ minDelay: 10 });
  (await it.started())(4401);
  await it.pass(250);
  it.dial(1).open()(4401);
  await it.pass(1_000);
  assertEquals([it.status, it.dials.length], ["failed", 2]);
});

Deno.test("Supervisor may refresh again after a connection that was stable", async () => {
  using it = new Supervised({ minDelay: 10 });
  let lose = await it.started();
  for (let round = 0; round < 3; round++) {
    await it.pass(6_000);
    lose(4401);
    await it.pass(250);
    lose = it.dial(-1).open();
    await it.settle();
    assertEquals(it.status, "connected");
  }
});

Deno.test("Supervisor goes on after a provider of credentials that failed", async () => {
  using it = new Supervised({ minDelay: 10 });
  (await it.started())(0);
  await it.pass(1);
  it.dial(1).fail(new MCPError("authentication", "no network", { retryable: true }));
  await it.pass(100);
  assertEquals(it.dials.length, 3);
});

Deno.test("Supervisor takes a dial that timed out for one that may succeed", async () => {
  using it = new Supervised({ minDelay: 10 });
  (await it.started())(0);
  await it.pass(1);
  it.dial(1).fail(new MCPTimeoutError("late", 5));
  await it.settle();
  const { state } = it.supervisor;
  assert(state.status === "reconnecting");
  assertEquals(state.cause, "timeout");
});

Deno.test("Supervisor without a policy never dials again", async () => {
  using it = new Supervised(false);
  (await it.started())(0);
  await it.settle();
  assertEquals([it.status, it.dials.length, it.losses], ["failed", 1, [["reset", false]]]);
});

Deno.test("Supervisor follows a policy that is switched off while it reconnects", async () => {
  using it = new Supervised({ minDelay: 10 });
  (await it.started())(0);
  await it.pass(1);
  const lose = it.dial(1).open();
  await it.settle();
  it.policy = false;
  lose(0);
  await it.pass(1_000);
  assertEquals([it.status, it.dials.length], ["failed", 2]);
  assertEquals(it.losses.at(-1), ["reset", false]);
});

Deno.test("reconnect() cuts the pause short, and starts to count afresh", async () => {
  using it = new Supervised({ attempts: 2 });
  (await it.started())(1013, "retry-after=300");
  await it.settle();
  assertEquals(it.supervisor.reconnect(), true);
  await it.pass(1);
  it.dial(1).fail();
  await it.settle();
  assertEquals(it.supervisor.reconnect(), true);
  await it.pass(1);
  it.dial(2).fail();
  await it.pass(1_000);
  assertEquals([it.dials.length, it.status], [4, "connecting"]);
});

Deno.test("reconnect() cuts the pause of the first connection short, too", async () => {
  using it = new Supervised({ initial: true });
  const start = it.start();
  await it.pass(1);
  it.dial(0).fail();
  await it.settle();
  assertEquals(it.supervisor.reconnect(), true);
  await it.pass(1);
  it.dial(1).open();
  await start;
  assertEquals([it.status, it.ends.length], ["connected", 0]);
});

Deno.test("reconnect() while a loss is told dials at once", async () => {
  using it = new Supervised();
  const lose = await it.started();
  it.onLoss = () => assertEquals(it.supervisor.reconnect(), true);
  lose(1013, "retry-after=300");
  await it.pass(1);
  const loseAgain = it.dial(1).open();
  await it.pass(1);
  // Before its time: the pause of a dial that failed is cut short, too.
  loseAgain(1013, "retry-after=300");
  await it.pass(1);
  assertEquals([it.dials.length, it.status], [3, "connecting"]);
});

Deno.test("reconnect() does nothing while there is a connection, a dial, or nothing", async () => {
  using it = new Supervised();
  assertEquals(it.supervisor.reconnect(), false);
  const start = it.start();
  assertEquals(it.supervisor.reconnect(), false);
  it.dial(0).open();
  await start;
  assertEquals(it.supervisor.reconnect(), false);
  it.supervisor.close();
  assertEquals(it.supervisor.reconnect(), false);
  assertEquals(it.dials.length, 1);
});

const tell = (type: "online" | "offline") => globalThis.dispatchEvent(new Event(type));

Deno.test("the network going away while reconnecting leads to offline, coming back to a dial", async () => {
  using it = new Supervised();
  (await it.started())(1013);
  await it.settle();
  tell("offline");
  await it.settle();
  assertEquals(it.status, "offline");
  await it.pass(29_000);
  assertEquals(it.dials.length, 1);
  tell("online");
  await it.pass(1);
  assertEquals([it.status, it.dials.length], ["connecting", 2]);
  it.dial(1).open();
  await it.settle();
  assertEquals(it.status, "connected");
});

Deno.test("the network going away cuts a dial short", async () => {
  using it = new Supervised();
  (await it.started())(0);
  await it.pass(1);
  tell("offline");
  await it.settle();
  assertEquals([it.status, it.dial(1).signal.aborted], ["offline", true]);
});

Deno.test("the network going away leaves an open connection alone, until it is lost", async () => {
  using it = new Supervised();
  const lose = await it.started();
  tell("offline");
  await it.settle();
  assertEquals(it.status, "connected");
  lose(0);
  await it.settle();
  assertEquals(it.status, "offline");
});

Deno.test("a runtime that says it is offline is believed after a loss", async () => {
  using it = new Supervised();
  const lose = await it.started();
  using _offline = setGlobal("navigator", { onLine: false });
  lose(0);
  await it.settle();
  assertEquals(it.status, "offline");
});

for (const initial of [false, true]) {
  Deno.test(`a runtime that says it is offline is not believed at first, initial: ${initial}`, async () => {
    using it = new Supervised({ initial });
    using _offline = setGlobal("navigator", { onLine: false });
    const start = it.start();
    await it.pass(1);
    it.dial(0).open();
    await start;
    assertEquals(it.states, ["connecting", "connected"]);
  });
}

Deno.test("the network coming back cuts the pause of the first connection short", async () => {
  using it = new Supervised({ initial: true });
  const start = it.start();
  await it.pass(1);
  it.dial(0).fail(refusal(503));
  await it.settle();
  tell("online");
  await it.pass(1);
  it.dial(1).open();
  await start;
  assertEquals(it.ends.length, 0);
});

Deno.test("offline, a dial is tried now and then all the same, without an end", async () => {
  using it = new Supervised({ attempts: 1, maxDelay: 1_000 });
  (await it.started())(1013);
  await it.settle();
  tell("offline");
  for (let n = 1; n <= 5; n++) {
    await it.pass(1_100);
    it.dial(n).fail();
    await it.settle();
    assertEquals(it.status, "offline");
  }
  await it.pass(1_100);
  it.dial(-1).open();
  await it.settle();
  assertEquals(it.status, "connected");
});

Deno.test("offline, a dial that is refused for good ends it", async () => {
  using it = new Supervised({ maxDelay: 1_000 });
  (await it.started())(1013);
  await it.settle();
  tell("offline");
  await it.pass(1_100);
  it.dial(1).fail(refusal(403));
  await it.settle();
  assertEquals([it.status, it.ends.length], ["failed", 1]);
});

Deno.test("a dial that succeeds proves that there is a network, whatever the runtime said", async () => {
  using it = new Supervised({ maxDelay: 2_000 });
  (await it.started())(1013);
  await it.settle();
  tell("offline");
  await it.pass(2_100);
  const lose = it.dial(1).open();
  await it.pass(6_000);
  lose(0);
  await it.settle();
  assertEquals(it.status, "reconnecting");
  await it.pass(250);
  assertEquals(it.dials.length, 3);
});

Deno.test("the network coming back during a dial that fails does not leave it waiting", async () => {
  using it = new Supervised({ maxDelay: 20_000 });
  (await it.started())(1013);
  await it.settle();
  tell("offline");
  await it.pass(20_100);
  assertEquals(it.dials.length, 2);
  tell("online");
  it.dial(1).fail();
  await it.settle();
  assertEquals(it.status, "reconnecting");
  await it.pass(1_000);
  assertEquals(it.dials.length, 3);
});

Deno.test("Supervisor lets go of the network when it ends", async () => {
  const added = stub(globalThis, "addEventListener");
  const removed = stub(globalThis, "removeEventListener");
  try {
    using it = new Supervised();
    await it.started();
    assertEquals(added.calls.map(({ args }) => args[0]), ["online", "offline"]);
    it.supervisor.close();
    assertEquals(
      removed.calls.map(({ args }) => args.slice(0, 2)),
      added.calls.map(({ args }) => args.slice(0, 2)),
    );
  } finally {
    added.restore();
    removed.restore();
  }
});

Deno.test("start() takes a signal that has aborted for an answer", async () => {
  using it = new Supervised();
  const reason = new Error("enough");
  const start = it.start(AbortSignal.abort(reason));
  assertStrictEquals(await assertRejects(() => start), reason);
  assertEquals([it.status, it.dials.length], ["disconnected", 0]);
});

Deno.test("start() gives up when its signal aborts during the dial", async () => {
  using it = new Supervised();
  const controller = new AbortController();
  const reason = new Error("enough");
  const start = it.start(controller.signal);
  controller.abort(reason);
  assertStrictEquals(await assertRejects(() => start), reason);
  assertEquals([it.states, it.dials.length], [["connecting", "failed"], 1]);
  assertEquals(it.ends, [reason]);
  assert(it.dial(0).signal.aborted);
});

Deno.test("start() gives up when its signal aborts between two dials", async () => {
  using it = new Supervised({ initial: true });
  const controller = new AbortController();
  const start = it.start(controller.signal);
  await it.pass(1);
  it.dial(0).fail();
  await it.settle();
  assertEquals(it.status, "reconnecting");
  controller.abort("enough");
  assertEquals(await start.catch((reason) => reason), "enough");
  await it.pass(60_000);
  assertEquals([it.status, it.dials.length, it.ends.length], ["failed", 1, 1]);
});

Deno.test("start() does not listen to its signal any longer than it takes", async () => {
  using it = new Supervised();
  const controller = new AbortController();
  const start = it.start(controller.signal);
  it.dial(0).open();
  await start;
  controller.abort();
  await it.settle();
  assertEquals([it.status, it.ends.length], ["connected", 0]);
});

const CLOSED = "The transport was closed";

/** How to get into each phase in which it can be closed. */
const PHASES: Record<string, (it: Supervised) => Promise<unknown>> = {
  "the first dial": (it) => {
    const start = assertRejects(() => it.start(), MCPConnectionError, CLOSED);
    return Promise.resolve([start]);
  },
  "a connection": (it) => it.started(),
  "the pause before a dial": async (it) => {
    (await it.started())(1013);
    await it.settle();
  },
  "a redial": async (it) => {
    (await it.started())(0);
    await it.pass(1);
  },
  "a young connection": async (it) => {
    (await it.started())(0);
    await it.pass(1);
    it.dial(1).open();
    await it.settle();
  },
  "offline": async (it) => {
    (await it.started())(1013);
    await it.settle();
    tell("offline");
    await it.settle();
  },
  "a dial while offline": async (it) => {
    (await it.started())(1013);
    await it.settle();
    tell("offline");
    await it.pass(30_200);
  },
};

for (const [phase, enter] of Object.entries(PHASES)) {
  Deno.test(`close() during ${phase} ends it, once and for good`, async () => {
    using it = new Supervised();
    await enter(it);
    const dials = it.dials.length;
    it.supervisor.close();
    it.supervisor.close();
    await it.settle();
    await it.pass(120_000);
    tell("online");
    await it.pass(1_000);
    assertEquals([it.status, it.dials.length, it.ends.length], ["disconnected", dials, 1]);
    assertEquals(it.ends[0]?.message, CLOSED);
    assertEquals(it.states.filter((status) => status === "disconnected").length, 1);
  });

  Deno.test(`close() during ${phase} and start() at once make a new connection`, async () => {
    using it = new Supervised();
    await enter(it);
    it.supervisor.close();
    const start = it.start();
    const dial = it.dial(-1);
    await it.settle();
    dial.open();
    await start;
    await it.pass(10_000);
    assertEquals([it.status, it.ends.length], ["connected", 1]);
    assertEquals(it.supervisor.state.attempt, 1);
  });
}

Deno.test("close() and start() at once: the loss of the old connection does not touch the new one", async () => {
  using it = new Supervised();
  const lose = await it.started();
  it.supervisor.close();
  await it.started();
  lose(1000);
  await it.pass(1_000);
  assertEquals([it.status, it.losses.length, it.ends.length], ["connected", 0, 1]);
});

Deno.test("close() from whoever hears of the connection ends the start, too", async () => {
  using it = new Supervised();
  const states: string[] = [];
  const { push } = it.states;
  it.states.push = function (status: string): number {
    states.push(status);
    if (status === "connected") it.supervisor.close();
    return push.call(this, status);
  };
  const start = it.start();
  it.dial(0).open();
  await assertRejects(() => start, MCPConnectionError, CLOSED);
  assertEquals(states, ["connecting", "connected", "disconnected"]);
  assertEquals(it.ends.length, 1);
});

Deno.test("close() between a dial that succeeds and what follows ends the start, too", async () => {
  using it = new Supervised();
  const start = it.start();
  it.dial(0).open();
  it.supervisor.close();
  await assertRejects(() => start, MCPConnectionError, CLOSED);
  assertEquals([it.states, it.ends.length], [["connecting", "disconnected"], 1]);
});

Deno.test("close() before start() and after a failure does nothing", async () => {
  using it = new Supervised();
  it.supervisor.close();
  const start = it.start();
  it.dial(0).fail();
  await assertRejects(() => start);
  it.supervisor.close();
  assertEquals([it.status, it.ends.length], ["failed", 1]);
});

Deno.test("Supervisor does not hold a quick end against a connection that got something through", async () => {
  using it = new Supervised({ attempts: 2, minDelay: 1_000 });
  let lose = await it.started();
  for (let n = 1; n <= 6; n++) {
    lose(0);
    await it.pass(1);
    lose = it.dial(n).open(true);
    await it.settle();
  }
  // No pause, and no attempt was used up.
  assertEquals([it.dials.length, it.status, it.supervisor.state.attempt], [7, "connected", 1]);
  lose(0);
  await it.pass(1);
  it.dial(7).open(false)(0);
  await it.pass(900);
  assertEquals(it.dials.length, 8);
});

Deno.test("Supervisor goes on as long as a session may be resumed, then uses up its attempts", async () => {
  using it = new Supervised({ attempts: 2, minDelay: 10, maxDelay: 10 });
  it.mayStillResume = true;
  (await it.started())(0);
  for (let n = 1; n <= 9; n++) {
    await it.pass(20);
    it.dial(n).fail();
    await it.settle();
  }
  assertEquals([it.dials.length >= 10, it.ends.length], [true, 0]);
  it.mayStillResume = false;
  for (let n = 10; n <= 12 && it.status !== "failed"; n++) {
    await it.pass(20);
    it.dial(-1).fail();
    await it.settle();
  }
  assertEquals([it.status, it.ends.length], ["failed", 1]);
});

Deno.test("Supervisor stops at once for what no dial can help, although a session may be resumed", async () => {
  using it = new Supervised();
  it.mayStillResume = true;
  (await it.started())(0);
  await it.pass(1);
  it.dial(1).fail(refusal(403));
  await it.settle();
  assertEquals([it.status, it.dials.length], ["failed", 2]);
});

Deno.test("Supervisor refuses a start when too many dials have failed, until the window has passed", async () => {
  using it = new Supervised(false, 0, { maxFailures: 2, window: 1_000 });
  for (let dial = 0; dial < 2; dial++) {
    const start = it.start();
    it.dial(-1).fail();
    await assertRejects(() => start, MCPConnectionError);
  }
  const error = await assertRejects(() => it.start(), DialLimitError);
  assertEquals([error.retryAfter, it.dials.length], [1_000, 2]);
  await it.pass(1_000);
  await it.started();
  assertEquals([it.status, it.dials.length], ["connected", 3]);
});

Deno.test("Supervisor lets a start wait when too many dials have failed, if it is told to", async () => {
  using it = new Supervised(false, 0, { maxFailures: 1, window: 1_000, excess: "wait" });
  const failing = it.start();
  it.dial(-1).fail();
  await assertRejects(() => failing, MCPConnectionError);
  const start = it.start();
  await it.pass(999);
  assertEquals(it.dials.length, 1);
  await it.pass(1);
  assertEquals(it.times, [0, 1_000]);
  it.dial(-1).open();
  await start;

  it.supervisor.close();
  const again = it.start();
  it.dial(-1).fail();
  await assertRejects(() => again, MCPConnectionError);
  const controller = new AbortController();
  const given = it.start(controller.signal);
  await it.settle();
  controller.abort(new Error("enough"));
  await assertRejects(() => given, Error, "enough");
  const closed = it.start();
  await it.settle();
  it.supervisor.close();
  await assertRejects(() => closed, MCPConnectionError, "The transport was closed");
  assertEquals(it.dials.length, 3);
});

Deno.test("Supervisor repairs a lost connection within the limit, however short the pauses", async () => {
  const policy = { minDelay: 1, maxDelay: 1, immediate: [], attempts: 100 };
  using it = new Supervised(policy, 0, { maxFailures: 3, window: 60_000 });
  const lose = await it.started();
  await it.pass(10_000);
  lose(1006);
  while (it.time.now < 200_000) {
    if (it.dials.length > 1) it.dial(-1).fail();
    await it.pass(1_000);
  }
  // Three at once, and three more whenever these have been forgotten.
  const minutes = it.times.slice(1).map((at) => Math.floor((at - 10_000) / 60_000));
  assertEquals(minutes.slice(0, 9), [0, 0, 0, 1, 1, 1, 2, 2, 2]);
});

Deno.test("Supervisor holds a dial that somebody asks for back, too, when too many have failed", async () => {
  using it = new Supervised({ immediate: [], attempts: 100 }, 0, {
    maxFailures: 1,
    window: 60_000,
  });
  const lose = await it.started();
  await it.pass(10_000);
  lose(1006);
  await it.pass(1);
  it.dial(1).fail();
  for (let time = 0; time < 50; time++) {
    await it.pass(1_000);
    it.supervisor.reconnect();
  }
  assertEquals(it.dials.length, 2);
  await it.pass(10_000);
  assertEquals(it.dials.length, 3);
});

Deno.test("Supervisor counts a connection that is lost young, unless it was welcomed", async () => {
  const policy = { minDelay: 0, maxDelay: 1, immediate: [], attempts: 100 };
  using it = new Supervised(policy, 0, { maxFailures: 2, window: 60_000 });
  (await it.started())(1006);
  await it.pass(1);
  for (let time = 0; time < 20; time++) {
    it.dial(-1).open(true, true)(1006);
    await it.pass(1);
  }
  assertEquals(it.dials.length, 22);
  it.dial(-1).open()(1006);
  await it.pass(59_000);
  assertEquals(it.dials.length, 22);
  await it.pass(1_000);
  assertEquals(it.dials.length, 23);
});

Deno.test("Supervisor does not count dials that were given up, or never made", async () => {
  using it = new Supervised(false, 0, { maxFailures: 1 });
  for (const refusal of [new MCPError("policy", "No"), new MCPError("authentication", "No")]) {
    const start = it.start();
    it.dial(-1).fail(refusal);
    await assertRejects(() => start, MCPError, "No");
  }
  const controller = new AbortController();
  const given = it.start(controller.signal);
  controller.abort(new Error("enough"));
  await assertRejects(() => given, Error, "enough");
  const closed = it.start();
  it.supervisor.close();
  await assertRejects(() => closed, MCPConnectionError);
  await it.started();
  assertEquals(it.dials.length, 5);
});
