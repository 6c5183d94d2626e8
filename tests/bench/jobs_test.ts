import { assertEquals, assertThrows } from "@std/assert";
import { parseBenchOptions } from "../../bench/bench_options.ts";
import { atMost, below } from "../../bench/goals.ts";
import { figureJob, type Job, runGroups, scaled } from "../../bench/jobs.ts";
import { Stage } from "../../bench/stage.ts";

function job(name: string, goals = [below(1)]): Job {
  const block = () => Promise.resolve(1);
  return figureJob({
    name,
    unit: "ms",
    over: "bowline.v1",
    against: "bare socket",
    goals,
    pairs: 1,
    warmUps: 0,
    ours: block,
    floor: block,
  });
}

function thing(log: string[], name: string): () => Promise<AsyncDisposable> {
  return () => {
    log.push(`open ${name}`);
    const close = () => Promise.resolve(void log.push(`close ${name}`));
    return Promise.resolve({ [Symbol.asyncDispose]: close });
  };
}

Deno.test("Stage opens what is asked for, once, and closes the last first", async () => {
  const log: string[] = [];
  {
    await using stage = new Stage();
    const [first, second] = ["first", "second"].map((name) => stage.lazy(thing(log, name)));
    stage.lazy(thing(log, "never"));
    await first?.();
    await second?.();
    await first?.();
  }
  assertEquals(log, ["open first", "open second", "close second", "close first"]);
});

Deno.test("runGroups() runs the jobs that are wanted, and closes a group before the next", async () => {
  const log: string[] = [];
  const group = (name: string) => (stage: Stage) => {
    const open = stage.lazy(thing(log, name));
    const run = async () => {
      await open();
      return await job(name).run();
    };
    return [{ ...job(name), run }, { ...job(`${name}, other`), run }];
  };
  const isWanted = ({ names }: Job) => !names[0]?.includes("other");
  const scale = { pairs: 1, calls: 1 };
  const rows = await runGroups(
    [group("a"), group("b")],
    scale,
    isWanted,
    (name) => log.push(name.split(" ")[0] ?? ""),
  );
  assertEquals(rows.map(({ name }) => name), ["a", "b"]);
  assertEquals(log, ["a", "open a", "close a", "b", "open b", "close b"]);
});

Deno.test("figureJob() knows whether a goal is about the ratio", () => {
  assertEquals(job("time").hasBound, false);
  assertEquals(job("ratio", [below(1), atMost(1)]).hasBound, true);
});

Deno.test("scaled() leaves at least one", () => {
  assertEquals([1_000, 10].map((count) => scaled(count, { pairs: 1, calls: 0.01 })), [10, 1]);
});

Deno.test("parseBenchOptions() measures everything once by default", () => {
  assertEquals(parseBenchOptions([]), {
    pairs: undefined,
    only: [],
    runs: 1,
    out: undefined,
    isCheck: false,
  });
});

Deno.test("parseBenchOptions() reads what is to be measured, and how often", () => {
  const args = "--check --only SDK --only idle --pairs 5 --runs 3 --out /tmp".split(" ");
  assertEquals(parseBenchOptions(args), {
    pairs: 5,
    only: ["SDK", "idle"],
    runs: 3,
    out: "/tmp",
    isCheck: true,
  });
});

Deno.test("parseBenchOptions() refuses a number that is none, and what it does not know", () => {
  assertThrows(() => parseBenchOptions(["--pairs", "0"]), RangeError, "it is 0");
  assertThrows(() => parseBenchOptions(["--runs", "many"]), RangeError, "it is many");
  assertThrows(() => parseBenchOptions(["--fast"]), TypeError);
});
