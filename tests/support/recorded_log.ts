import type { Logger } from "../../protocol/transport.ts";

/** A logger that keeps its lines, each with its level in front. */
export interface RecordedLog {
  readonly logger: Logger;
  readonly lines: readonly string[];
}

export function recordLog(): RecordedLog {
  const lines: string[] = [];
  const at = (level: string) => (message: string) => lines.push(`${level} ${message}`);
  return {
    logger: { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") },
    lines,
  };
}
