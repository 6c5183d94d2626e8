import { diagnose, type DiagnoseOptions } from "./diagnostics.ts";
import type { DiagnosticStatus, DiagnosticStep } from "./diagnostics/step.ts";
import { endpointName } from "./diagnostics/words.ts";

/** How a report looks. */
export interface ReportStyle {
  /** Whether it is one JSON object, and not lines. */
  readonly json: boolean;
  /** Whether lines are colored. */
  readonly colors: boolean;
}

/** The report of `doctor --json`. */
export interface DoctorReport {
  /** What was diagnosed, without credentials and query; empty if it is no URL. */
  readonly url: string;
  /** Whether no step failed. */
  readonly ok: boolean;
  /** How long all took, in milliseconds. */
  readonly durationMs: number;
  /** The steps. */
  readonly steps: readonly DiagnosticStep[];
}

/** The columns of a line. */
const STATUS_WIDTH = 9;
const NAME_WIDTH = 13;
const TIME_WIDTH = 8;

/** Codes of ANSI colors: green, red, gray. */
const COLORS: { readonly [Status in DiagnosticStatus]: number } = {
  passed: 32,
  failed: 31,
  skipped: 90,
};

/**
 * Diagnoses a server and writes the report.
 *
 * @param url Where to.
 * @param options Of the diagnosis.
 * @param style How the report looks.
 * @param write Writes one line, or several.
 * @returns The exit status: 0 if nothing failed, else 1.
 */
export async function examineAndReport(
  url: string,
  options: DiagnoseOptions,
  style: ReportStyle,
  write: (text: string) => void,
): Promise<number> {
  const steps: DiagnosticStep[] = [];
  const name = nameOf(url);
  if (!style.json) write(`Diagnosis of ${name || "a malformed URL"}\n`);
  for await (const step of diagnose(url, options)) {
    steps.push(step);
    if (!style.json) write(formatStep(step, style.colors));
  }
  const report = makeReport(name, steps);
  write(style.json ? JSON.stringify(report, undefined, 2) : `\n${summarize(report)}`);
  return report.ok ? 0 : 1;
}

/**
 * One step as a line, and its hint as another.
 *
 * @param step The step.
 * @param colors Whether the status is colored.
 */
export function formatStep(step: DiagnosticStep, colors: boolean): string {
  const { name, status, durationMs, detail, hint } = step;
  const word = status === "failed" ? "FAILED" : status;
  const time = status === "skipped" ? "" : `${formatTime(durationMs)} ms`;
  const line = paint(word.padEnd(STATUS_WIDTH), colors ? COLORS[status] : undefined) +
    name.padEnd(NAME_WIDTH) + time.padStart(TIME_WIDTH) + `  ${detail}`;
  const indent = " ".repeat(STATUS_WIDTH + NAME_WIDTH + TIME_WIDTH + 2);
  return hint === undefined ? line : `${line}\n${indent}Hint: ${hint}`;
}

function makeReport(url: string, steps: readonly DiagnosticStep[]): DoctorReport {
  return {
    url,
    ok: steps.every(({ status }) => status !== "failed"),
    durationMs: steps.reduce((sum, step) => sum + step.durationMs, 0),
    steps,
  };
}

function summarize({ ok, steps }: DoctorReport): string {
  const count = (wanted: DiagnosticStatus) =>
    steps.filter(({ status }) => status === wanted).length;
  const skips = count("skipped") === 0 ? "" : `, ${count("skipped")} skipped`;
  const failure = steps.find(({ status }) => status === "failed");
  return ok
    ? `Everything works: ${count("passed")} passed${skips}`
    : `Step "${failure?.name}" failed: ${count("passed")} passed${skips}`;
}

function nameOf(url: string): string {
  const parsed = URL.parse(url);
  return parsed === null ? "" : endpointName(parsed);
}

/** Below ten the tenths matter. */
function formatTime(ms: number): string {
  return ms < 10 ? ms.toFixed(1) : ms.toFixed(0);
}

function paint(text: string, color: number | undefined): string {
  return color === undefined ? text : `\x1b[${color}m${text}\x1b[0m`;
}
