import { assertEquals, assertThrows } from "@std/assert";
import { MemorySessionStore, type SessionClaim } from "../../server/session_store.ts";
import { ManualClock } from "../support/manual_clock.ts";

function claim(change: Partial<SessionClaim> = {}): SessionClaim {
  return { key: "k", principal: undefined, attempt: 1, resume: false, ...change };
}

Deno.test("MemorySessionStore.claim() creates what it does not know, unless it should exist", () => {
  const store = new MemorySessionStore();
  assertEquals(store.claim(claim({ attempt: 3, resume: true })), { type: "unknown" });
  assertEquals(store.claim(claim()), { type: "created", generation: 1 });
  assertEquals(store.size, 1);
});

Deno.test("MemorySessionStore.claim() resumes with rising generations, whatever is expected", () => {
  const store = new MemorySessionStore();
  store.claim(claim());
  assertEquals(store.claim(claim({ attempt: 2, resume: true })), {
    type: "resumed",
    generation: 2,
  });
  assertEquals(store.claim(claim({ attempt: 7 })), { type: "resumed", generation: 3 });
  for (const attempt of [1, 6, 7]) {
    assertEquals(store.claim(claim({ attempt })), { type: "stale" });
  }
});

Deno.test("MemorySessionStore.claim() keeps principals apart, and leaves their sessions alone", () => {
  const store = new MemorySessionStore();
  store.claim(claim({ principal: "ada" }));
  for (const principal of ["bob", undefined]) {
    assertEquals(store.claim(claim({ principal, attempt: 9 })), { type: "forbidden" });
  }
  assertEquals(store.claim(claim({ principal: "ada", attempt: 2 })).type, "resumed");
});

Deno.test("MemorySessionStore.claim() bounds sessions, in all and of each principal", () => {
  const store = new MemorySessionStore({ maxSessions: 3, maxSessionsPerPrincipal: 1 });
  const types = [
    claim({ key: "a", principal: "ada" }),
    claim({ key: "b", principal: "ada" }),
    claim({ key: "c" }),
    claim({ key: "d" }),
    claim({ key: "e" }),
    claim({ key: "a", principal: "ada", attempt: 2 }),
  ].map((one) => store.claim(one).type);
  assertEquals(types, ["created", "crowded", "created", "created", "full", "resumed"]);
  store.end("a", 4, false);
  assertEquals(store.claim(claim({ key: "b", principal: "ada" })).type, "created");
});

Deno.test("MemorySessionStore.end() is for who holds the session alone", () => {
  const store = new MemorySessionStore();
  store.claim(claim());
  store.claim(claim({ attempt: 2 }));
  store.end("k", 1, true);
  store.end("other", 1, true);
  assertEquals(store.size, 1);
  store.end("k", 2, false);
  store.end("k", 2, true);
  assertEquals(store.size, 0);
  assertEquals(store.claim(claim({ attempt: 3, resume: true })), { type: "unknown" });
});

Deno.test("MemorySessionStore.end() is remembered for a while if it was on purpose", () => {
  const clock = new ManualClock();
  const store = new MemorySessionStore({ clock, tombstoneMs: 1_000 });
  store.claim(claim());
  store.end("k", 1, true);
  clock.advance(999);
  assertEquals(store.claim(claim({ attempt: 2 })), { type: "ended" });
  clock.advance(1);
  // A late word about the one that has ended must not hit this one.
  assertEquals(store.claim(claim({ attempt: 2 })), { type: "created", generation: 2 });
  store.end("k", 1, true);
  assertEquals([store.size, clock.timers], [1, 0]);
});

Deno.test("MemorySessionStore forgets the oldest ends when there are too many", () => {
  const store = new MemorySessionStore();
  for (let i = 0; i < 10_002; i++) {
    store.claim(claim({ key: `${i}` }));
    store.end(`${i}`, i + 1, true);
  }
  const types = ["0", "1", "2", "10001"].map((key) =>
    store.claim(claim({ key, resume: true })).type
  );
  assertEquals(types, ["unknown", "unknown", "ended", "ended"]);
});

Deno.test("MemorySessionStore refuses bounds that are none", () => {
  for (const option of ["maxSessions", "maxSessionsPerPrincipal", "tombstoneMs"]) {
    for (const value of [-1, NaN]) {
      assertThrows(
        () => new MemorySessionStore({ [option]: value }),
        RangeError,
        `Cannot create store as "${option}" must not be negative: current value is ${value}`,
      );
    }
  }
  new MemorySessionStore({ maxSessions: 0, tombstoneMs: Infinity });
});

Deno.test("MemorySessionStore.claim() lets no stalled first hello bring an expired session back", () => {
  const store = new MemorySessionStore({ clock: new ManualClock() });
  const claim = { key: "k", principal: undefined };
  store.claim({ ...claim, attempt: 1, resume: false });
  store.claim({ ...claim, attempt: 3, resume: true });
  store.end("k", 2, false);
  assertEquals(store.claim({ ...claim, attempt: 2, resume: false }), { type: "stale" });
  assertEquals(store.claim({ ...claim, attempt: 4, resume: true }), { type: "unknown" });
  assertEquals(store.claim({ ...claim, attempt: 4, resume: false }).type, "created");
});
