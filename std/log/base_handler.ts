import { getLevelByName, getLevelName, type LevelName, type LogLevel } from "./levels.ts";
import type { LogRecord } from "./log_record.ts";

/** Turns a record into the line that is written. */
export type FormatterFunction = (logRecord: LogRecord) => string;

/** Options for {@linkcode BaseHandler}. */
export interface BaseHandlerOptions {
  /**
   * Turns a record into the line that is written.
   *
   * @default {({ levelName, msg }) => `${levelName} ${msg}`}
   */
  formatter?: FormatterFunction;
}

/** Formats the records of its level and above; a subclass writes the lines. */
export abstract class BaseHandler {
  #levelName: LevelName;
  #level: LogLevel;
  /** Turns a record into the line that is written. */
  formatter: FormatterFunction;

  /** @param levelName Records below this level are dropped. */
  constructor(levelName: LevelName, options: BaseHandlerOptions = {}) {
    const { formatter = defaultFormatter } = options;
    this.#level = getLevelByName(levelName);
    this.#levelName = levelName;
    this.formatter = formatter;
  }

  /** Records below this level are dropped. */
  get level(): LogLevel {
    return this.#level;
  }
  set level(level: LogLevel) {
    this.#level = level;
    this.#levelName = getLevelName(level);
  }

  /** Name of the level below which records are dropped. */
  get levelName(): LevelName {
    return this.#levelName;
  }
  set levelName(levelName: LevelName) {
    this.#levelName = levelName;
    this.#level = getLevelByName(levelName);
  }

  /** Formats and writes a record, unless its level is too low. */
  handle(logRecord: LogRecord): void {
    if (this.level > logRecord.level) return;
    this.log(this.format(logRecord));
  }

  /** Turns a record into the line that is written. */
  format(logRecord: LogRecord): string {
    return this.formatter(logRecord);
  }

  /** Writes a line. */
  abstract log(msg: string): void;

  /** Called by `setup()` before the first record. */
  setup(): void {}

  /** Called by the next `setup()`. */
  destroy(): void {}

  /** Same as `destroy()`. */
  [Symbol.dispose](): void {
    this.destroy();
  }
}

function defaultFormatter({ levelName, msg }: LogRecord): string {
  return `${levelName} ${msg}`;
}
