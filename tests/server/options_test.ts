import { assertEquals, assertThrows } from "@std/assert";
import { MemorySessionStore } from "../../server/session_store.ts";
import { resolveHandlerOptions, type WebSocketHandlerOptions } from "../../server/options.ts";

Deno.test("resolveHandlerOptions() fills in the documented defaults", () => {
  const { clock: _, ...settings } = resolveHandlerOptions({});
  assertEquals(settings, {
    path: "/mcp",
    allowedOrigins: undefined,
    allowedHosts: undefined,
    auth: undefined,
    admission: {},
    trustedProxies: undefined,
    rejectAfterUpgrade: false,
    maxMessageBytes: 10_485_760,
    maxSendBytes: 67_108_864,
    maxConnections: 10_000,
    maxConnectionsPerPrincipal: 5,
    maxInFlight: 16_384,
    maxDepth: 64,
    maxBatchItems: 100,
    rate: undefined,
    subscriptions: { maxPerSession: 1_000, maxInAll: 100_000, maxLength: 1_024 },
    heartbeatTimeout: 30_000,
    session: {
      windowMs: 120_000,
      limits: { messageBytes: 10_485_760, bufferBytes: 4_194_304, bufferMessages: 4_096 },
      maxWaitingMessages: 16_384,
      maxWaitingBytes: 67_108_864,
      maxTotalBytes: 268_435_456,
      maxBytesPerPrincipal: 67_108_864,
      pingMs: 25_000,
      compression: { threshold: 1_024, receive: false },
      store: undefined,
      maxDepth: 64,
      rate: undefined,
    },
    server: undefined,
    principalOf: undefined,
    logger: undefined,
    onError: undefined,
    metrics: undefined,
    operations: undefined,
  });
});

Deno.test("resolveHandlerOptions() accepts what callers may ask for", () => {
  const accepted: WebSocketHandlerOptions[] = [
    { path: "/" },
    { path: "/a/b" },
    { allowedOrigins: [] },
    { allowedOrigins: ["https://app.example.com", "tauri://localhost"] },
    { allowedOrigins: () => true },
    { heartbeatTimeout: false },
    { heartbeatTimeout: 0.5 },
    { session: { window: 0.5, bufferMessages: 1, bufferBytes: 1_024 } },
    { session: { store: new MemorySessionStore() } },
    { principalOf: () => "somebody" },
    { logger: console },
    { metrics: { add() {}, record() {} } },
    { maxDepth: 1_000 },
    { rate: {} },
    { rate: { messages: { perSecond: 0.5 }, bytes: { perSecond: 1, burst: 9 } } },
    { operations: false },
    { operations: {} },
    { operations: { healthz: "/a", readyz: false, metrics: "/b/c", mayRead: () => false } },
    { operations: { healthz: false, readyz: false, metrics: false } },
  ];
  for (const options of accepted) resolveHandlerOptions(options);
});

Deno.test("resolveHandlerOptions() names option, rule and value of a number out of range", () => {
  const counts = [
    "maxMessageBytes",
    "maxSendBytes",
    "maxConnections",
    "maxInFlight",
    "maxDepth",
  ];
  for (const option of counts) {
    for (const value of [0, -1, 1.5, NaN, Infinity, "1" as unknown as number]) {
      assertThrows(
        () => resolveHandlerOptions({ [option]: value }),
        RangeError,
        `Cannot create handler as "${option}" must be a positive integer: current value is ${value}`,
      );
    }
  }
  for (const heartbeatTimeout of [0, -1, NaN, Infinity]) {
    assertThrows(
      () => resolveHandlerOptions({ heartbeatTimeout }),
      RangeError,
      `Cannot create handler as "heartbeatTimeout" must be a positive number or false: current value is ${heartbeatTimeout}`,
    );
  }
});

Deno.test("resolveHandlerOptions() refuses a depth that overflows stacks, and rates that let nothing through", () => {
  const positive = "a positive number";
  const refused: [option: string, options: unknown, rule: string, value: unknown][] = [
    ["maxDepth", { maxDepth: 1_001 }, "at most 1000", 1_001],
    ["rate.messages.perSecond", { rate: { messages: { perSecond: 0 } } }, positive, 0],
    ["rate.messages.perSecond", { rate: { messages: 5 } }, positive, NaN],
    ["rate.bytes.perSecond", { rate: { bytes: { perSecond: Infinity } } }, positive, Infinity],
    ["rate.bytes.burst", { rate: { bytes: { perSecond: 1, burst: -1 } } }, positive, -1],
  ];
  for (const [option, options, rule, value] of refused) {
    assertThrows(
      () => resolveHandlerOptions(options as WebSocketHandlerOptions),
      RangeError,
      `Cannot create handler as "${option}" must be ${rule}: current value is ${value}`,
    );
  }
});

Deno.test("resolveHandlerOptions() keeps no sessions when it is told so", () => {
  assertEquals(resolveHandlerOptions({ session: false }).session, undefined);
});

Deno.test("resolveHandlerOptions() refuses numbers of sessions that clients would not believe", () => {
  const refused: [string, number, string][] = [
    ["window", 0, "a positive number"],
    ["window", 86_400_001, "at most 86400000"],
    ["pingInterval", 0, "a positive number"],
    ["bufferMessages", 0, "a positive integer"],
    ["bufferBytes", 1_023, "at least 1024"],
    ["maxWaitingMessages", -1, "a positive integer"],
    ["maxWaitingBytes", 0.5, "a positive integer"],
    ["maxTotalBytes", NaN, "a positive integer"],
  ];
  for (const [option, value, rule] of refused) {
    assertThrows(
      () => resolveHandlerOptions({ session: { [option]: value } }),
      RangeError,
      `Cannot create handler as "session.${option}" must be ${rule}: current value is ${value}`,
    );
  }
});

Deno.test("resolveHandlerOptions() refuses options of the wrong shape", () => {
  const refused: [string, unknown][] = [
    ["path", "mcp"],
    ["path", "/mcp?a"],
    ["path", "/mcp#a"],
    ["path", "/a/../b"],
    ["path", ""],
    ["path", 1],
    ["allowedOrigins", "https://a.example"],
    ["allowedOrigins", ["a.example"]],
    ["allowedOrigins", ["https://a.example/"]],
    ["allowedOrigins", ["null"]],
    ["allowedOrigins", ["*"]],
    ["onError", "x"],
    ["principalOf", "x"],
    ["session", { store: {} }],
    ["logger", { debug() {}, info() {}, warn() {} }],
    ["metrics", { add() {} }],
    ["operations", { healthz: "healthz" }],
    ["operations", { readyz: "/readyz?now" }],
    ["operations", { metrics: "/mcp" }],
    ["operations", { metrics: "/healthz" }],
    ["operations", { mayRead: true }],
  ];
  for (const [option, value] of refused) {
    assertThrows(
      () => resolveHandlerOptions({ [option]: value }),
      TypeError,
      `Cannot create handler as "${option}`,
    );
  }
});
