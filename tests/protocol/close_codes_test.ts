import { assert, assertEquals } from "@std/assert";
import {
  CLOSE_CODES,
  closeReason,
  closeVerdict,
  type LossCause,
  type Pace,
  statusVerdict,
} from "../../protocol/close_codes.ts";

const CODES: [code: number, cause: LossCause, pace: Pace][] = [
  [0, "reset", "backoff"],
  [1000, "done", "never"],
  [1001, "gone", "backoff"],
  [1002, "protocol", "never"],
  [1003, "protocol", "never"],
  [1005, "gone", "backoff"],
  [1006, "reset", "backoff"],
  [1007, "protocol", "never"],
  [1008, "forbidden", "never"],
  [1009, "too-big", "backoff"],
  [1011, "internal", "backoff"],
  [1012, "restarting", "soon"],
  [1013, "capacity", "later"],
  [4002, "protocol", "never"],
  [4003, "protocol", "never"],
  [4400, "protocol", "never"],
  [4401, "unauthenticated", "refresh"],
  [4403, "forbidden", "never"],
  [4408, "heartbeat", "backoff"],
  [4409, "replaced", "never"],
  [4413, "too-big", "backoff"],
  [4429, "rate", "later"],
  [4503, "capacity", "later"],
];

for (const [code, cause, pace] of CODES) {
  Deno.test(`closeVerdict() reads ${code} as ${cause}: ${pace}`, () => {
    assertEquals(closeVerdict(code), { cause, pace });
  });
}

for (const code of [999, 1004, 1014, 1015, 3000, 4000, 4999, -1, NaN]) {
  Deno.test(`closeVerdict() takes the unknown code ${code} for a lost connection`, () => {
    assertEquals(closeVerdict(code), { cause: "gone", pace: "backoff" });
  });
}

Deno.test("CLOSE_CODES holds no code without a verdict of its own", () => {
  const known = new Set(CODES.map(([code]) => code));
  for (const [name, code] of Object.entries(CLOSE_CODES)) {
    assert(known.has(code), name);
  }
});

Deno.test("CLOSE_CODES.CLIENT_… are codes a browser lets a client send", () => {
  for (const [name, code] of Object.entries(CLOSE_CODES)) {
    if (name.startsWith("CLIENT_")) assert(code >= 3000 && code <= 4999, name);
  }
});

for (
  const [status, cause, pace] of [
    [302, "not-found", "never"],
    [400, "not-found", "never"],
    [401, "unauthenticated", "refresh"],
    [403, "forbidden", "never"],
    [404, "not-found", "never"],
    [408, "timeout", "backoff"],
    [426, "not-found", "never"],
    [429, "rate", "later"],
    [499, "not-found", "never"],
    [500, "internal", "backoff"],
    [502, "internal", "backoff"],
    [503, "capacity", "later"],
    [504, "internal", "backoff"],
  ] as const
) {
  Deno.test(`statusVerdict() reads ${status} as ${cause}: ${pace}`, () => {
    assertEquals(statusVerdict(status), { cause, pace });
  });
}

for (
  const [title, reason, expected] of [
    ["the empty reason", "", ""],
    ["123 bytes", "x".repeat(123), "x".repeat(123)],
    ["124 bytes", "x".repeat(124), "x".repeat(123)],
    ["61 characters of two bytes", "ä".repeat(61), "ä".repeat(61)],
    ["62 characters of two bytes", "ä".repeat(62), "ä".repeat(61)],
    ["42 characters of three bytes", "漢".repeat(42), "漢".repeat(41)],
    ["31 characters of four bytes", "🪢".repeat(31), "🪢".repeat(30)],
    [
      "a character across the edge",
      "x".repeat(122) + "🪢",
      "x".repeat(122),
    ],
    [
      "a character at the edge",
      "x".repeat(119) + "🪢!",
      "x".repeat(119) + "🪢",
    ],
  ] as const
) {
  Deno.test(`closeReason() of ${title} fits into a close frame, characters whole`, () => {
    assertEquals(closeReason(reason), expected);
    assert(new TextEncoder().encode(expected).length <= 123);
  });
}
