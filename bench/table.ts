import type { Row } from "./ratios.ts";

const HEAD = ["figure", "ours", "floor", "ratio [p10–p90]", "goal", "met?"];

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
    return column >= 1 && column <= 3 ? cell.padStart(width) : cell.padEnd(width);
  }
}

function formatRow({ name, unit, ours, floor, ratio, goal, isMet }: Row): string[] {
  return [
    name,
    formatValue(ours, unit),
    floor === undefined ? "" : formatValue(floor, unit),
    ratio === undefined
      ? ""
      : `${ratio.median.toFixed(2)} [${ratio.p10.toFixed(2)}–${ratio.p90.toFixed(2)}]`,
    goal,
    isMet === undefined ? "" : isMet ? "yes" : "NO",
  ];
}

function formatValue(value: number, unit: Row["unit"]): string {
  return unit === "ms" ? `${value.toFixed(3)} ms` : `${Math.round(value).toLocaleString("en")} /s`;
}
