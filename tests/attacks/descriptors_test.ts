// deno-lint-ignore-file no-console -- figures are part of what these tests tell
import { assert, assertEquals } from "@std/assert";
import { openArena } from "./support/arena.ts";
import type { Intruder } from "./support/intruder.ts";
import { Victim } from "./support/victim_process.ts";

const DESCRIPTORS = 80;

Deno.test("a server whose file descriptors are used up serves those it has, and accepts again afterwards", async () => {
  const victim = await Victim.open({ descriptors: DESCRIPTORS });
  await using arena = await openArena({ ground: victim });
  const logged = (text: string) => victim.capture.log.filter((line) => line.includes(text)).length;

  const crowd: Intruder[] = [];
  while (logged("Listening failed") === 0 && crowd.length < 4 * DESCRIPTORS) {
    const intruder = await arena.connectRaw().catch(() => undefined);
    // While nobody listens there is nothing to use up.
    if (intruder === undefined) await arena.served(1);
    else crowd.push(intruder);
    await arena.levels();
  }
  assert(logged("Listening failed") > 0, `${crowd.length} connections did not suffice`);
  await arena.served(10);
  for (const intruder of crowd) intruder.close();

  let answer: unknown;
  while (answer === undefined) {
    try {
      const newcomer = await (await arena.connectRaw()).open();
      await newcomer.message({ id: 1, method: "ping" });
      answer = (await newcomer.readAnswer(1)).result;
    } catch {
      await arena.served(1);
    }
  }
  assertEquals(answer, {});
  console.log({ connections: crowd.length, listenedAgain: logged("Listening again on port") });
  await arena.end();
});
