/**
 * Stand-in for `jsr:@std/log`: what a command line needs of it.
 *
 * @module
 */
export { BaseHandler, type BaseHandlerOptions, type FormatterFunction } from "./base_handler.ts";
export { ConsoleHandler, type ConsoleHandlerOptions } from "./console_handler.ts";
export { formatters, jsonFormatter } from "./formatters.ts";
export { getLogger } from "./get_logger.ts";
export {
  getLevelByName,
  getLevelName,
  type LevelName,
  type LogLevel,
  LogLevels,
} from "./levels.ts";
export { LogRecord, type LogRecordOptions } from "./log_record.ts";
export {
  type GenericFunction,
  type LogConfig,
  Logger,
  type LoggerConfig,
  type LoggerOptions,
} from "./logger.ts";
export { setup } from "./setup.ts";
