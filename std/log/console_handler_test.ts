import { assertEquals } from "@std/assert";
import { ConsoleHandler, formatters, type LogLevel, LogLevels, LogRecord } from "@std/log";
import { stub } from "@std/testing/mock";

function record(level: LogLevel, ...args: unknown[]): LogRecord {
  return new LogRecord({ msg: "text", args, level, loggerName: "app" });
}

Deno.test("ConsoleHandler writes to console.log()", () => {
  using log = stub(console, "log");
  const handler = new ConsoleHandler("WARN", { useColors: false });
  handler.handle(record(LogLevels.INFO));
  handler.handle(record(LogLevels.WARN));
  assertEquals(log.calls.map(({ args }) => args), [["WARN text"]]);
});

Deno.test("ConsoleHandler writes where its subclass does", () => {
  const lines: string[] = [];
  class ListHandler extends ConsoleHandler {
    override log(msg: string): void {
      lines.push(msg);
    }
  }
  new ListHandler("INFO", { useColors: false }).handle(record(LogLevels.INFO));
  assertEquals(lines, ["INFO text"]);
});

Deno.test("ConsoleHandler drops records below its level, which can be changed", () => {
  using log = stub(console, "log");
  const handler = new ConsoleHandler("ERROR", { useColors: false });
  assertEquals(handler.level, LogLevels.ERROR);
  handler.handle(record(LogLevels.WARN));
  handler.levelName = "INFO";
  assertEquals(handler.level, LogLevels.INFO);
  handler.level = LogLevels.WARN;
  assertEquals(handler.levelName, "WARN");
  handler.handle(record(LogLevels.WARN));
  assertEquals(log.calls.map(({ args }) => args), [["WARN text"]]);
});

Deno.test({
  name: `ConsoleHandler colours lines by their level${
    Deno.noColor ? " (skipped: NO_COLOR is set)" : ""
  }`,
  ignore: Deno.noColor,
  fn() {
    const handler = new ConsoleHandler("DEBUG");
    assertEquals(
      Object.values(LogLevels).map((level) => handler.format(record(level))),
      [
        "NOTSET text",
        "DEBUG text",
        "\x1b[34mINFO text\x1b[39m",
        "\x1b[33mWARN text\x1b[39m",
        "\x1b[31mERROR text\x1b[39m",
        "\x1b[1m\x1b[31mCRITICAL text\x1b[39m\x1b[22m",
      ],
    );
  },
});

Deno.test("ConsoleHandler formats by the given function", () => {
  const handler = new ConsoleHandler("DEBUG", {
    formatter: ({ loggerName, msg }) => `${loggerName}: ${msg}`,
    useColors: false,
  });
  assertEquals(handler.format(record(LogLevels.INFO)), "app: text");
});

Deno.test("jsonFormatter() writes no, one or several arguments", () => {
  const args: [unknown[], string][] = [
    [[], ""],
    [[{ a: 1 }], ',"args":{"a":1}'],
    [[1, "two"], ',"args":[1,"two"]'],
  ];
  for (const [list, json] of args) {
    const one = record(LogLevels.INFO, ...list);
    assertEquals(
      formatters.jsonFormatter(one),
      `{"level":"INFO","datetime":${one.datetime.getTime()},"message":"text"${json}}`,
    );
  }
});
