import { assert, assertEquals } from "@std/assert";
import { RequestMeter, UNMEASURED } from "../../client/request_meter.ts";
import { ManualClock } from "../support/manual_clock.ts";

function makeMeter() {
  const clock = new ManualClock();
  const meter = new RequestMeter(() => clock.now());
  const take = (ms: number, isError = false) => {
    const startedAt = meter.started();
    clock.advance(ms);
    meter.answered(startedAt, isError);
  };
  return { clock, meter, take };
}

Deno.test("RequestMeter knows neither rate nor latency before the first answer", () => {
  const { meter } = makeMeter();
  meter.started();
  assertEquals(meter.stats, {
    requestsSettled: 0,
    requestsFailed: 0,
    errorRate: undefined,
    requestLatency: undefined,
  });
});

Deno.test("RequestMeter takes errors and losses for failures", () => {
  const { meter, take } = makeMeter();
  take(1);
  take(1);
  take(1, true);
  meter.started();
  meter.lost();
  const { requestsSettled, requestsFailed, errorRate } = meter.stats;
  assertEquals([requestsSettled, requestsFailed, errorRate], [4, 2, 0.5]);
});

Deno.test("RequestMeter gives the latencies that so many requests do not exceed", () => {
  const { meter, take } = makeMeter();
  for (let ms = 100; ms >= 1; ms--) take(ms);
  assertEquals(meter.stats.requestLatency, { p50: 50, p90: 90, p99: 99, samples: 100 });
  assert(Object.isFrozen(meter.stats.requestLatency));
});

Deno.test("RequestMeter gives the one latency it has for all of them", () => {
  const { meter, take } = makeMeter();
  take(7);
  assertEquals(meter.stats.requestLatency, { p50: 7, p90: 7, p99: 7, samples: 1 });
});

Deno.test("RequestMeter measures the first 512 requests, then every eighth", () => {
  const { meter } = makeMeter();
  const measured: number[] = [];
  for (let n = 0; n < 600; n++) if (meter.started() !== UNMEASURED) measured.push(n);
  assertEquals(measured.length, 512 + 11);
  assertEquals(measured.slice(511, 515), [511, 512, 520, 528]);
});

Deno.test("RequestMeter keeps the newest samples, in bounded memory", () => {
  const { meter, take } = makeMeter();
  for (let n = 0; n < 512; n++) take(1_000);
  for (let n = 0; n < 512 * 8; n++) take(2);
  assertEquals(meter.stats.requestLatency, { p50: 2, p90: 2, p99: 2, samples: 512 });
});

Deno.test("RequestMeter counts what it does not measure", () => {
  const { meter } = makeMeter();
  meter.answered(UNMEASURED, true);
  const { errorRate, requestLatency } = meter.stats;
  assertEquals([errorRate, requestLatency], [1, undefined]);
});
