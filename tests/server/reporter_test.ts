import { assertEquals } from "@std/assert";
import type { Logger } from "../../protocol/transport.ts";
import type { MetricsSink } from "../../server/mod.ts";
import { quote } from "../../protocol/quote.ts";
import { Reporter } from "../../server/reporter.ts";

function recordingLogger(): { logger: Logger; lines: string[] } {
  const lines: string[] = [];
  const at = (level: string) => (text: string) => lines.push(`${level} ${text}`);
  const logger = { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
  return { logger, lines };
}

Deno.test("Reporter counts, logs and passes on failures", () => {
  const { logger, lines } = recordingLogger();
  const errors: Error[] = [];
  const reporter = new Reporter(logger, (error) => errors.push(error));
  reporter.debug("a");
  reporter.info("b");
  reporter.warn("c");
  reporter.error("Doing d", new TypeError("e\nf"));
  reporter.fault("Peer g", "h");
  assertEquals(lines, [
    "debug a",
    "info b",
    "warn c",
    'error Doing d: "e\\nf"',
    'warn Peer g: "h"',
  ]);
  assertEquals(errors.map((error) => error.message), ["e\nf", "h"]);
  assertEquals([reporter.errors, reporter.failures, reporter.faults], [2, 1, 1]);
});

Deno.test("Reporter survives a logger and a listener that throw or reject", async () => {
  const logger: Logger = {
    debug: () => Promise.reject(new Error("debug")),
    info: () => Promise.reject(new Error("info")),
    warn() {
      throw new Error("warn");
    },
    error() {
      throw new Error("error");
    },
  };
  const reporter = new Reporter(logger, () => Promise.reject(new Error("listener")));
  reporter.debug("a");
  reporter.info("a");
  reporter.warn("a");
  reporter.error("a", new Error("b"));
  new Reporter(undefined, () => {
    throw new Error("listener");
  }).error("a", new Error("b"));
  // A rejection that nobody handles would fail this test by now.
  await new Promise((resolve) => setTimeout(resolve, 0));
});

Deno.test("quote() keeps foreign text on one line, and short", () => {
  assertEquals(quote('a"\n\u001b\u2028\u2029'), '"a\\"\\n\\u001b\\u2028\\u2029"');
  assertEquals(quote("x".repeat(1_000)).length, 202);
});

Deno.test("quote() shows every character that would change what a reader of the log sees", () => {
  // Escape, delete, a C1 control, bidi overrides and isolates, zero width, a language tag.
  const characters = [0x1b, 0x7f, 0x9b, 0x202a, 0x202e, 0x2066, 0x2069, 0x200b, 0x200f, 0xfeff];
  for (const code of characters) {
    const hex = code.toString(16).padStart(4, "0");
    assertEquals(quote(`a${String.fromCodePoint(code)}b`), `"a\\u${hex}b"`);
  }
  assertEquals(quote("\u{e0041}"), '"\\u{e0041}"');
  assertEquals(
    quote("\r\nERROR all is lost\u0085\u2028"),
    '"\\r\\nERROR all is lost\\u0085\\u2028"',
  );
  assertEquals(quote("漢字 é 🪢"), '"漢字 é 🪢"');
  assertEquals(quote("\ud800"), '"\\ud800"');
});

Deno.test("Reporter tells a sink whose failures there are, and survives it", () => {
  const told: unknown[] = [];
  const sink: MetricsSink = {
    add(...record) {
      told.push(record);
      throw new Error("sink");
    },
    record() {},
  };
  const reporter = new Reporter(undefined, undefined, sink);
  reporter.error("a", "b");
  reporter.fault("c", "d");
  assertEquals(told, [
    ["bowline_failures_total", 1, { side: "server" }],
    ["bowline_failures_total", 1, { side: "peer" }],
  ]);
});
