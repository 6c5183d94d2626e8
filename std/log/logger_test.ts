import { assertEquals, assertThrows } from "@std/assert";
import {
  BaseHandler,
  getLevelByName,
  getLevelName,
  type LevelName,
  Logger,
  type LogLevel,
  LogLevels,
  LogRecord,
} from "@std/log";
import { spy } from "@std/testing/mock";

class ListHandler extends BaseHandler {
  readonly lines: string[] = [];
  readonly records: LogRecord[] = [];

  override handle(record: LogRecord): void {
    this.records.push(record);
    super.handle(record);
  }

  override log(msg: string): void {
    this.lines.push(msg);
  }
}

function create(level: LevelName): { logger: Logger; handler: ListHandler } {
  const handler = new ListHandler(level);
  return { logger: new Logger("app", level, { handlers: [handler] }), handler };
}

Deno.test("LogLevels rise in steps of ten", () => {
  assertEquals({ ...LogLevels }, {
    NOTSET: 0,
    DEBUG: 10,
    INFO: 20,
    WARN: 30,
    ERROR: 40,
    CRITICAL: 50,
  });
  assertEquals(getLevelByName("WARN"), 30);
  assertEquals(getLevelName(30), "WARN");
  assertThrows(
    () => getLevelByName("LOUD" as LevelName),
    Error,
    "Cannot get log level: no level named LOUD",
  );
  assertThrows(
    () => getLevelName(35 as LogLevel),
    Error,
    "Cannot get log level: no name for level: 35",
  );
});

Deno.test("Logger has a method for each level", () => {
  const { logger, handler } = create("DEBUG");
  logger.debug("a");
  logger.info("b");
  logger.warn("c");
  logger.error("d");
  logger.critical("e");
  assertEquals(handler.lines, [
    "DEBUG a",
    "INFO b",
    "WARN c",
    "ERROR d",
    "CRITICAL e",
  ]);
});

Deno.test("Logger drops messages below its level, which can be changed", () => {
  const { logger, handler } = create("DEBUG");
  logger.level = LogLevels.ERROR;
  logger.warn("a");
  logger.levelName = "WARN";
  logger.warn("b");
  assertEquals(logger.level, LogLevels.WARN);
  assertEquals(handler.lines, ["WARN b"]);
  assertThrows(
    () => logger.level = 35 as LogLevel,
    TypeError,
    "Invalid log level: 35",
  );
});

Deno.test("Logger returns the message, logged or not", () => {
  const { logger } = create("INFO");
  const message = { some: "data" };
  assertEquals(logger.info(message), message);
  assertEquals(logger.debug(message), message);
});

Deno.test("Logger calls a message function only if it logs", () => {
  const { logger, handler } = create("INFO");
  const message = spy(() => "costly");
  assertEquals(logger.debug(message), undefined);
  assertEquals(message.calls.length, 0);
  assertEquals(logger.info(message), "costly");
  assertEquals(handler.lines, ["INFO costly"]);
});

Deno.test("Logger writes any value as text", () => {
  const { logger, handler } = create("INFO");
  const error = new Error("failure");
  for (const value of [1, 2n, true, null, undefined, error]) logger.info(value);
  logger.info(Symbol("s"));
  logger.info({ a: 1, b: { c: "text" } });
  assertEquals(handler.lines, [
    "INFO 1",
    "INFO 2",
    "INFO true",
    "INFO null",
    "INFO undefined",
    `INFO ${error.stack}`,
    "INFO Symbol(s)",
    'INFO {"a":1,"b":{"c":"text"}}',
  ]);
});

Deno.test("Logger hands a record of the message and its arguments to its handlers", () => {
  const { logger, handler } = create("INFO");
  logger.warn("text", 1, { two: 2 });
  const [record] = handler.records;
  assertEquals(record?.msg, "text");
  assertEquals(record?.args, [1, { two: 2 }]);
  assertEquals(record?.level, LogLevels.WARN);
  assertEquals(record?.levelName, "WARN");
  assertEquals(record?.loggerName, "app");
  assertEquals(record?.datetime instanceof Date, true);
});

Deno.test("LogRecord cannot be changed through what it hands out", () => {
  const record = new LogRecord({
    msg: "text",
    args: [1],
    level: LogLevels.INFO,
    loggerName: "app",
  });
  record.args.push(2);
  record.datetime.setTime(0);
  assertEquals(record.args, [1]);
  assertEquals(record.datetime.getTime() > 0, true);
});
