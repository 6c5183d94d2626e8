import { BaseHandler, type BaseHandlerOptions } from "./base_handler.ts";
import { type LevelName, LogLevels } from "./levels.ts";
import type { LogRecord } from "./log_record.ts";

/** Options for {@linkcode ConsoleHandler}. */
export interface ConsoleHandlerOptions extends BaseHandlerOptions {
  /**
   * Whether a line is coloured by its level.
   *
   * @default {true}
   */
  useColors?: boolean;
}

/** Writes lines with `console.log()`, that is, to the standard output. */
export class ConsoleHandler extends BaseHandler {
  readonly #useColors: boolean;

  /** @param levelName Records below this level are dropped. */
  constructor(levelName: LevelName, options: ConsoleHandlerOptions = {}) {
    super(levelName, options);
    this.#useColors = options.useColors ?? true;
  }

  /** Turns a record into the line that is written. */
  override format(logRecord: LogRecord): string {
    const line = super.format(logRecord);
    return this.#useColors ? colorize(line, logRecord.level) : line;
  }

  /** Writes a line. */
  override log(msg: string): void {
    // deno-lint-ignore no-console -- its purpose
    console.log(msg);
  }
}

function colorize(line: string, level: number): string {
  switch (level) {
    case LogLevels.INFO:
      return style(line, 34, 39);
    case LogLevels.WARN:
      return style(line, 33, 39);
    case LogLevels.ERROR:
      return style(line, 31, 39);
    case LogLevels.CRITICAL:
      return style(style(line, 31, 39), 1, 22);
    default:
      return line;
  }
}

/** Wraps text in an escape code, set again wherever the text resets it. */
function style(text: string, open: number, close: number): string {
  if (globalThis.Deno?.noColor) return text;
  const start = `\x1b[${open}m`;
  const end = `\x1b[${close}m`;
  return start + text.replaceAll(end, start) + end;
}
