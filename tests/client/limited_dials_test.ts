import { assert, assertEquals, assertRejects } from "@std/assert";
import { DialLimitError } from "../../client/dial_limit.ts";
import type { WebSocketClientOptions } from "../../client/options.ts";
import { WebSocketClientTransport } from "../../client/transport.ts";
import { UrlPolicyError } from "../../client/url_policy.ts";
import { MCPConnectionError } from "../../protocol/errors.ts";
import { ManualClock } from "../support/manual_clock.ts";
import { ScriptedServer } from "../support/scripted_server.ts";
import { SessionServer } from "../support/session_server.ts";
import { until } from "../support/until.ts";

/** Reconnects at once. */
const EAGER = { immediate: [], minDelay: 1, maxDelay: 1, attempts: 1_000 };

/** A port at which nobody listens. */
function closedPort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

Deno.test("start() is refused after ten failed dials in a minute, with the time to wait", async () => {
  const clock = new ManualClock();
  const port = closedPort();
  await using transport = new WebSocketClientTransport(`ws://127.0.0.1:${port}/`, { clock });
  for (let dial = 0; dial < 10; dial++) {
    await assertRejects(() => transport.start(), MCPConnectionError);
    clock.advance(1_000);
  }
  const error = await assertRejects(() => transport.start(), DialLimitError);
  assertEquals([error.kind, error.retryAfter, error.retryable], ["capacity", 50_000, true]);
  assertEquals(transport.getStats().attempts, 10);
  clock.advance(50_000);
  await assertRejects(() => transport.start(), MCPConnectionError);
  await assertRejects(() => transport.start(), DialLimitError);
});

Deno.test("start() is never refused with dialLimit: false", async () => {
  const options = { dialLimit: false } as const;
  await using transport = new WebSocketClientTransport(`ws://127.0.0.1:${closedPort()}/`, options);
  for (let dial = 0; dial < 12; dial++) {
    await assertRejects(() => transport.start(), MCPConnectionError, "Cannot connect to");
  }
});

Deno.test("start() waits with excess: wait, and can be given up", async () => {
  const clock = new ManualClock();
  await using server = new ScriptedServer(async (visit) => {
    if (visit.number === 1) return await visit.refuse(500);
    await visit.accept();
    await visit.end();
  });
  await using transport = new WebSocketClientTransport(server.url, {
    dialLimit: { maxFailures: 1, window: 5_000, excess: "wait" },
    clock,
  });
  await assertRejects(() => transport.start(), MCPConnectionError);
  const controller = new AbortController();
  const given = transport.start({ signal: controller.signal });
  controller.abort(new Error("enough"));
  await assertRejects(() => given, Error, "enough");
  const start = transport.start();
  assertEquals(server.visits, 1);
  clock.advance(5_000);
  await start;
  assertEquals(server.visits, 2);
});

Deno.test("dials that the policy refuses, or that are given up, do not count", async () => {
  await using server = new ScriptedServer((visit) => visit.end());
  const answers: string[][] = [["10.0.0.1"], ["10.0.0.1"]];
  await using transport = new WebSocketClientTransport(`ws://localhost:${server.port}/`, {
    dialLimit: { maxFailures: 1 },
    urlPolicy: {
      environment: "production",
      allowedAddresses: ["loopback"],
      resolveName: () => Promise.resolve(answers.shift() ?? ["127.0.0.1"]),
    },
  });
  for (const _ of [...answers]) await assertRejects(() => transport.start(), UrlPolicyError);
  for (let dial = 1; dial <= 2; dial++) {
    const controller = new AbortController();
    const start = transport.start({ signal: controller.signal });
    await until(() => server.visits === dial);
    controller.abort(new Error("enough"));
    await assertRejects(() => start, Error, "enough");
  }
});

Deno.test("sessions that are welcomed and cut at once do not count", async () => {
  await using server = new SessionServer(async (visit) => {
    await visit.open();
    if (visit.number > 15) await visit.end();
  });
  const options: WebSocketClientOptions = { reconnect: EAGER, dialLimit: { maxFailures: 2 } };
  await using transport = new WebSocketClientTransport(server.url, options);
  await transport.start();
  await until(() => server.visits.length > 15);
});

Deno.test("connections that are cut before the welcome count, and the next dial waits", async () => {
  const clock = new ManualClock();
  await using server = new SessionServer(async (visit) => {
    await visit.greet();
    if (visit.number < 3) return;
    await visit.welcome();
    await visit.end();
  });
  await using transport = new WebSocketClientTransport(server.url, {
    reconnect: EAGER,
    dialLimit: { maxFailures: 2, window: 1_000_000 },
    clock,
  });
  await transport.start();
  await until(() => server.visits.length === 2 && transport.state.status === "reconnecting");
  await transport.close();
  const error = await assertRejects(() => transport.start(), DialLimitError);
  assert(error.retryAfter > 0);
  assertEquals(server.visits.length, 2);
  clock.advance(1_000_000);
  await transport.start();
  await until(() => transport.session !== undefined && server.visits.length === 3);
});
