import { assert, assertEquals, assertInstanceOf } from "@std/assert";
import type { LossCause, Pace } from "../../protocol/close_codes.ts";
import {
  MCPCapacityError,
  MCPConnectionError,
  MCPError,
  MCPTimeoutError,
} from "../../protocol/errors.ts";
import {
  causeOf,
  extraPause,
  firstPause,
  isRetriable,
  kindOf,
  lossError,
  lossOf,
  sessionLossOf,
} from "../../client/recovery.ts";
import type { ReconnectOptions } from "../../client/options.ts";

const POLICY: ReconnectOptions = {
  attempts: 10,
  minDelay: 1_000,
  maxDelay: 30_000,
  multiplier: 2,
  minUptime: 5_000,
  immediate: ["reset", "timeout", "heartbeat"],
  initial: false,
};

/** Each close code of the contract, with the cause, and the pause for random 0 and 1. */
const CODES: readonly [number, LossCause, Pace, number, number][] = [
  [0, "reset", "backoff", 0, 250],
  [1006, "reset", "backoff", 0, 250],
  [4408, "heartbeat", "backoff", 0, 250],
  [1000, "done", "never", 0, 250],
  [1001, "gone", "backoff", 0, 1_000],
  [1005, "gone", "backoff", 0, 1_000],
  [1011, "internal", "backoff", 0, 1_000],
  [1009, "too-big", "backoff", 0, 1_000],
  [4413, "too-big", "backoff", 0, 1_000],
  [3999, "gone", "backoff", 0, 1_000],
  [1012, "restarting", "soon", 0, 1_000],
  [1013, "capacity", "later", 5_000, 6_000],
  [4503, "capacity", "later", 5_000, 6_000],
  [4429, "rate", "later", 5_000, 6_000],
  [4401, "unauthenticated", "refresh", 0, 250],
  [1002, "protocol", "never", 0, 250],
  [1003, "protocol", "never", 0, 250],
  [1007, "protocol", "never", 0, 250],
  [4002, "protocol", "never", 0, 250],
  [4003, "protocol", "never", 0, 250],
  [1008, "forbidden", "never", 0, 250],
  [4403, "forbidden", "never", 0, 250],
  [4409, "replaced", "never", 0, 250],
];

for (const [code, cause, pace, least, most] of CODES) {
  Deno.test(`firstPause() after close code ${code} is between ${least} and ${most} ms`, () => {
    const loss = lossOf({ code, reason: "" });
    assertEquals([loss.cause, loss.pace], [cause, pace]);
    assertEquals(firstPause(loss, POLICY, 0), least);
    assertEquals(firstPause(loss, POLICY, 1), most);
  });
}

Deno.test("firstPause() is short for whatever the policy calls immediate", () => {
  const loss = lossOf({ code: 1011, reason: "" });
  assertEquals(firstPause(loss, { ...POLICY, immediate: ["internal"] }, 1), 250);
  const reset = lossOf({ code: 0, reason: "" });
  assertEquals(firstPause(reset, { ...POLICY, immediate: [] }, 1), 1_000);
});

Deno.test("firstPause() is at least what the peer asked for", () => {
  const loss = lossOf({ code: 1012, reason: "retry-after=7" });
  assertEquals(firstPause(loss, POLICY, 0), 7_000);
  const short = lossOf({ code: 1013, reason: "retry-after=1" });
  assertEquals(firstPause(short, POLICY, 0), 5_000);
});

const REASONS: readonly [string, number][] = [
  ["", 0],
  ["retry-after=30", 30_000],
  ["Busy; Retry-After=2, sorry", 2_000],
  ["retry-after=0", 0],
  ["retry-after=-5", 0],
  ["retry-after=soon", 0],
  ["retry-after=301", 300_000],
  ["retry-after=99999999999999999999", 300_000],
];

Deno.test("lossOf() reads retry-after from the reason, and clamps it", () => {
  for (const [reason, retryAfter] of REASONS) {
    assertEquals(lossOf({ code: 1013, reason }).retryAfter, retryAfter, reason);
  }
});

Deno.test("extraPause() leaves a busy peer alone, and waits as long as it asks", () => {
  const failed = (cause: LossCause, pace: Pace) =>
    new MCPConnectionError("failed", { verdict: { cause, pace } });
  assertEquals(extraPause(failed("capacity", "later")), 5_000);
  assertEquals(extraPause(failed("reset", "backoff")), 0);
  assertEquals(extraPause(new MCPTimeoutError("late", 5)), 0);
  assertEquals(extraPause(new Error("other")), 0);
  const asked = (code: number) => lossError(lossOf({ code, reason: "retry-after=60" }));
  assertEquals(extraPause(asked(1011)), 60_000);
  assertEquals(extraPause(asked(1013)), 60_000);
});

Deno.test("isRetriable() follows the verdict, and refreshes as long as it may", () => {
  const failed = (pace: Pace) =>
    new MCPConnectionError("failed", { verdict: { cause: "gone", pace } });
  for (const pace of ["now", "soon", "backoff", "later"] as const) {
    assert(isRetriable(failed(pace), false), pace);
  }
  assert(!isRetriable(failed("never"), true));
  assert(isRetriable(failed("refresh"), true));
  assert(!isRetriable(failed("refresh"), false));
});

Deno.test("isRetriable() takes what has no verdict by its class", () => {
  assert(isRetriable(new MCPTimeoutError("late", 5), false));
  assert(isRetriable(new MCPConnectionError("failed"), false));
  assert(!isRetriable(new MCPCapacityError("full", 5, { retryable: false }), true));
  assert(!isRetriable(new MCPError("authentication", "malformed"), true));
  assert(isRetriable(new MCPError("authentication", "failed", { retryable: true }), true));
  assert(!isRetriable(new TypeError("misuse"), true));
  assert(!isRetriable("thrown", true));
});

Deno.test("kindOf() sorts every cause into a kind", () => {
  const kinds: Record<LossCause, string> = {
    "done": "network",
    "gone": "network",
    "reset": "network",
    "internal": "network",
    "restarting": "network",
    "replaced": "network",
    "unreachable": "network",
    "tls": "network",
    "protocol": "protocol",
    "forbidden": "authentication",
    "unauthenticated": "authentication",
    "too-big": "capacity",
    "capacity": "capacity",
    "rate": "capacity",
    "heartbeat": "timeout",
    "timeout": "timeout",
    "not-found": "policy",
  };
  for (const [cause, kind] of Object.entries(kinds)) {
    assertEquals(kindOf({ cause: cause as LossCause, pace: "backoff" }), kind, cause);
  }
});

Deno.test("lossError() tells code, reason and what it means", () => {
  const loss = lossOf({ code: 1013, reason: "full" });
  const error = lossError(loss);
  assertInstanceOf(error, MCPConnectionError);
  assertEquals(error.message, 'Connection lost: capacity (code 1013, "full")');
  assertEquals([error.kind, error.code, error.retryable], ["capacity", 1013, true]);
  assertEquals(error.verdict, loss);
  const final = lossError(lossOf({ code: 1008, reason: "" }));
  assertEquals(final.message, "Connection lost: forbidden (code 1008)");
  assertEquals(final.retryable, false);
});

Deno.test("lossError() keeps a peer's line breaks out of the logs", () => {
  const error = lossError(lossOf({ code: 1001, reason: "a\nERROR forged" }));
  assertEquals(error.message, 'Connection lost: gone (code 1001, "a\\nERROR forged")');
});

Deno.test("causeOf() says in one word why a dial failed", () => {
  assertEquals(causeOf(new MCPTimeoutError("late", 5)), "timeout");
  assertEquals(causeOf(new MCPConnectionError("failed")), "unreachable");
  const verdict = { cause: "rate", pace: "later" } as const;
  assertEquals(causeOf(new MCPConnectionError("failed", { verdict })), "rate");
  assertEquals(causeOf("thrown"), "unreachable");
});

const WELCOMED = { wasWelcomed: true, mayBePlain: true };
const NEW = { wasWelcomed: false, mayBePlain: true };

for (const code of [1000, 1001, 1002, 1003, 1005, 1007, 1008, 1009, 1011, 1012, 1013, 3999]) {
  Deno.test(`sessionLossOf() takes a bare ${code} in a session for a connection that is gone`, () => {
    const loss = sessionLossOf({ code, reason: "retry-after=5" }, WELCOMED);
    assertEquals([loss.cause, loss.pace, loss.retryAfter, loss.code], ["gone", "backoff", 0, code]);
  });
}

for (const code of [0, 1006]) {
  Deno.test(`sessionLossOf() takes ${code} in a session for a connection that was cut`, () => {
    const loss = sessionLossOf({ code, reason: "" }, WELCOMED);
    assertEquals([loss.cause, loss.pace], ["reset", "backoff"]);
  });
}

Deno.test("sessionLossOf() knows this protocol's own codes in a session", () => {
  for (const code of [4400, 4401, 4403, 4408, 4409, 4413, 4429, 4503]) {
    const info = { code, reason: "retry-after=5" };
    assertEquals(sessionLossOf(info, WELCOMED), lossOf(info));
  }
});

Deno.test("sessionLossOf() goes by the table before the first welcome", () => {
  for (const code of [0, 1000, 1002, 1006, 1008, 1012, 4401, 4403, 4503]) {
    const info = { code, reason: "" };
    assertEquals(sessionLossOf(info, NEW), lossOf(info));
  }
});

Deno.test("sessionLossOf() goes by the last word of the server, whatever the phase", () => {
  for (const context of [WELCOMED, NEW]) {
    for (const code of [1000, 1008, 1012, 4403]) {
      const loss = sessionLossOf({ code, reason: "" }, { ...context, retryAfter: 70 });
      assertEquals(loss, { ...lossOf({ code, reason: "" }), retryAfter: 70 });
    }
  }
});

Deno.test("sessionLossOf() lets a server that does not know the protocol be dialled at once, if it may be plain", () => {
  const info = { code: 4400, reason: "What?" };
  for (const retryAfter of [undefined, 0]) {
    const pace = (context: typeof NEW) => sessionLossOf(info, { ...context, retryAfter }).pace;
    assertEquals(pace(NEW), "now");
    assertEquals(pace({ ...NEW, mayBePlain: false }), "never");
    assertEquals(pace(WELCOMED), "never");
  }
});
