import { assert, assertEquals } from "@std/assert";
import { STRANGERS } from "../../server/mod.ts";
import { resolveHandlerOptions } from "../../server/options.ts";

Deno.test("STRANGERS sets bounds that are valid, and tighter than the defaults", () => {
  const strict = resolveHandlerOptions(STRANGERS);
  const open = resolveHandlerOptions({});
  for (const name of ["maxMessageBytes", "maxInFlight"] as const) {
    assert(strict[name] < open[name], name);
  }
  for (const name of ["maxWaitingMessages", "maxWaitingBytes", "maxBytesPerPrincipal"] as const) {
    assert(strict.session![name] < open.session![name], name);
  }
  for (const name of ["messageBytes", "bufferBytes", "bufferMessages"] as const) {
    assert(strict.session!.limits[name] < open.session!.limits[name], name);
  }
  assertEquals([open.rate, strict.rate], [undefined, {
    messages: { perSecond: 2_000 },
    bytes: { perSecond: 8_388_608 },
  }]);
});
