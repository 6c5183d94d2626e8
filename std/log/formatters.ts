import type { LogRecord } from "./log_record.ts";

/** Formats a record as one line of JSON. */
export function jsonFormatter(logRecord: LogRecord): string {
  const { levelName, datetime, msg, args } = logRecord;
  return JSON.stringify({
    level: levelName,
    datetime: datetime.getTime(),
    message: msg,
    // None is left out, and a single one stands alone.
    args: args.length > 1 ? args : args[0],
  });
}

/** Formatters that handlers may be given. */
export const formatters: {
  readonly jsonFormatter: (logRecord: LogRecord) => string;
} = { jsonFormatter };
