import { count, isWhole, median, type Moment, type Tally } from "./tally.ts";

/** How a piece of text looks. */
export type Tone = "plain" | "dim" | "bold" | "good" | "bad";

/** A line, in pieces. */
export type Line = readonly Span[];

/** A piece of a line. */
export interface Span {
  /** What it says. */
  readonly text: string;
  /** How it looks. */
  readonly tone: Tone;
}

/** All that is shown. */
export interface Scene {
  /** How long it has been going on, in milliseconds. */
  readonly elapsed: number;
  /** Whether the link is up. */
  readonly isUp: boolean;
  /** Both sides. */
  readonly sides: readonly Tally[];
  /** What happened last, the latest at the end. */
  readonly journal: readonly string[];
}

const LABEL_WIDTH = 24;
const COLUMN_WIDTH = 24;
const JOURNAL_LINES = 3;
const BARS = "▁▂▃▄▅▆▇█";
/** Moments that are shown. */
const BAR_COUNT = 60;
/** Answers in one moment that make the highest bar. */
const HIGH = 24;

/** A row of the table: its label, and what it says of a side. */
type Row = readonly [label: string, cell: (tally: Tally) => Span];

const ROWS: readonly (Row | undefined)[] = [
  ["calls made", ({ made }) => plain(made)],
  ["answered", ({ answered }) => plain(answered)],
  ["failed", ({ failed }) => fault(failed)],
  ["failed, yet carried out", ({ unknown }) => fault(unknown)],
  undefined,
  ["events sent", ({ sent }) => plain(sent)],
  ["heard, in order", ({ heard }) => plain(heard)],
  ["missed", ({ missed }) => fault(missed)],
  undefined,
  ["drops", ({ drops }) => plain(drops)],
  ["resumed", ({ resumed, name }) => name === "mcp" ? dim("cannot") : plain(resumed)],
  ["sent again for that", ({ replayed, name }) => name === "mcp" ? dim("none") : plain(replayed)],
  ["latency, median · worst", ({ latencies }) => latency(latencies)],
];

/**
 * The screen, in 24 lines of at most 80 columns.
 *
 * @param scene What is shown.
 * @returns The lines.
 */
export function draw({ elapsed, isUp, sides, journal }: Scene): Line[] {
  const link = isUp ? { text: "● the link is up", tone: "good" } as const : {
    text: "○ the link is down",
    tone: "bad",
  } as const;
  const lines: Line[] = [
    [bold("The same calls over the same bad link"), dim(`   ${seconds(elapsed)}   `), link],
    [],
    [label(""), ...sides.map(heading)],
  ];
  for (const row of ROWS) {
    lines.push(row === undefined ? [] : [label(row[0]), ...sides.map((side) => pad(row[1](side)))]);
  }
  lines.push([]);
  for (const { name, moments } of sides) {
    lines.push([dim(name.padEnd(12)), ...moments.slice(-BAR_COUNT).map(bar)]);
  }
  lines.push([]);
  const recent = journal.slice(-JOURNAL_LINES);
  for (let i = 0; i < JOURNAL_LINES; i++) lines.push([dim(recent[i] ?? "")]);
  lines.push([dim("Ctrl-C ends it.")]);
  return lines;
}

/** One line about both sides, for where nothing can be drawn. */
export function report({ elapsed, sides }: Scene): string {
  const words = sides.map(({ name, answered, failed, drops, missed }) =>
    `${name}: ${answered} answered, ${failed} failed, ${count(missed, "event")} missed, ${
      count(drops, "drop")
    }`
  );
  return `${seconds(elapsed)}  ${words.join(" | ")}`;
}

/** What it came to. */
export function summarise(sides: readonly Tally[], elapsed: number): Line[] {
  return [
    [bold(`After ${seconds(elapsed).trim()}`)],
    ...sides.map((side) => [
      pad(plain(side.name), 12),
      isWhole(side)
        ? { text: "nothing lost    ", tone: "good" } as const
        : { text: "something lost  ", tone: "bad" } as const,
      plain(summaryOf(side)),
    ]),
  ];
}

function summaryOf(
  { made, answered, failed, unknown, sent, heard, drops, replayed, repeated }: Tally,
): string {
  const calls = `${answered} of ${made} calls answered`;
  const failures = failed === 0 ? "" : `, ${failed} failed (${unknown} carried out all the same)`;
  const twice = repeated === 0 ? "" : `, ${repeated} carried out twice`;
  const again = replayed === 0 ? "" : `, ${count(replayed, "message")} sent again`;
  return `${calls}${failures}${twice}, ${heard} of ${sent} events, ${count(drops, "drop")}${again}`;
}

function heading({ name, isConnected }: Tally): Span {
  return pad(bold(`${name} ${isConnected ? "●" : "○"}`));
}

function latency(latencies: readonly number[]): Span {
  if (latencies.length === 0) return dim("–");
  const worst = Math.max(...latencies);
  return plain(`${median(latencies).toFixed(0)} · ${worst.toFixed(0)} ms`);
}

function bar({ answered, failed }: Moment): Span {
  if (failed > 0) return { text: "×", tone: "bad" };
  if (answered === 0) return dim("·");
  const height = Math.min(BARS.length - 1, Math.floor(answered / HIGH * BARS.length));
  return { text: BARS[height] ?? "", tone: "good" };
}

function fault(number: number): Span {
  return { text: format(number), tone: number === 0 ? "good" : "bad" };
}

function plain(value: number | string): Span {
  return { text: typeof value === "number" ? format(value) : value, tone: "plain" };
}

function dim(text: string): Span {
  return { text, tone: "dim" };
}

function bold(text: string): Span {
  return { text, tone: "bold" };
}

function label(text: string): Span {
  return dim(text.padEnd(LABEL_WIDTH));
}

function pad({ text, tone }: Span, width = COLUMN_WIDTH): Span {
  return { text: text.padEnd(width), tone };
}

function format(number: number): string {
  return number.toLocaleString("en");
}

/** A time in words that are always as wide. */
export function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`.padStart(8);
}
