import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import {
  type ConnectionInput,
  type ConnectionState,
  type ConnectionStatus,
  initialState,
  transition,
} from "../../client/connection.ts";
import { randomInteger, seededRandom } from "../support/random.ts";

const ERROR = new Error("gone");

const INPUTS: readonly ConnectionInput[] = [
  { type: "dial" },
  { type: "opened" },
  { type: "lost", cause: "reset", wasStable: true },
  { type: "lost", cause: "reset", wasStable: false },
  { type: "offline" },
  { type: "failed", error: ERROR },
  { type: "close" },
];

function stateOf(status: ConnectionStatus, attempt = 3): ConnectionState {
  const base = { since: 1, attempt, lastAttemptAt: 1 };
  switch (status) {
    case "reconnecting":
      return { ...base, status, cause: "gone" };
    case "failed":
      return { ...base, status, error: ERROR };
    default:
      return { ...base, status };
  }
}

/** Each state, each input, what follows; `-` is nothing. */
const TABLE: Record<ConnectionStatus, Record<ConnectionInput["type"], ConnectionStatus | "-">> = {
  disconnected: {
    dial: "connecting",
    opened: "-",
    lost: "-",
    offline: "-",
    failed: "-",
    close: "-",
  },
  connecting: {
    dial: "-",
    opened: "connected",
    lost: "reconnecting",
    offline: "offline",
    failed: "failed",
    close: "disconnected",
  },
  connected: {
    dial: "-",
    opened: "-",
    lost: "reconnecting",
    offline: "-",
    failed: "failed",
    close: "disconnected",
  },
  reconnecting: {
    dial: "connecting",
    opened: "-",
    lost: "-",
    offline: "offline",
    failed: "failed",
    close: "disconnected",
  },
  offline: {
    dial: "connecting",
    opened: "-",
    lost: "-",
    offline: "-",
    failed: "failed",
    close: "disconnected",
  },
  failed: {
    dial: "connecting",
    opened: "-",
    lost: "-",
    offline: "-",
    failed: "-",
    close: "disconnected",
  },
};

for (const status of Object.keys(TABLE) as ConnectionStatus[]) {
  Deno.test(`transition() from ${status} follows the table`, () => {
    for (const input of INPUTS) {
      const next = transition(stateOf(status), input, 7);
      assertEquals(next?.status ?? "-", TABLE[status][input.type], input.type);
      if (next !== undefined) assertEquals(next.since, 7);
    }
  });
}

Deno.test("initialState() is disconnected, before any dial", () => {
  assertEquals(initialState(5), {
    status: "disconnected",
    since: 5,
    attempt: 0,
    lastAttemptAt: undefined,
  });
});

Deno.test("transition() counts dials: afresh from rest, on from a wait", () => {
  const dial = (status: ConnectionStatus) => transition(stateOf(status), { type: "dial" }, 9);
  assertEquals(dial("disconnected")?.attempt, 1);
  assertEquals(dial("failed")?.attempt, 1);
  assertEquals(dial("reconnecting")?.attempt, 4);
  assertEquals(dial("offline")?.attempt, 4);
  assertEquals(dial("offline")?.lastAttemptAt, 9);
});

Deno.test("transition() forgets the count when a stable connection is lost, else keeps it", () => {
  const lose = (wasStable: boolean) =>
    transition(stateOf("connected"), { type: "lost", cause: "reset", wasStable }, 9);
  assertEquals(lose(true)?.attempt, 0);
  assertEquals(lose(false)?.attempt, 3);
});

Deno.test("transition() hands on the cause of a loss and the error of a failure", () => {
  const lost = transition(
    stateOf("connected"),
    { type: "lost", cause: "capacity", wasStable: true },
    9,
  );
  assert(lost?.status === "reconnecting");
  assertEquals(lost.cause, "capacity");
  const failed = transition(stateOf("offline"), { type: "failed", error: ERROR }, 9);
  assert(failed?.status === "failed");
  assertStrictEquals(failed.error, ERROR);
});

Deno.test("transition() leaves the state it is given alone", () => {
  for (const status of Object.keys(TABLE) as ConnectionStatus[]) {
    const state = Object.freeze(stateOf(status));
    for (const input of INPUTS) transition(state, input, 9);
    assertEquals(state, stateOf(status));
  }
});

Deno.test("transition() keeps its invariants on random walks", () => {
  const random = seededRandom(1);
  let state = initialState(0);
  let dialled = false;
  for (let now = 1; now <= 50_000; now++) {
    const input = INPUTS[randomInteger(random, INPUTS.length)] as ConnectionInput;
    const next = transition(state, input, now);
    if (next === undefined) continue;
    if (input.type === "dial") dialled = true;
    assert(next.attempt >= 0, "the count is never negative");
    assert(next.since >= state.since, "time never goes back");
    assertEquals(next.lastAttemptAt !== undefined, dialled);
    if (next.status === "connecting") assert(next.attempt >= 1);
    if (next.status === "connecting") assertEquals(next.lastAttemptAt, now);
    state = next;
  }
});
