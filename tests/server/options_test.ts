import { assertEquals, assertThrows } from "@std/assert";
import { resolveHandlerOptions, type WebSocketHandlerOptions } from "../../server/options.ts";

Deno.test("resolveHandlerOptions() fills in the documented defaults", () => {
  const { clock: _, ...settings } = resolveHandlerOptions({});
  assertEquals(settings, {
    path: "/mcp",
    allowedOrigins: undefined,
    maxMessageBytes: 10_485_760,
    maxSendBytes: 67_108_864,
    maxConnections: 10_000,
    maxInFlight: 16_384,
    heartbeatTimeout: 30_000,
    logger: undefined,
    onError: undefined,
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
    { logger: console },
  ];
  for (const options of accepted) resolveHandlerOptions(options);
});

Deno.test("resolveHandlerOptions() names option, rule and value of a number out of range", () => {
  const counts = ["maxMessageBytes", "maxSendBytes", "maxConnections", "maxInFlight"];
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
    ["logger", { debug() {}, info() {}, warn() {} }],
  ];
  for (const [option, value] of refused) {
    assertThrows(
      () => resolveHandlerOptions({ [option]: value }),
      TypeError,
      `Cannot create handler as "${option}`,
    );
  }
});
