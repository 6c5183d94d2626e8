import type { BaseHandler } from "./base_handler.ts";
import type { Logger } from "./logger.ts";

/** Handlers of the last `setup()`, by name. */
export const handlers: Map<string, BaseHandler> = new Map();

/** Loggers of the last `setup()` and those asked for since, by name. */
export const loggers: Map<string, Logger> = new Map();
