import { assertEquals, assertThrows } from "@std/assert";
import { Admission, type AdmissionOptions, type Place } from "../../server/admission.ts";

const OFF = {
  maxConnectionsPerAddress: false,
  upgradesPerAddress: false,
  upgrades: false,
  maxUnauthenticated: false,
} as const;

/** An admission whose time the test moves. */
function create(options: AdmissionOptions): { admission: Admission; pass: (ms: number) => void } {
  let now = 0;
  const admission = new Admission(options, () => now);
  return { admission, pass: (ms) => now += ms };
}

function enter(admission: Admission, address: string | undefined): Place {
  const decision = admission.admit(address);
  if (decision.type === "admit") return decision.place;
  throw new Error(`Refused: ${decision.reason}`);
}

Deno.test("Admission bounds the connections of an address", () => {
  const { admission } = create({ ...OFF, maxConnectionsPerAddress: 2 });
  const first = enter(admission, "192.0.2.1");
  enter(admission, "192.0.2.1");
  assertEquals(admission.admit("192.0.2.1"), {
    type: "refuse",
    status: 429,
    reason: "Too many connections from this address",
    retryAfterMs: 5_000,
  });
  enter(admission, "192.0.2.2");
  first.release();
  enter(admission, "192.0.2.1");
  assertEquals(admission.admit("192.0.2.1").type, "refuse");
});

Deno.test("Admission frees a place once, however often it is released", () => {
  const { admission } = create({ ...OFF, maxConnectionsPerAddress: 2 });
  const place = enter(admission, "192.0.2.1");
  enter(admission, "192.0.2.1");
  place.release();
  place.release();
  place.authenticated();
  assertEquals(admission.unauthenticated, 1);
  enter(admission, "192.0.2.1");
  assertEquals(admission.admit("192.0.2.1").type, "refuse");
});

Deno.test("Admission counts the network of an IPv6 client as one address", () => {
  const { admission } = create({ ...OFF, maxConnectionsPerAddress: 1 });
  enter(admission, "2001:db8:0:1::1");
  assertEquals(admission.admit("2001:db8:0:1:ffff::2").type, "refuse");
  enter(admission, "2001:db8:0:2::1");
  enter(admission, "::ffff:192.0.2.1");
  assertEquals(admission.admit("192.0.2.1").type, "refuse");
});

Deno.test("Admission does not count this machine, and what is unknown", () => {
  const { admission } = create({
    maxConnectionsPerAddress: 1,
    upgradesPerAddress: { perSecond: 1 },
  });
  for (const address of ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", undefined]) {
    for (let i = 0; i < 3; i++) enter(admission, address);
  }
  assertEquals(admission.addresses, 0);
});

Deno.test("Admission bounds the upgrades of an address, and takes nothing from others", () => {
  const { admission, pass } = create({
    ...OFF,
    upgradesPerAddress: { perSecond: 2, burst: 3 },
    upgrades: { perSecond: 4 },
  });
  for (let i = 0; i < 3; i++) enter(admission, "192.0.2.1");
  for (let i = 0; i < 10; i++) {
    assertEquals(admission.admit("192.0.2.1"), {
      type: "refuse",
      status: 429,
      reason: "Too many upgrades from this address",
      retryAfterMs: 500,
    });
  }
  enter(admission, "192.0.2.2");
  pass(500);
  enter(admission, "192.0.2.1");
});

Deno.test("Admission bounds the upgrades of all", () => {
  const { admission, pass } = create({ ...OFF, upgrades: { perSecond: 4, burst: 2 } });
  enter(admission, "192.0.2.1");
  enter(admission, undefined);
  assertEquals(admission.admit("192.0.2.2"), {
    type: "refuse",
    status: 503,
    reason: "Too many upgrades",
    retryAfterMs: 250,
  });
  pass(250);
  enter(admission, "192.0.2.2");
});

Deno.test("Admission bounds the connections of which it is not known whose they are", () => {
  const { admission } = create({ ...OFF, maxUnauthenticated: 2 });
  const first = enter(admission, "192.0.2.1");
  const second = enter(admission, undefined);
  assertEquals(admission.unauthenticated, 2);
  const refusal = admission.admit("192.0.2.2");
  assertEquals(refusal.type === "refuse" && [refusal.status, refusal.reason], [
    503,
    "Too many connections are being opened",
  ]);
  first.authenticated();
  first.authenticated();
  assertEquals(admission.unauthenticated, 1);
  enter(admission, "192.0.2.2");
  assertEquals(admission.admit("192.0.2.2").type, "refuse");
  second.release();
  second.authenticated();
  first.release();
  assertEquals(admission.unauthenticated, 1);
});

Deno.test("Admission forgets addresses without a connection, the oldest first", () => {
  const { admission } = create({ ...OFF, upgradesPerAddress: { perSecond: 1 }, maxAddresses: 2 });
  const place = enter(admission, "192.0.2.1");
  for (let i = 2; i < 100; i++) enter(admission, `192.0.2.${i}`).release();
  // Whoever is forgotten has a new rate; whoever is not, has none left.
  assertEquals(admission.addresses, 3);
  assertEquals(admission.admit("192.0.2.99").type, "refuse");
  assertEquals(admission.admit("192.0.2.1").type, "refuse");
  place.release();
  assertEquals(admission.addresses, 2);
  assertEquals(admission.admit("192.0.2.2").type, "admit");
});

Deno.test("Admission forgets by itself those of whom there is nothing to remember", () => {
  const { admission, pass } = create({ ...OFF, upgradesPerAddress: { perSecond: 10 } });
  for (let i = 1; i <= 50; i++) enter(admission, `192.0.2.${i}`).release();
  assertEquals(admission.addresses, 50);
  pass(100);
  for (let i = 51; i <= 76; i++) enter(admission, `192.0.2.${i}`);
  assertEquals(admission.addresses, 26);
});

Deno.test("Admission keeps its count over a random walk", () => {
  const { admission, pass } = create({ maxConnectionsPerAddress: 3, maxUnauthenticated: 20 });
  const held = new Map<string, Place[]>();
  const next = (() => {
    let seed = 1;
    return (bound: number) => (seed = (seed * 48_271) % 2_147_483_647) % bound;
  })();
  for (let step = 0; step < 20_000; step++) {
    const address = `198.51.100.${next(20)}`;
    const places = held.get(address) ?? [];
    held.set(address, places);
    pass(next(20));
    if (next(2) === 0) places.splice(next(4), 1)[0]?.release();
    else {
      const decision = admission.admit(address);
      if (decision.type === "admit") places.push(decision.place);
      else if (decision.reason.startsWith("Too many connections from")) {
        assertEquals(places.length, 3);
      }
    }
    if (next(3) === 0) places[0]?.authenticated();
    assertEquals(places.length <= 3 && admission.unauthenticated <= 20, true);
  }
  for (const place of [...held.values()].flat()) place.release();
  assertEquals(admission.unauthenticated, 0);
});

Deno.test("new Admission() refuses what is no bound", () => {
  const table: [options: AdmissionOptions, name: string][] = [
    [{ maxConnectionsPerAddress: 0 }, "maxConnectionsPerAddress"],
    [{ maxUnauthenticated: 1.5 }, "maxUnauthenticated"],
    [{ maxAddresses: -1 }, "maxAddresses"],
    [{ upgrades: { perSecond: 0 } }, "perSecond"],
    [{ upgradesPerAddress: { perSecond: 1, burst: NaN } }, "burst"],
  ];
  for (const [options, name] of table) {
    assertThrows(() => create(options), RangeError, `"${name}"`);
  }
});
