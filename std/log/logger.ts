import type { BaseHandler } from "./base_handler.ts";
import { LogRecord } from "./log_record.ts";
import {
  getLevelByName,
  getLevelName,
  type LevelName,
  type LogLevel,
  LogLevels,
} from "./levels.ts";

/** Any function. */
export type GenericFunction = (...args: never[]) => unknown;

/** What a logger is set up with. */
export interface LoggerConfig {
  /**
   * Messages below this level are dropped.
   *
   * @default {"INFO"}
   */
  level?: LevelName;
  /** Names of the handlers that get the records. */
  handlers?: string[];
}

/** What `setup()` takes. */
export interface LogConfig {
  /** Handlers by name. */
  handlers?: Record<string, BaseHandler>;
  /** Loggers by name. */
  loggers?: Record<string, LoggerConfig>;
}

/** Options for {@linkcode Logger}. */
export interface LoggerOptions {
  /** Handlers that get the records. */
  handlers?: BaseHandler[];
}

type Message<T> = (T extends GenericFunction ? never : T) | (() => T);

/** Hands messages of its level and above to its handlers. */
export class Logger {
  #level: LogLevel;
  readonly #loggerName: string;
  /** Handlers that get the records. */
  handlers: BaseHandler[];

  /** @param levelName Messages below this level are dropped. */
  constructor(
    loggerName: string,
    levelName: LevelName,
    options: LoggerOptions = {},
  ) {
    this.#loggerName = loggerName;
    this.#level = getLevelByName(levelName);
    this.handlers = options.handlers ?? [];
  }

  /** Messages below this level are dropped. */
  get level(): LogLevel {
    return this.#level;
  }
  set level(level: LogLevel) {
    try {
      this.#level = getLevelByName(getLevelName(level));
    } catch {
      throw new TypeError(`Invalid log level: ${level}`);
    }
  }

  /** Name of the level below which messages are dropped. */
  get levelName(): LevelName {
    return getLevelName(this.#level);
  }
  set levelName(levelName: LevelName) {
    this.#level = getLevelByName(levelName);
  }

  /** Name of the logger. */
  get loggerName(): string {
    return this.#loggerName;
  }

  /** Logs at level `DEBUG` and returns the message. */
  debug<T>(msg: () => T, ...args: unknown[]): T | undefined;
  debug<T>(msg: T extends GenericFunction ? never : T, ...args: unknown[]): T;
  debug<T>(msg: Message<T>, ...args: unknown[]): T | undefined {
    return this.#log(LogLevels.DEBUG, msg, args);
  }

  /** Logs at level `INFO` and returns the message. */
  info<T>(msg: () => T, ...args: unknown[]): T | undefined;
  info<T>(msg: T extends GenericFunction ? never : T, ...args: unknown[]): T;
  info<T>(msg: Message<T>, ...args: unknown[]): T | undefined {
    return this.#log(LogLevels.INFO, msg, args);
  }

  /** Logs at level `WARN` and returns the message. */
  warn<T>(msg: () => T, ...args: unknown[]): T | undefined;
  warn<T>(msg: T extends GenericFunction ? never : T, ...args: unknown[]): T;
  warn<T>(msg: Message<T>, ...args: unknown[]): T | undefined {
    return this.#log(LogLevels.WARN, msg, args);
  }

  /** Logs at level `ERROR` and returns the message. */
  error<T>(msg: () => T, ...args: unknown[]): T | undefined;
  error<T>(msg: T extends GenericFunction ? never : T, ...args: unknown[]): T;
  error<T>(msg: Message<T>, ...args: unknown[]): T | undefined {
    return this.#log(LogLevels.ERROR, msg, args);
  }

  /** Logs at level `CRITICAL` and returns the message. */
  critical<T>(msg: () => T, ...args: unknown[]): T | undefined;
  critical<T>(
    msg: T extends GenericFunction ? never : T,
    ...args: unknown[]
  ): T;
  critical<T>(msg: Message<T>, ...args: unknown[]): T | undefined {
    return this.#log(LogLevels.CRITICAL, msg, args);
  }

  #log<T>(level: LogLevel, msg: Message<T>, args: unknown[]): T | undefined {
    const dropped = this.level > level;
    // A function is the message's recipe: not followed for a dropped message.
    if (dropped && msg instanceof Function) return undefined;
    const data: T = msg instanceof Function ? msg() : msg;
    if (dropped) return data;

    const { loggerName } = this;
    const record = new LogRecord({
      msg: this.asString(data),
      args,
      level,
      loggerName,
    });
    for (const handler of this.handlers) handler.handle(record);
    return data;
  }

  /** Writes any value as text: an error as its stack, an object in braces. */
  asString(data: unknown, isProperty = false): string {
    if (typeof data === "string") return isProperty ? `"${data}"` : data;
    if (typeof data === "function") return "undefined";
    if (data instanceof Error) return data.stack!;
    if (typeof data !== "object" || data === null) return String(data);
    const properties = Object.entries(data)
      .map(([key, value]) => `"${key}":${this.asString(value, true)}`);
    return `{${properties.join(",")}}`;
  }
}
