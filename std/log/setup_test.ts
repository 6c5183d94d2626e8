import { assertEquals, assertStrictEquals } from "@std/assert";
import { BaseHandler, ConsoleHandler, getLogger, setup } from "@std/log";

class ListHandler extends BaseHandler {
  readonly lines: string[] = [];

  override log(msg: string): void {
    this.lines.push(msg);
  }
  override setup(): void {
    this.lines.push("set up");
  }
  override destroy(): void {
    this.lines.push("destroyed");
  }
}

Deno.test("getLogger() logs to the console from level INFO on by default", () => {
  setup({});
  const logger = getLogger();
  assertEquals(logger.levelName, "INFO");
  assertEquals(logger.loggerName, "default");
  assertEquals(logger.handlers.length, 1);
  assertEquals(logger.handlers[0] instanceof ConsoleHandler, true);
  assertStrictEquals(getLogger("default"), logger);
});

Deno.test("getLogger() gives a logger without handlers for a name not set up", () => {
  setup({});
  const logger = getLogger("unknown");
  assertEquals(logger.levelName, "NOTSET");
  assertEquals(logger.handlers, []);
  assertStrictEquals(getLogger("unknown"), logger);
});

Deno.test("setup() replaces handlers and loggers", () => {
  const handler = new ListHandler("DEBUG");
  setup({
    handlers: { list: handler },
    loggers: {
      default: { level: "DEBUG", handlers: ["list", "unknown"] },
      quiet: {},
    },
  });
  getLogger().debug("one");
  assertEquals(getLogger().handlers, [handler]);
  assertEquals(getLogger("quiet").levelName, "INFO");
  assertEquals(getLogger("quiet").handlers, []);
  setup({});
  getLogger().debug("two");
  assertEquals(handler.lines, ["set up", "DEBUG one", "destroyed"]);
});
