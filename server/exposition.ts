/** One line of a metric. */
export interface Sample {
  /** Follows the name of the family; only parts of a histogram have one. */
  readonly suffix?: "_bucket" | "_sum" | "_count";
  /** What tells it apart from the other lines. */
  readonly labels?: Readonly<Record<string, string>>;
  /** Its value. */
  readonly value: number;
}

/** A metric with all its lines. */
export interface MetricFamily {
  /** Letters, digits and `_`; the unit last, then `_total` if it only grows. */
  readonly name: string;
  /** Whether it grows, goes up and down, or is a distribution. */
  readonly type: "counter" | "gauge" | "histogram";
  /** What it says, in one sentence. */
  readonly help: string;
  /** Its lines. */
  readonly samples: readonly Sample[];
}

/** The media type of {@linkcode exposition}. */
export const EXPOSITION_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/**
 * Metrics in the text format of Prometheus, version 0.0.4.
 *
 * @param families The metrics; each name once.
 * @returns The text.
 */
export function exposition(families: readonly MetricFamily[]): string {
  return families.map(familyText).join("");
}

function familyText({ name, type, help, samples }: MetricFamily): string {
  const lines = samples.map(({ suffix = "", labels = {}, value }) =>
    `${name}${suffix}${labelText(labels)} ${numberText(value)}`
  );
  return [`# HELP ${name} ${escapeHelp(help)}`, `# TYPE ${name} ${type}`, ...lines, ""].join("\n");
}

function labelText(labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escapeLabel(value)}"`);
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

/**
 * A number as Prometheus reads it.
 *
 * @param value Any number.
 * @returns Its text.
 */
export function numberText(value: number): string {
  if (Number.isFinite(value) || Number.isNaN(value)) return String(value);
  return value > 0 ? "+Inf" : "-Inf";
}

function escapeHelp(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}

function escapeLabel(text: string): string {
  return escapeHelp(text).replaceAll('"', '\\"');
}
