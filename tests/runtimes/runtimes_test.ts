import { assertEquals, assertMatch } from "@std/assert";
import { expectedSteps } from "./_expected.ts";
import { findRuntime, type Runtime, RUNTIMES } from "./_runtimes.ts";
import { bundleScenario, Stage } from "./_stage.ts";

let folder = "";
let bundle = "";

Deno.test.beforeAll(async () => {
  folder = await Deno.makeTempDir({ prefix: "bowline_runtimes_" });
  bundle = await bundleScenario(folder);
});

Deno.test.afterAll(() => Deno.remove(folder, { recursive: true }));

for (const runtime of RUNTIMES) {
  const path = findRuntime(runtime);
  if (path === undefined) {
    const reason = `not installed: ${runtime.variable} is not set, nothing at ${runtime.places}`;
    Deno.test.ignore(`client in ${runtime.name} (${reason})`, () => {});
  } else Deno.test(`client in ${runtime.name}`, (test) => playAndCheck(runtime, path, test));
}

async function playAndCheck(
  runtime: Runtime,
  path: string,
  test: Deno.TestContext,
): Promise<void> {
  await using stage = await Stage.open(bundle);
  const { report, complaints } = await runtime.play(path, stage);
  await test.step("ends by itself, without a complaint", () => assertEquals(complaints, []));
  await test.step(`is ${runtime.name}`, () => assertMatch(report.agent, runtime.agent));
  const expected = expectedSteps(runtime.abilities);
  for (const [name, sight] of Object.entries(report.steps)) {
    await test.step(name, () => assertEquals(sight, expected[name]));
  }
  assertEquals(Object.keys(report.steps), Object.keys(expected));
}
