import { assertEquals, assertMatch } from "@std/assert";
import { RunningCommand } from "../support/running_command.ts";
import { isWhole, type Tally } from "../../examples/demo/tally.ts";
import { draw, type Line, summarise } from "../../examples/demo/view.ts";

const DEMO = "examples/demo/main.ts";
const NET = ["--allow-net=127.0.0.1"];

function tally(changes: Partial<Tally> = {}): Tally {
  return {
    name: "bowline.v1",
    isConnected: true,
    made: 1_234_567,
    answered: 1_234_567,
    failed: 0,
    unknown: 0,
    repeated: 0,
    sent: 200,
    heard: 200,
    missed: 0,
    drops: 3,
    resumed: 3,
    replayed: 12,
    latencies: [30, 10, 20],
    moments: Array.from({ length: 200 }, (_, i) => ({ answered: i, failed: i % 2 })),
    ...changes,
  };
}

const textOf = (line: Line) => line.map(({ text }) => text).join("");

Deno.test("the demo loses nothing in a session, and ends by itself", async () => {
  await using demo = new RunningCommand(DEMO, ["--seconds", "3"], { permissions: NET });
  assertEquals([await demo.exit(), demo.stderr], [0, []]);
  const [ours = "", others = ""] = demo.stdout.slice(-2);
  const [, answered, made, heard, sent] =
    /^bowline\.v1 +nothing lost +(\d+) of (\d+) calls answered, (\d+) of (\d+) events, \d+ drops?/
      .exec(ours) ?? [];
  assertEquals([Number(answered) > 0, answered, heard], [true, made, sent], ours);
  assertMatch(others, /^mcp +\w+ lost +\d+ of \d+ calls answered/);
  assertMatch(demo.stdout.join("\n"), /the link breaks\n[^]*bowline\.v1 has resumed/);
  assertEquals(demo.stdout.filter((line) => line.includes("\x1b")), []);
});

Deno.test("the demo ends with its summary when it is interrupted", async () => {
  await using demo = new RunningCommand(DEMO, [], { permissions: NET });
  await demo.wrote(demo.stdout, /0 answered/);
  demo.kill("SIGINT");
  assertEquals(await demo.exit(), 0);
  assertMatch(demo.stdout.at(-2) ?? "", /^bowline\.v1 +nothing lost/);
});

Deno.test("the demo refuses a duration that is none", async () => {
  await using demo = new RunningCommand(DEMO, ["--seconds", "soon"], { permissions: NET });
  assertEquals(await demo.exit(), 1);
  assertMatch(demo.stderr.join("\n"), /"--seconds" must be a positive number: it is "soon"/);
});

Deno.test("isWhole() wants every call answered once, and every event heard", () => {
  assertEquals(isWhole(tally()), true);
  const losses = [{ answered: 1 }, { failed: 1 }, { repeated: 1 }, { heard: 199 }];
  for (const loss of losses) assertEquals(isWhole(tally(loss)), false, JSON.stringify(loss));
});

Deno.test("draw() fits a terminal of 80 columns and 24 lines", () => {
  const sides = [tally(), tally({ name: "mcp", failed: 12_345, unknown: 12_345 })];
  const journal = Array.from({ length: 9 }, () => "   12.3 s  bowline.v1 has resumed");
  const lines = draw({ elapsed: 123_456, isUp: false, sides, journal }).map(textOf);
  assertEquals(lines.length, 24);
  assertEquals(lines.filter((line) => line.trimEnd().length > 80), []);
});

Deno.test("summarise() says what is lost", () => {
  const lines = summarise([tally({ failed: 2, unknown: 1, answered: 8, made: 10 })], 3_000);
  assertMatch(textOf(lines[1] ?? []), /something lost +8 of 10 calls answered, 2 failed \(1 /);
});
