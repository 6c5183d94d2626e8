import { assertEquals, assertMatch, assertNotEquals, assertThrows } from "@std/assert";
import { MCPCapacityError } from "../../../protocol/errors.ts";
import { Tickets, type TicketsOptions } from "../../../server/auth/tickets.ts";

const ADA = { id: "ada", scopes: ["tools"] };

/** Tickets whose time the test moves. */
function create(options: TicketsOptions = {}): { tickets: Tickets; pass: (ms: number) => void } {
  let now = 0;
  return { tickets: new Tickets({ now: () => now, ...options }), pass: (ms) => now += ms };
}

Deno.test("Tickets lets a ticket in once", () => {
  const { tickets } = create();
  const ticket = tickets.mint(ADA);
  assertMatch(ticket, /^[A-Za-z0-9_-]{43}$/);
  assertEquals(tickets.redeem(ticket), ADA);
  assertEquals(tickets.redeem(ticket), undefined);
  assertEquals(tickets.size, 0);
});

Deno.test("Tickets remembers the principal as it was", () => {
  const { tickets } = create();
  const principal = { id: "ada" };
  const ticket = tickets.mint(principal);
  principal.id = "eve";
  assertEquals(tickets.redeem(ticket), { id: "ada" });
});

Deno.test("Tickets draws 256 bits that nobody can guess", () => {
  const tickets = new Tickets();
  assertNotEquals(tickets.mint(ADA), tickets.mint(ADA));
  const zeros = new Tickets({ random: (bytes) => bytes });
  assertEquals(zeros.mint(ADA), "A".repeat(43));
});

Deno.test("Tickets refuses a ticket that has expired", () => {
  const { tickets, pass } = create();
  const [early, late, short] = [
    tickets.mint(ADA),
    tickets.mint(ADA),
    tickets.mint(ADA, { ttl: 5 }),
  ];
  pass(5);
  assertEquals(tickets.redeem(short), undefined);
  pass(14_994);
  assertEquals(tickets.redeem(early), ADA);
  pass(1);
  assertEquals(tickets.redeem(late), undefined);
  assertEquals(tickets.size, 0);
});

Deno.test("Tickets refuses what is no ticket", () => {
  const { tickets } = create();
  tickets.mint(ADA);
  for (const text of ["", "x", "A".repeat(43), "A".repeat(44), `${"A".repeat(42)}=`, "__proto__"]) {
    assertEquals(tickets.redeem(text), undefined);
  }
});

Deno.test("Tickets bounds a flood, in all and of one principal, and recovers without a timer", () => {
  const { tickets, pass } = create({ maxTickets: 5, maxTicketsPerPrincipal: 3 });
  const mine = [1, 2, 3].map(() => tickets.mint(ADA));
  const crowded = assertThrows(() => tickets.mint(ADA), MCPCapacityError);
  assertEquals(crowded.message, "Cannot mint ticket as 3 are open for this principal already");
  tickets.mint({ id: "eve" });
  tickets.mint({ id: "eve" });
  const full = assertThrows(() => tickets.mint({ id: "bob" }), MCPCapacityError);
  assertEquals([full.message, full.limit], ["Cannot mint ticket as 5 are open already", 5]);
  assertEquals(tickets.redeem(mine[1] ?? ""), ADA);
  tickets.mint(ADA);
  assertEquals(tickets.size, 5);
  pass(15_000);
  tickets.mint({ id: "bob" });
  assertEquals(tickets.size, 1);
});

Deno.test("Tickets keeps no ticket, only its hash", () => {
  const { tickets } = create();
  const ticket = tickets.mint(ADA);
  const maps: unknown[] = [];
  const { set } = Map.prototype;
  Map.prototype.set = function (key, value) {
    maps.push([key, value]);
    return set.call(this, key, value);
  };
  try {
    const second = tickets.mint(ADA);
    assertEquals([ticket, second].some((text) => JSON.stringify(maps).includes(text)), false);
    assertEquals(maps.length > 0, true);
  } finally {
    Map.prototype.set = set;
  }
});

Deno.test("Tickets refuses what is no bound, ttl or principal", () => {
  for (const options of [{ ttl: 0 }, { maxTickets: -1 }, { maxTicketsPerPrincipal: NaN }]) {
    assertThrows(() => create(options), RangeError, "must be positive");
  }
  const { tickets } = create();
  for (const ttl of [0, -1, NaN, 15_001, Infinity]) {
    assertThrows(() => tickets.mint(ADA, { ttl }), RangeError, "(0, 15000]");
  }
  assertThrows(() => tickets.mint({ id: "" }), TypeError, '"id"');
});
