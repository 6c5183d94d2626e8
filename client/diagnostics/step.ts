/**
 * What a step looks at, in the order in which they are taken. The one that
 * opens MCP is called by the request that did: `discover` if the server is of
 * revision 2026-07-28 or later, else `initialize`.
 */
export type DiagnosticName =
  | "url"
  | "dns"
  | "tcp"
  | "tls"
  | "upgrade"
  | "subprotocol"
  | "session"
  | "initialize"
  | "discover"
  | "ping"
  | "round-trip";

/** What became of a step. */
export type DiagnosticStatus = "passed" | "failed" | "skipped";

/** One step of a diagnosis. */
export interface DiagnosticStep {
  /** What was looked at. */
  readonly name: DiagnosticName;
  /** Whether it is as it should be; `skipped` if nobody could look, or nothing is there to look at. */
  readonly status: DiagnosticStatus;
  /** How long it took, in milliseconds; 0 if it was skipped. */
  readonly durationMs: number;
  /** What was found, or why it was skipped. Free of secrets, in one line. */
  readonly detail: string;
  /** What to do about it. */
  readonly hint?: string | undefined;
}

/** What a step has found. */
export interface Finding {
  /** Whether it is as it should be. */
  readonly status: DiagnosticStatus;
  /** What was found, or why it was skipped. */
  readonly detail: string;
  /** What to do about it. */
  readonly hint?: string | undefined;
  /** The name of the step, if it is another than expected. */
  readonly name?: DiagnosticName;
  /** How long it took, if that was not the whole step, in milliseconds. */
  readonly durationMs?: number;
}

/** A step found everything as it should be. */
export function passed(detail: string, hint?: string): Finding {
  return { status: "passed", detail, hint };
}

/** A step found what is wrong. */
export function failed(detail: string, hint: string): Finding {
  return { status: "failed", detail, hint };
}

/** A step could not, or need not, be taken. */
export function skipped(detail: string): Finding {
  return { status: "skipped", detail };
}
