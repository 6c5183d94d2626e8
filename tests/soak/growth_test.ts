import { assertEquals } from "@std/assert";
import type { Memory } from "../chaos/support/memory.ts";
import { type Bounds, growthOf } from "./_growth.ts";

const MIB = 1024 * 1024;
const BOUNDS: Bounds = { rise: MIB, drift: 2 * MIB, rss: 20 * MIB };

/** Ten points. */
function points(each: (index: number) => Partial<Memory>): Memory[] {
  return Array.from({ length: 10 }, (_, index) => {
    return { heapUsed: 10 * MIB, rss: 80 * MIB, external: 2 * MIB, ...each(index) };
  });
}

Deno.test("growthOf() says nothing of memory that is flat after the warm-up", () => {
  const warm = points((index) => ({ heapUsed: Math.min(index, 3) * 10 * MIB }));
  assertEquals(growthOf("server", warm, BOUNDS), []);
  const noisy = points((index) => ({ heapUsed: (index % 2) * MIB, rss: (index % 3) * 9 * MIB }));
  assertEquals(growthOf("server", noisy, BOUNDS), []);
});

Deno.test("growthOf() names what keeps rising", () => {
  const leaky = points((index) => ({ heapUsed: index * MIB }));
  assertEquals(growthOf("server", leaky, BOUNDS), [
    "server: heapUsed rises by 5.0 MiB, at most 1.0 MiB",
    "server: heapUsed drifts by 10.0 MiB, at most 2.0 MiB",
  ]);
  const buffers = points((index) => ({ external: index * MIB, rss: index * 5 * MIB }));
  assertEquals(growthOf("client", buffers, BOUNDS), [
    "client: external rises by 5.0 MiB, at most 1.0 MiB",
    "client: external drifts by 10.0 MiB, at most 2.0 MiB",
    "client: rss rises by 25.0 MiB, at most 20.0 MiB",
  ]);
});

Deno.test("growthOf() takes no single point for a rise", () => {
  for (const peak of [3, 6, 9]) {
    const once = points((index) => ({ heapUsed: index === peak ? 1.5 * MIB : 0 }));
    assertEquals(growthOf("server", once, BOUNDS), []);
  }
});

Deno.test("growthOf() names a drift that the last point hides", () => {
  const hidden = points((index) => ({ heapUsed: index === 9 ? 0 : Math.max(index - 5, 0) * MIB }));
  assertEquals(growthOf("server", hidden, BOUNDS), [
    "server: heapUsed drifts by 2.9 MiB, at most 2.0 MiB",
  ]);
});

Deno.test("growthOf() says so where nothing was measured", () => {
  assertEquals(growthOf("server", [], BOUNDS).length, 5);
});
