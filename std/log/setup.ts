import { handlers, loggers } from "./_state.ts";
import { ConsoleHandler } from "./console_handler.ts";
import { type LogConfig, Logger } from "./logger.ts";

const DEFAULT_LEVEL = "INFO";
const DEFAULT_HANDLERS: NonNullable<LogConfig["handlers"]> = {
  default: new ConsoleHandler(DEFAULT_LEVEL),
};
const DEFAULT_LOGGERS: NonNullable<LogConfig["loggers"]> = {
  default: { level: DEFAULT_LEVEL, handlers: ["default"] },
};

/** Replaces all handlers and loggers; what is not named keeps its default. */
export function setup(config: LogConfig): void {
  for (const handler of handlers.values()) handler.destroy();
  handlers.clear();
  const wanted = { ...DEFAULT_HANDLERS, ...config.handlers };
  for (const [name, handler] of Object.entries(wanted)) {
    handler.setup();
    handlers.set(name, handler);
  }

  loggers.clear();
  const settings = { ...DEFAULT_LOGGERS, ...config.loggers };
  for (const [name, options] of Object.entries(settings)) {
    const { level = DEFAULT_LEVEL, handlers: names = [] } = options;
    const known = names.flatMap((handler) => handlers.get(handler) ?? []);
    loggers.set(name, new Logger(name, level, { handlers: known }));
  }
}

setup({});
