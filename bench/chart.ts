import type { Unit } from "./goals.ts";
import type { Row } from "./ratios.ts";

const WIDTH = 960;
const LINE = 20;
const TOP = 56;
const BOTTOM = 24;
/** Where the bars are: left of them names, right of them numbers. */
const LEFT = 400;
const RIGHT = 810;
const LEGEND =
  "Times as good as what is behind the dot. Green: its goals are met, or better where " +
  "there is none. Purple: the goal. Thin line: p10 to p90 of the pairs.";
const STYLE = `
    text { font: 12px system-ui, sans-serif; fill: #1f2328; }
    .title { font-weight: 600; font-size: 15px; }
    .faint { fill: #59636e; }
    .end { text-anchor: end; }
    .middle { text-anchor: middle; }
    .ahead { fill: #1a7f37; }
    .behind { fill: #bc4c00; }
    .grid { stroke: #d1d9e0; }
    .even { stroke: #59636e; }
    .noise { stroke: #1f2328; stroke-opacity: 0.55; }
    .goal { stroke: #8250df; stroke-width: 2.5; }
    @media (prefers-color-scheme: dark) {
      text { fill: #f0f6fc; }
      .faint { fill: #9198a1; }
      .ahead { fill: #2ea043; }
      .behind { fill: #db6d28; }
      .grid { stroke: #3d444d; }
      .even { stroke: #9198a1; }
      .noise { stroke: #f0f6fc; }
      .goal { stroke: #ab7df8; }
    }
`;

/** What stands beside ours without being a rival: without a goal it says nothing in a chart. */
const YARDSTICKS: readonly string[] = ["bare socket", "plain mcp"];

/** One bar: how many times better ours is. */
export interface Bar {
  /** What is compared, and with what. */
  readonly name: string;
  /** How many times better; below 1 it is worse. */
  readonly times: number;
  /** How the pairs scatter: both ends. */
  readonly noise: readonly number[];
  /** What is wanted of it, if anything. */
  readonly goal: number | undefined;
  /** What is wanted besides, such as a time. */
  readonly other: string | undefined;
  /** Whether all that is wanted is met; if nothing is, whether ours is better. */
  readonly isAhead: boolean;
}

/**
 * Bars of the ratios of speed that have a goal, or a rival. Times are turned
 * over: more is better for all.
 *
 * @param rows What was measured.
 * @returns A bar for each.
 */
export function toBars(rows: readonly Row[]): Bar[] {
  return rows.flatMap(({ name, against, unit, ratio, goals, isMet }) => {
    if (ratio === undefined || unit === "B" || unit === "KiB") return [];
    if (goals.length === 0 && YARDSTICKS.includes(against)) return [];
    const bound = goals.find(({ bound }) => bound !== undefined)?.bound;
    const times = better(ratio.median, unit);
    return [{
      name: `${name} · ${against}`,
      times,
      noise: [ratio.p10, ratio.p90].map((end) => better(end, unit)),
      goal: bound && better(bound.ratio, unit),
      other: goals.find(({ bound }) => bound === undefined)?.text,
      isAhead: isMet ?? times >= 1,
    }];
  });
}

/**
 * Draws bars on a logarithmic scale, the goal of each as a tick. Follows the
 * reader's light or dark theme.
 *
 * @param title What it shows.
 * @param rows What was measured.
 * @returns The text of an SVG.
 */
export function drawChart(title: string, rows: readonly Row[]): string {
  const bars = toBars(rows);
  const height = TOP + bars.length * LINE + BOTTOM;
  const all = bars.flatMap(({ times, noise, goal }) => [times, ...noise, goal ?? 1]);
  const scale = createScale(Math.min(0.5, ...all), Math.max(2, ...all));
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img">`,
    `  <title>${escape(title)}</title>`,
    `  <style>${STYLE}  </style>`,
    `  <text class="title" x="12" y="22">${escape(title)}</text>`,
    `  <text class="faint" x="12" y="40">${LEGEND}</text>`,
    ...scale.marks.map((mark) => drawMark(mark, scale.x(mark), height)),
    ...bars.map((bar, i) => drawBar(bar, scale.x, TOP + i * LINE)),
    "</svg>",
    "",
  ].join("\n");
}

/** Where a ratio is drawn, and the powers that are marked. */
interface ChartScale {
  readonly x: (times: number) => number;
  readonly marks: readonly number[];
}

function createScale(least: number, greatest: number): ChartScale {
  const from = Math.log10(least);
  const width = Math.log10(greatest) - from;
  const marks = [0.01, 0.1, 0.5, 1, 2, 10, 100, 1_000, 10_000];
  return {
    x: (times) => round(LEFT + (Math.log10(times) - from) / width * (RIGHT - LEFT)),
    marks: marks.filter((mark) => mark >= least && mark <= greatest),
  };
}

function drawMark(mark: number, x: number, height: number): string {
  const end = height - BOTTOM;
  return `  <line class="${mark === 1 ? "even" : "grid"}" x1="${x}" y1="${TOP - 4}" x2="${x}"` +
    ` y2="${end}" /><text class="faint middle" x="${x}" y="${end + 16}">${mark} ×</text>`;
}

function drawBar(bar: Bar, x: ChartScale["x"], y: number): string {
  const { name, times, noise, goal, isAhead } = bar;
  const start = Math.min(x(1), x(times));
  const width = Math.max(1, round(Math.abs(x(times) - x(1))));
  const [from = times, to = times] = noise;
  const middle = y + LINE / 2 - 2;
  return [
    `  <text class="end" x="${LEFT - 10}" y="${y + 12}">${escape(name)}</text>`,
    `  <rect class="${isAhead ? "ahead" : "behind"}" x="${start}" y="${y + 2}"` +
    ` width="${width}" height="12" />`,
    `  <line class="noise" x1="${x(from)}" y1="${middle}" x2="${x(to)}" y2="${middle}" />`,
    ...goal === undefined
      ? []
      : [`  <line class="goal" x1="${x(goal)}" y1="${y}" x2="${x(goal)}" y2="${y + 16}" />`],
    `  <text class="faint" x="${RIGHT + 12}" y="${y + 12}">${escape(describe(bar))}</text>`,
  ].join("\n");
}

function describe({ times, goal, other }: Bar): string {
  if (goal !== undefined) return `${formatTimes(times)} of ${formatTimes(goal)}`;
  return other === undefined ? formatTimes(times) : `${formatTimes(times)}, ${other}`;
}

/** Rates are better when they are more, times when they are less. */
function better(ratio: number, unit: Unit): number {
  return unit === "/s" ? ratio : 1 / ratio;
}

function formatTimes(times: number): string {
  return `${times >= 100 ? Math.round(times) : times.toFixed(2)} ×`;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
