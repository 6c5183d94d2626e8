import { assert, assertEquals, assertMatch, assertNotMatch, assertThrows } from "@std/assert";
import { drawChart, toBars } from "../../bench/chart.ts";
import { findBehind, isBehind } from "../../bench/check.ts";
import { atLeast, atMost, below, type Goal, type Unit } from "../../bench/goals.ts";
import type { Machine } from "../../bench/machine.ts";
import { judge, type Row } from "../../bench/ratios.ts";
import { writeReport } from "../../bench/report.ts";
import { mergeRuns } from "../../bench/runs.ts";

const SIDES = { over: "bowline.v1", against: "bare socket" } as const;
const MACHINE: Machine = {
  cpu: "cpu",
  cores: 2,
  os: "linux",
  load: 0,
  deno: "2",
  v8: "1",
  node: undefined,
  files: 1_024,
};

function row(name: string, unit: Unit, ratio: number, goals: readonly Goal[] = []): Row {
  const noise = { median: ratio, p10: ratio * 0.8, p90: ratio * 1.25 };
  return judge({ name, unit, ...SIDES, goals }, { ours: ratio * 2, floor: 2, ratio: noise });
}

Deno.test("isBehind() wants nine pairs in ten on the wrong side", () => {
  const noise = { median: 1, p10: 0.9, p90: 1.1 };
  assertEquals(isBehind(noise, { is: "at least", ratio: 1.05 }), false);
  assertEquals(isBehind(noise, { is: "at least", ratio: 1.2 }), true);
  assertEquals(isBehind(noise, { is: "at most", ratio: 0.95 }), false);
  assertEquals(isBehind(noise, { is: "at most", ratio: 0.8 }), true);
});

Deno.test("findBehind() names what is behind, the goal and the noise", () => {
  const rows = [
    row("met", "/s", 2, [atLeast(1)]),
    row("within noise", "ms", 1.2, [atMost(1.1)]),
    row("behind", "/s", 0.5, [atLeast(1)]),
    row("absolute", "ms", 9, [below(1)]),
    { ...row("no ratio", "ms", 9, [atMost(1)]), ratio: undefined },
  ];
  assertEquals(findBehind(rows), [
    "behind, against bare socket: the ratio must be at least 1: it is 0.50 (p10 0.40, p90 0.63)",
  ]);
});

Deno.test("mergeRuns() takes medians, judges again, and tells how far the runs lie apart", () => {
  const runs = [1.4, 0.9, 1.1].map((ratio) => [row("rate", "/s", ratio, [atLeast(1)])]);
  const [merged] = mergeRuns(runs);
  assertEquals(merged?.ratio?.median, 1.1);
  assertEquals(merged?.ours, 2.2);
  assertEquals(merged?.isMet, true);
  assertEquals(merged?.spread, { runs: 3, ours: [1.8, 2.8], ratio: [0.9, 1.4] });
});

Deno.test("mergeRuns() leaves a single run as it is", () => {
  const rows = [row("rate", "/s", 1)];
  assertEquals(mergeRuns([rows]), rows);
  assertThrows(() => mergeRuns([]), RangeError, "there are none");
});

Deno.test("toBars() shows rivals without a goal", () => {
  const [bar] = toBars([{ ...row("rate", "/s", 3), against: "other" }]);
  assertEquals([bar?.name, bar?.times, bar?.goal], ["rate · other", 3, undefined]);
});

Deno.test("toBars() turns times over, so that more is better, and leaves out what says nothing", () => {
  const bars = toBars([
    row("time", "ms", 0.25, [below(3), atMost(0.5)]),
    row("rate", "/s", 4, [atLeast(2)]),
    row("size", "B", 2),
    row("neither goal nor rival", "/s", 2),
  ]);
  assertEquals(bars.map(({ name, times, goal }) => [name, times, goal]), [
    ["time · bare socket", 4, 2],
    ["rate · bare socket", 4, 2],
  ]);
  for (const { times, noise } of bars) {
    assert(Math.min(...noise) < times && times < Math.max(...noise));
  }
});

Deno.test("toBars() is ahead where all goals are met, and without a goal where ours is better", () => {
  const bars = toBars([
    row("met in time", "ms", 2.5, [below(6)]),
    row("missed in time", "ms", 2.5, [below(5)]),
    { ...row("better", "ms", 0.5), against: "other" },
    { ...row("worse", "ms", 2), against: "other" },
  ]);
  assertEquals(bars.map(({ isAhead }) => isAhead), [true, false, true, false]);
  assertEquals(bars[0]?.other, "< 6 ms");
});

Deno.test("drawChart() draws a bar for each ratio, a tick for each goal, and escapes text", () => {
  const rows = [row("a < b", "/s", 3, [atLeast(2)]), { ...row("c", "/s", 0.5), against: "other" }];
  const svg = drawChart("Title & more", rows);
  assertEquals(svg.match(/<rect /g)?.length, 2);
  assertEquals(svg.match(/class="goal"/g)?.length, 1);
  assertMatch(svg, /Title &amp; more/);
  assertMatch(svg, /a &lt; b/);
  assertMatch(svg, /prefers-color-scheme: dark/);
  assertNotMatch(svg, /NaN|Infinity|undefined/);
});

Deno.test("drawChart() draws a chart without any ratio, too", () => {
  assertNotMatch(drawChart("Nothing", []), /NaN|Infinity|undefined/);
});

Deno.test("writeReport() writes the numbers and the chart", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await writeReport(folder, MACHINE, [row("rate", "/s", 2, [atLeast(1)])]);
    const { machine, rows } = JSON.parse(await Deno.readTextFile(`${folder}/benchmark.json`));
    assertEquals(machine.cores, 2);
    assertEquals(rows[0].goals, [{ text: "≥ 1.00 ×", bound: { is: "at least", ratio: 1 } }]);
    assertMatch(await Deno.readTextFile(`${folder}/benchmark.svg`), /^<svg /);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
