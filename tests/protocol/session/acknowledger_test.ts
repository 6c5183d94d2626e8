import { assertEquals } from "@std/assert";
import { Acknowledger } from "../../../protocol/session/acknowledger.ts";
import type { SessionLimits } from "../../../protocol/session/limits.ts";
import { limits } from "./_wires.ts";

/** After how many messages of so many units the peer has to be told. */
function countUntilDue(some: Partial<SessionLimits>, units: number): number {
  const acknowledger = new Acknowledger(limits(some));
  while (!acknowledger.isDue) acknowledger.deliver(units);
  return acknowledger.delivered;
}

Deno.test("Acknowledger.tell() returns the count, and there is no news until the next message", () => {
  const acknowledger = new Acknowledger(limits());
  assertEquals([acknowledger.delivered, acknowledger.hasNews, acknowledger.tell()], [0, false, 0]);
  acknowledger.deliver(1);
  acknowledger.deliver(0);
  assertEquals([acknowledger.delivered, acknowledger.hasNews], [2, true]);
  assertEquals([acknowledger.tell(), acknowledger.hasNews, acknowledger.tell()], [2, false, 2]);
});

Deno.test("Acknowledger.isDue after 256 messages, or a quarter of a smaller window", () => {
  const table: [bufferMessages: number, due: number][] = [
    [4_096, 256],
    [1_024, 256],
    [1_020, 255],
    [64, 16],
    [8, 2],
    [7, 1],
    [1, 1],
    [2 ** 40, 256],
    [Infinity, 256],
  ];
  for (const [bufferMessages, due] of table) {
    assertEquals(countUntilDue({ bufferMessages }, 1), due, `${bufferMessages}`);
  }
});

Deno.test("Acknowledger.isDue after 32 KiB or a quarter of the window, in UTF-16 units", () => {
  const table: [bufferBytes: number, units: number, due: number][] = [
    [4_000, 100, 10],
    [4_000, 999, 2],
    [4_000, 1_000, 1],
    [4_000, 1_001, 1],
    [2 ** 32, 2 ** 14, 2],
    [2 ** 32, 2 ** 15, 1],
  ];
  for (const [bufferBytes, units, due] of table) {
    assertEquals(countUntilDue({ bufferBytes }, units), due, `${bufferBytes}, ${units}`);
  }
});

Deno.test("Acknowledger.isDue again only when as much has come in since", () => {
  const acknowledger = new Acknowledger(limits({ bufferMessages: 16, bufferBytes: 400 }));
  for (let n = 0; n < 4; n++) acknowledger.deliver(1);
  assertEquals(acknowledger.isDue, true);
  acknowledger.tell();
  assertEquals(acknowledger.isDue, false);
  acknowledger.deliver(99);
  assertEquals(acknowledger.isDue, false);
  acknowledger.deliver(1);
  assertEquals(acknowledger.isDue, true);
});

Deno.test("Acknowledger.agree() follows the smaller window of both ends", () => {
  const acknowledger = new Acknowledger(limits({ bufferMessages: 400, bufferBytes: 4_000 }));
  acknowledger.agree(limits({ bufferMessages: 8, bufferBytes: 8_000 }));
  acknowledger.deliver(1);
  assertEquals(acknowledger.isDue, false);
  acknowledger.deliver(1);
  assertEquals(acknowledger.isDue, true);
  acknowledger.agree(limits({ bufferMessages: 800, bufferBytes: 40 }));
  acknowledger.tell();
  acknowledger.deliver(9);
  assertEquals(acknowledger.isDue, false);
  acknowledger.deliver(1);
  assertEquals(acknowledger.isDue, true);
});
