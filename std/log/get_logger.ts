import { loggers } from "./_state.ts";
import { Logger } from "./logger.ts";

/**
 * Gets a logger; one that was not set up has no handlers.
 *
 * @param name Name of the logger, or none for the default one.
 */
export function getLogger(name?: string): Logger {
  const existing = loggers.get(name || "default");
  if (existing) return existing;
  if (!name) {
    throw new Error(
      `"default" logger must be set for getting logger without name`,
    );
  }
  const logger = new Logger(name, "NOTSET", { handlers: [] });
  loggers.set(name, logger);
  return logger;
}
