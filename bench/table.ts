import type { Row } from "./ratios.ts";

const HEAD = [
  "figure",
  "over",
  "ours",
  "against",
  "its",
  "ratio [p10–p90]",
  "of runs",
  "goal",
  "met?",
];
/** Columns of numbers, which are flush right. */
const NUMBERS: ReadonlySet<number> = new Set([2, 4, 5, 6]);

/**
 * The rows as a table in Markdown, which reads well in a terminal, too. What
 * is worth a word is said below it.
 *
 * @param rows The rows.
 * @returns The text.
 */
export function formatTable(rows: readonly Row[]): string {
  const cells = [HEAD, ...rows.map(formatRow)];
  const widths = HEAD.map((_, i) => Math.max(...cells.map((row) => row[i]?.length ?? 0)));
  const lines = cells.map((row) => `| ${row.map((cell, i) => pad(cell, i)).join(" | ")} |`);
  lines.splice(1, 0, `|${widths.map((width) => "-".repeat(width + 2)).join("|")}|`);
  const notes = rows.filter(({ note }) => note !== undefined)
    .map(({ name, note }) => `${name}: ${note}.`);
  return [...lines, "", ...notes].join("\n").trimEnd();

  function pad(cell: string, column: number): string {
    const width = widths[column] ?? 0;
    return NUMBERS.has(column) ? cell.padStart(width) : cell.padEnd(width);
  }
}

function formatRow(row: Row): string[] {
  const { name, unit, over, against, ours, floor, ratio, goals, isMet, spread } = row;
  return [
    name,
    over,
    formatValue(ours, unit),
    against,
    floor === undefined ? "" : formatValue(floor, unit),
    ratio === undefined ? "" : formatRange(ratio.median, [ratio.p10, ratio.p90]),
    spread === undefined ? "" : spread.ratio.map(formatRatio).join("–"),
    goals.map(({ text }) => text).join(", "),
    isMet === undefined ? "" : isMet ? "yes" : "NO",
  ];
}

function formatRange(median: number, ends: readonly number[]): string {
  return `${formatRatio(median)} [${ends.map(formatRatio).join("–")}]`;
}

function formatRatio(ratio: number): string {
  return ratio.toFixed(ratio < 0.1 ? 4 : 2);
}

function formatValue(value: number, unit: Row["unit"]): string {
  switch (unit) {
    case "ms":
      return `${value.toFixed(3)} ms`;
    case "µs":
    case "B":
    case "KiB":
      return `${value.toFixed(1)} ${unit}`;
    case "/s":
      return `${Math.round(value).toLocaleString("en")} /s`;
  }
}
