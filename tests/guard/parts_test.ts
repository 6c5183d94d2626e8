import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { AwakeClock } from "../../guard/awake_clock.ts";
import { readLimit } from "../../guard/descriptors.ts";
import { Gatekeeper } from "../../guard/gatekeeper.ts";
import { Intake } from "../../guard/intake.ts";
import { defaultConnections, resolveGuardOptions } from "../../guard/options.ts";
import { Outlet } from "../../guard/outlet.ts";
import { Tickets } from "../../guard/tickets.ts";
import { ManualClock } from "../support/manual_clock.ts";

Deno.test("Gatekeeper.admit() counts in all and by address, until the place is freed", () => {
  const gate = new Gatekeeper({ maxConnections: 3, maxConnectionsPerAddress: 2 });
  const first = gate.admit("a");
  assert(typeof first !== "string" && typeof gate.admit("a") !== "string");
  assertEquals(gate.admit("a"), "address");
  const other = gate.admit("b");
  assert(typeof other !== "string");
  assertEquals(gate.admit("c"), "full");
  assertEquals([gate.connections, gate.addresses], [3, 2]);
  other.release();
  other.release();
  assertEquals([gate.connections, gate.addresses], [2, 1]);
  first.release();
  assert(typeof gate.admit("a") !== "string");
});

Deno.test("Gatekeeper.admit() counts nobody's address where there is none", () => {
  const gate = new Gatekeeper({ maxConnections: 3, maxConnectionsPerAddress: 1 });
  const passes = [gate.admit(undefined), gate.admit(undefined), gate.admit(undefined)];
  assertEquals(passes.map((pass) => typeof pass), ["object", "object", "object"]);
  assertEquals([gate.admit(undefined), gate.addresses], ["full", 0]);
});

Deno.test("Tickets.admit() tells the address once, and refuses everybody else", async () => {
  const tickets = new Tickets();
  const peer = { transport: "tcp", hostname: "10.0.0.9", port: 4 } as const;
  const inner = tickets.admit((_request, { remoteAddr }) => new Response(remoteAddr.hostname));
  const ask = async (ticket: string) => {
    const request = new Request("http://x/", { headers: { "Bowline-Guard": ticket } });
    const response = await inner(request, { completed: Promise.resolve() });
    return [response.status, (await response.text()).trim()];
  };
  const ticket = tickets.issue(peer);
  assertEquals(await ask(`${ticket}, ${ticket}`), [403, "This way in is closed"]);
  assertEquals(await ask(ticket), [200, "10.0.0.9"]);
  assertEquals((await ask(ticket))[0], 403);
  assertEquals((await ask(""))[0], 403);
  const revoked = tickets.issue(peer);
  tickets.revoke(revoked);
  assertEquals([(await ask(revoked))[0], tickets.open], [403, 0]);
});

Deno.test("Intake.read() has a small buffer until there is more to read, and again after a quiet time", async () => {
  const intake = new Intake();
  const sizes: number[] = [];
  let available = 1_000_000;
  const source = {
    read(buffer: Uint8Array) {
      sizes.push(buffer.length);
      return Promise.resolve(Math.min(buffer.length, available));
    },
  };
  assertEquals((await intake.read(source))?.length, 4_096);
  assertEquals((await intake.read(source))?.length, 65_536);
  available = 10;
  for (let i = 0; i < 65; i++) await intake.read(source);
  assertEquals(sizes.slice(-2), [65_536, 4_096]);
  assertEquals(await intake.read({ read: () => Promise.resolve(null) }), null);
});

Deno.test("Outlet.write() knows how long it waits, and whether the peer let it go on", async () => {
  const clock = new ManualClock();
  const waits: PromiseWithResolvers<number>[] = [];
  const sink = {
    write() {
      const wait = Promise.withResolvers<number>();
      waits.push(wait);
      return wait.promise;
    },
  };
  const outlet = new Outlet(sink, clock);
  const start = clock.now();
  const written = outlet.write(new Uint8Array(10));
  assertEquals(outlet.waitingSince, start);
  waits[0]?.resolve(4);
  await waits[0]?.promise;
  assertEquals(outlet.yieldedAt, 0);
  await Promise.resolve();
  clock.advance(50);
  waits[1]?.resolve(6);
  await written;
  assertEquals([outlet.waitingSince, outlet.yieldedAt], [undefined, start + 50]);
  const failed = outlet.write(new Uint8Array(1));
  waits[2]?.reject(new TypeError("gone"));
  await assertRejects(() => failed, TypeError, "gone");
  assertEquals(outlet.waitingSince, undefined);
});

Deno.test("defaultConnections() fits three descriptors for each, with TLS five, and spares some", () => {
  const table: [boolean, number | undefined, number][] = [
    [true, 1_024, 298],
    [false, 1_024, 179],
    [true, 1_048_576, 10_000],
    [true, undefined, 10_000],
    [true, 64, 1],
  ];
  for (const [isPlain, limit, expected] of table) {
    assertEquals(defaultConnections(isPlain, limit), expected);
  }
});

Deno.test("readLimit() reads the limit that is in force", () => {
  const text =
    "Max processes 10 20 x\nMax open files            1024                 4096      files\n";
  assertEquals(readLimit(text), 1_024);
  assertEquals(readLimit("Max open files            unlimited            unlimited"), undefined);
});

Deno.test("resolveGuardOptions() refuses what makes no sense, and says what it was", () => {
  const refused = (options: Parameters<typeof resolveGuardOptions>[0], text: string) =>
    assertThrows(() => resolveGuardOptions(options), Error, text);
  for (
    const option of [
      "headerTimeout",
      "answerTimeout",
      "messageTimeout",
      "idleTimeout",
      "writeTimeout",
    ]
  ) {
    const text = `Cannot start guard as "${option}" must be a positive number: current value is 0`;
    refused({ [option]: 0 }, text);
  }
  const counts = ["maxHeaderBytes", "maxMessageBytes", "maxFragments", "maxUnfinishedBytes"];
  const more = ["maxConnections", "maxConnectionsPerAddress", "maxHandshakes", "acceptsPerSecond"];
  for (const option of [...counts, ...more]) {
    const text =
      `Cannot start guard as "${option}" must be a positive integer: current value is 1.5`;
    refused({ [option]: 1.5 }, text);
  }
  refused({ cert: "x" }, '"cert" and "key" need each other');
  refused({ inner: "loopback", socketDir: "/run/x" }, '"socketDir" needs "inner" to be "unix"');
  assertEquals(resolveGuardOptions({ idleTimeout: false }).idleTimeout, false);
});

Deno.test("AwakeClock.now() follows the clock, but not over a pause without a tick", () => {
  const clock = new ManualClock();
  const awake = new AwakeClock(clock, 1_000);
  clock.advance(900);
  assertEquals(awake.now(), 900);
  awake.tick();
  clock.advance(3_600_000);
  assertEquals(awake.now(), 1_900);
  awake.tick();
  clock.advance(100);
  assertEquals(awake.now(), 2_000);
});
