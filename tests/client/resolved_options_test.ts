import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { systemClock } from "../../protocol/clock.ts";
import { MCPWebSocketClient } from "../../client/client.ts";
import type { MCPWebSocketClientOptions } from "../../client/client_options.ts";
import type { MutableOptions, WebSocketClientOptions } from "../../client/options.ts";
import { patchOptions, resolveOptions } from "../../client/resolved_options.ts";

const MAX_TIME = 2 ** 31 - 1;

Deno.test("resolveOptions() fills in the documented defaults", () => {
  const { urlPolicy, ...options } = resolveOptions({});
  assertEquals([urlPolicy.environment, urlPolicy.resolveName], ["development", undefined]);
  assertEquals(options, {
    connectTimeout: 30_000,
    reconnect: {
      attempts: 10,
      minDelay: 1_000,
      maxDelay: 30_000,
      multiplier: 2,
      minUptime: 5_000,
      immediate: ["reset", "timeout", "heartbeat"],
      initial: false,
    },
    heartbeat: { interval: 25_000, timeout: 5_000, maxMissed: 3, discover: false },
    headers: undefined,
    token: undefined,
    tokenVia: "auto",
    dialLimit: { maxFailures: 10, window: 60_000, excess: "reject" },
    protocols: ["mcp", "bowline.v1"],
    require: undefined,
    session: { bufferMessages: 4_096, bufferBytes: 4_194_304 },
    compression: false,
    maxSendBytes: 1_048_576,
    maxReceiveBytes: 67_108_864,
    maxDepth: 64,
    maxBatchItems: 100,
    padding: "auto",
    maxInFlight: 16_384,
    outbox: { maxMessages: 1_000, maxBytes: 4_194_304, maxAge: 60_000, overflow: "reject" },
    congestion: { maxMessages: 16_384, maxBytes: 67_108_864, overflow: "reject" },
    resend: undefined,
    offlineResponse: undefined,
    statsInterval: 60_000,
    httpClient: undefined,
    logger: undefined,
    hooks: {},
    clock: systemClock,
  });
});

Deno.test("resolveOptions() completes the groups, and switches off with false", () => {
  const options = resolveOptions({
    reconnect: { attempts: 3 },
    heartbeat: false,
    outbox: { maxMessages: 5 },
    compression: { loopback: true },
  });
  assertEquals(options.compression, { threshold: 1_024, loopback: true });
  assert(options.reconnect !== false);
  assertEquals([options.reconnect.attempts, options.reconnect.maxDelay], [3, 30_000]);
  assertEquals(options.heartbeat, false);
  assertEquals([options.outbox.maxMessages, options.outbox.maxAge], [5, 60_000]);
});

Deno.test("resolveOptions() takes what is at the very limit", () => {
  resolveOptions({
    connectTimeout: 1,
    protocols: [],
    maxSendBytes: 1,
    reconnect: {
      attempts: Number.MAX_SAFE_INTEGER,
      minDelay: 0,
      maxDelay: MAX_TIME,
      multiplier: 1,
      minUptime: 0,
    },
    heartbeat: { interval: 1, timeout: MAX_TIME, maxMissed: 1 },
    outbox: { maxMessages: 1, maxBytes: 1, maxAge: MAX_TIME },
  });
  resolveOptions({ reconnect: { minDelay: 5, maxDelay: 5 } });
});

const INTEGER = "must be a positive integer";

/** What is wrong, the option that is named, and the limit. */
const BAD: readonly [MCPWebSocketClientOptions, string, string][] = [
  [{ connectTimeout: 0 }, "connectTimeout", "must be between 1 and 2147483647"],
  [{ connectTimeout: NaN }, "connectTimeout", "must be between 1 and 2147483647"],
  [{ connectTimeout: Infinity }, "connectTimeout", "must be between 1 and 2147483647"],
  [{ maxSendBytes: 0 }, "maxSendBytes", INTEGER],
  [{ maxSendBytes: 1.5 }, "maxSendBytes", INTEGER],
  [{ maxReceiveBytes: -1 }, "maxReceiveBytes", INTEGER],
  [{ maxDepth: 1.5 }, "maxDepth", INTEGER],
  [{ maxInFlight: Infinity }, "maxInFlight", INTEGER],
  [{ outbox: { maxMessages: 0 } }, "outbox.maxMessages", INTEGER],
  [{ outbox: { maxBytes: NaN } }, "outbox.maxBytes", INTEGER],
  [{ outbox: { maxAge: 0 } }, "outbox.maxAge", "must be between 1 and"],
  [{ reconnect: { attempts: 0 } }, "reconnect.attempts", INTEGER],
  [{ reconnect: { attempts: Infinity } }, "reconnect.attempts", INTEGER],
  [{ reconnect: { minDelay: -1 } }, "reconnect.minDelay", "must be between 0 and 30000"],
  [{ reconnect: { minDelay: 30_001 } }, "reconnect.minDelay", "must be between 0 and 30000"],
  [{ reconnect: { maxDelay: 0 } }, "reconnect.maxDelay", "must be between 1 and 2147483647"],
  [{ reconnect: { maxDelay: NaN } }, "reconnect.maxDelay", "must be between 1 and 2147483647"],
  [{ reconnect: { multiplier: 0.5 } }, "reconnect.multiplier", "must be between 1 and 1000"],
  [{ reconnect: { multiplier: Infinity } }, "reconnect.multiplier", "must be between 1 and 1000"],
  [{ reconnect: { minUptime: -1 } }, "reconnect.minUptime", "must be between 0 and"],
  [{ heartbeat: { interval: 0 } }, "heartbeat.interval", "must be between 1 and"],
  [{ heartbeat: { timeout: 2 ** 31 } }, "heartbeat.timeout", "must be between 1 and 2147483647"],
  [{ heartbeat: { maxMissed: 0 } }, "heartbeat.maxMissed", INTEGER],
  [{ statsInterval: 0 }, "statsInterval", "must be between 1 and 2147483647"],
  [{ requestTimeout: 0 }, "requestTimeout", "must be between 1 and 2147483647"],
  [{ maxRequestTimeout: NaN }, "maxRequestTimeout", "must be between 1 and 2147483647"],
  [{ probeTimeout: -5 }, "probeTimeout", "must be between 1 and 2147483647"],
];

for (const [options, name, limit] of BAD) {
  const text = Deno.inspect(options, { breakLength: Infinity });
  Deno.test(`the client refuses ${text}, naming option, limit and value`, () => {
    const error = assertThrows(
      () => new MCPWebSocketClient("ws://127.0.0.1:1/", options),
      RangeError,
    );
    const given = name.split(".").reduce<unknown>(
      (value, key) => (value as Record<string, unknown>)[key],
      options,
    );
    assert(error.message.startsWith(`Option "${name}" ${limit}`), error.message);
    assert(error.message.endsWith(`: current value is ${given}`), error.message);
  });
}

Deno.test("resolveOptions() refuses a subprotocol that is no token, or is offered twice", () => {
  for (const entry of ["", "a b", "mcp,mcp", "mcp\n"]) {
    assertThrows(
      () => resolveOptions({ protocols: ["mcp", entry] }),
      TypeError,
      `Cannot offer subprotocol "${entry}": it is no token`,
    );
  }
  assertThrows(
    () => resolveOptions({ protocols: ["mcp", "x", "mcp"] }),
    TypeError,
    'Cannot offer subprotocol "mcp": it is offered twice',
  );
});

Deno.test("resolveOptions() takes the three policies for a full queue, and no other", () => {
  for (const overflow of ["reject", "drop-oldest", "block"] as const) {
    assertEquals(resolveOptions({ outbox: { overflow } }).outbox.overflow, overflow);
  }
  assertThrows(
    () => resolveOptions({ outbox: { overflow: "drop" as "reject" } }),
    TypeError,
    'Option "outbox.overflow" must be one of "reject", "drop-oldest", "block": ' +
      'current value is "drop"',
  );
});

Deno.test("resolveOptions() holds what waits for room to what may be in flight", () => {
  const { congestion } = resolveOptions({ maxInFlight: 7, outbox: { overflow: "drop-oldest" } });
  assertEquals(congestion, { maxMessages: 7, maxBytes: 67_108_864, overflow: "reject" });
});

Deno.test("statsInterval: false is taken as it is", () => {
  assertEquals(resolveOptions({ statsInterval: false }).statsInterval, false);
});

const GIVEN: WebSocketClientOptions = {
  connectTimeout: 5_000,
  reconnect: { attempts: 3 },
  heartbeat: { interval: 100 },
  token: "old",
  headers: { "x-key": "1" },
  maxSendBytes: 7,
};

function patch(change: MutableOptions, given = GIVEN) {
  return patchOptions(resolveOptions(given), change);
}

Deno.test("patchOptions() changes nothing if nothing is given", () => {
  const given = resolveOptions(GIVEN);
  assertEquals(patchOptions(given, {}), given);
});

Deno.test("patchOptions() merges groups and replaces the rest", () => {
  const patched = patch({
    connectTimeout: 9,
    reconnect: { minDelay: 1 },
    heartbeat: { timeout: 2 },
    token: "new",
  });
  const { reconnect, heartbeat } = patched;
  assert(reconnect !== false && heartbeat !== false);
  assertEquals([patched.connectTimeout, patched.token], [9, "new"]);
  assertEquals([reconnect.attempts, reconnect.minDelay], [3, 1]);
  assertEquals([heartbeat.interval, heartbeat.timeout], [100, 2]);
  assertEquals([patched.headers, patched.maxSendBytes], [{ "x-key": "1" }, 7]);
});

Deno.test("patchOptions() takes credentials away where undefined is given", () => {
  const patched = patch({ token: undefined, headers: undefined });
  assertEquals([patched.token, patched.headers], [undefined, undefined]);
});

Deno.test("patchOptions() switches groups off and on again", () => {
  const off = patch({ reconnect: false, heartbeat: false });
  assertEquals([off.reconnect, off.heartbeat], [false, false]);
  const still = patchOptions(off, { connectTimeout: 9 });
  assertEquals([still.reconnect, still.heartbeat], [false, false]);
  const on = patchOptions(off, { reconnect: {}, heartbeat: { interval: 5 } });
  assert(on.reconnect !== false && on.heartbeat !== false);
  assertEquals([on.reconnect.attempts, on.heartbeat.interval], [10, 5]);
});

Deno.test("patchOptions() leaves the options it is given alone", () => {
  const options = resolveOptions(GIVEN);
  const before = { ...options };
  patchOptions(Object.freeze(options), { connectTimeout: 9, reconnect: { attempts: 1 } });
  assertEquals(options, before);
});

Deno.test("updateOptions() changes all or nothing", () => {
  const client = new MCPWebSocketClient("ws://127.0.0.1:1/", GIVEN);
  const bad: Parameters<typeof client.updateOptions>[0][] = [
    { connectTimeout: 9, reconnect: { attempts: 0 } },
    { connectTimeout: 9, requestTimeout: 0 },
    { connectTimeout: 9, maxRequestTimeout: NaN },
  ];
  for (const change of bad) assertThrows(() => client.updateOptions(change), RangeError);
  client.updateOptions({ requestTimeout: 50, maxRequestTimeout: 60 });
});

Deno.test("resolveOptions() keeps functions and objects as they are given", () => {
  const token = () => "abc";
  const resend = () => true;
  const hooks = {};
  const httpClient = {};
  const options = resolveOptions({ token, resend, hooks, httpClient });
  assertStrictEquals(options.token, token);
  assertStrictEquals(options.resend, resend);
  assertStrictEquals(options.hooks, hooks);
  assertStrictEquals(options.httpClient, httpClient);
});
