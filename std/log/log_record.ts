import { getLevelName, type LogLevel } from "./levels.ts";

/** Options for {@linkcode LogRecord}. */
export interface LogRecordOptions {
  /** The message, as text. */
  msg: string;
  /** What was logged besides the message. */
  args: unknown[];
  /** Level at which it was logged. */
  level: LogLevel;
  /** Name of the logger. */
  loggerName: string;
}

/** One logged message and its circumstances. */
export class LogRecord {
  /** The message, as text. */
  readonly msg: string;
  /** Level at which it was logged. */
  readonly level: number;
  /** Name of the level at which it was logged. */
  readonly levelName: string;
  /** Name of the logger. */
  readonly loggerName: string;
  readonly #args: unknown[];
  readonly #datetime: Date = new Date();

  /** Creates a record of the current time. */
  constructor(options: LogRecordOptions) {
    this.msg = options.msg;
    this.level = options.level;
    this.levelName = getLevelName(options.level);
    this.loggerName = options.loggerName;
    this.#args = [...options.args];
  }

  /** What was logged besides the message. */
  get args(): unknown[] {
    return [...this.#args];
  }

  /** When it was logged. */
  get datetime(): Date {
    return new Date(this.#datetime.getTime());
  }
}
