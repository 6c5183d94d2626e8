import { assert, assertEquals } from "@std/assert";
import {
  type HeartbeatPolicy,
  nextHeartbeat,
  recordLife,
  startHeartbeat,
} from "../../protocol/heartbeat.ts";
import { randomInteger, seededRandom } from "../support/random.ts";

const POLICY: HeartbeatPolicy = {
  interval: 25_000,
  timeout: 5_000,
  maxMissed: 3,
};

Deno.test("nextHeartbeat() waits until the interval is over", () => {
  const state = startHeartbeat(100);
  assertEquals(nextHeartbeat(state, 25_099, POLICY), {
    type: "wait",
    at: 25_100,
  });
});

Deno.test("nextHeartbeat() pings after an interval of silence", () => {
  const state = startHeartbeat(100);
  assertEquals(nextHeartbeat(state, 25_100, POLICY), {
    type: "ping",
    at: 30_100,
  });
});

Deno.test("nextHeartbeat() does not ping again before the timeout", () => {
  const state = startHeartbeat(0);
  nextHeartbeat(state, 25_000, POLICY);
  assertEquals(nextHeartbeat(state, 29_999, POLICY), {
    type: "wait",
    at: 30_000,
  });
});

Deno.test("nextHeartbeat() gives a silent peer up after three pings", () => {
  const state = startHeartbeat(0);
  const actions = [25_000, 30_000, 35_000, 40_000].map((now) =>
    nextHeartbeat(state, now, POLICY).type
  );
  assertEquals(actions, ["ping", "ping", "ping", "dead"]);
});

Deno.test("recordLife() moves the next ping, without a question in between", () => {
  const state = startHeartbeat(0);
  recordLife(state, 20_000);
  assertEquals(nextHeartbeat(state, 25_000, POLICY), {
    type: "wait",
    at: 45_000,
  });
});

Deno.test("recordLife() forgives every ping that was missed", () => {
  const state = startHeartbeat(0);
  for (const now of [25_000, 30_000, 35_000]) nextHeartbeat(state, now, POLICY);
  recordLife(state, 39_999);
  assertEquals(nextHeartbeat(state, 40_000, POLICY), {
    type: "wait",
    at: 64_999,
  });
  assertEquals(state.missed, 0);
});

Deno.test("nextHeartbeat() pings at once after a sleep, and accuses nobody", () => {
  const state = startHeartbeat(0);
  for (const now of [25_000, 30_000, 35_000]) nextHeartbeat(state, now, POLICY);
  const wakeUp = 8 * 3_600_000;
  assertEquals(nextHeartbeat(state, wakeUp, POLICY), {
    type: "ping",
    at: wakeUp + 5_000,
  });
});

Deno.test("nextHeartbeat() gives a peer up that is silent after a sleep, too", () => {
  const state = startHeartbeat(0);
  nextHeartbeat(state, 25_000, POLICY);
  const actions = [90_000, 95_000, 100_000, 105_000].map((now) =>
    nextHeartbeat(state, now, POLICY).type
  );
  assertEquals(actions, ["ping", "ping", "ping", "dead"]);
});

Deno.test("nextHeartbeat() counts a timer that is late by less than a second", () => {
  const state = startHeartbeat(0);
  const policy = { ...POLICY, maxMissed: 1 };
  nextHeartbeat(state, 25_000, policy);
  assertEquals(nextHeartbeat(state, 30_999, policy), { type: "dead" });
});

Deno.test("nextHeartbeat() does not count a timer that is late by a second", () => {
  const state = startHeartbeat(0);
  const policy = { ...POLICY, maxMissed: 1 };
  nextHeartbeat(state, 25_000, policy);
  assertEquals(nextHeartbeat(state, 31_000, policy).type, "ping");
});

Deno.test("nextHeartbeat() never gives up a peer that says something within each timeout", () => {
  for (let seed = 0; seed < 50; seed++) {
    const random = seededRandom(seed);
    const state = startHeartbeat(0);
    let now = 0;
    for (let step = 0; step < 500; step++) {
      now += randomInteger(random, POLICY.timeout);
      assert(
        nextHeartbeat(state, now, POLICY).type !== "dead",
        `seed ${seed}, step ${step}`,
      );
      recordLife(state, now);
    }
  }
});

Deno.test("nextHeartbeat() sets its next look in the future, and finds every dead peer in time", () => {
  for (let seed = 0; seed < 50; seed++) {
    const random = seededRandom(seed);
    const state = startHeartbeat(0);
    let now = 0;
    let silentSince = 0;
    for (let step = 0; step < 500; step++) {
      const action = nextHeartbeat(state, now, POLICY);
      const silence = now - silentSince;
      if (action.type === "dead") {
        assert(silence >= 40_000, `seed ${seed}: dead after ${silence} ms`);
        break;
      }
      assert(silence < 45_000, `seed ${seed}: alive after ${silence} ms`);
      assert(action.at > now, `seed ${seed}: next look in the past`);
      // Timers come a little late; frames come whenever they like, and at last no more.
      now = action.at + randomInteger(random, 900);
      if (step < 400 && random() < 0.5) {
        silentSince = now;
        recordLife(state, now);
      }
    }
    assertEquals(state.missed, POLICY.maxMissed, `seed ${seed}`);
  }
});
