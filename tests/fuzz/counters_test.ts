import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { Tickets } from "../../server/auth/tickets.ts";
import { Admission, type Place } from "../../server/admission.ts";
import { TokenBucket } from "../../server/token_bucket.ts";
import { fuzz } from "./_fuzz.ts";

const NETWORKS = ["192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8::2", "127.0.0.1", undefined];
/** By what the addresses above are counted; the last two are not. */
const KEYS = ["192.0.2.1", "192.0.2.2", "2001:db8::/64", "2001:db8::/64"];
const MAX_PER_ADDRESS = 3;
const MAX_UNAUTHENTICATED = 5;
const MAX_ADDRESSES = 2;

/** A connection, as the model sees it. */
interface Visit {
  readonly key: string | undefined;
  isKnown: boolean;
}

/** What is true of an {@linkcode Admission}, kept in the simplest way. */
interface Model {
  readonly visits: Map<Place, Visit>;
  now: number;
}

/** The subject, with the places that were given. */
class Door {
  now = 0;
  readonly admission = new Admission({
    maxConnectionsPerAddress: MAX_PER_ADDRESS,
    maxUnauthenticated: MAX_UNAUTHENTICATED,
    maxAddresses: MAX_ADDRESSES,
    upgrades: false,
    upgradesPerAddress: { perSecond: 10, burst: 6 },
  }, () => this.now);
  readonly places: Place[] = [];
}

type DoorCommand = fc.Command<Model, Door>;

function check({ visits }: Model, { admission }: Door): void {
  const open = [...visits.values()];
  const unknown = open.filter(({ isKnown }) => !isKnown).length;
  assertEquals(admission.unauthenticated, unknown);
  assert(unknown <= MAX_UNAUTHENTICATED);
  const keys = new Set(open.flatMap(({ key }) => key ?? []));
  assert(admission.addresses >= keys.size);
  assert(admission.addresses <= keys.size + MAX_ADDRESSES);
  for (const key of keys) {
    assert(open.filter((visit) => visit.key === key).length <= MAX_PER_ADDRESS);
  }
}

class Enter implements DoorCommand {
  constructor(readonly index: number) {}
  check = () => true;
  run(model: Model, door: Door): void {
    const decision = door.admission.admit(NETWORKS[this.index]);
    const key = KEYS[this.index];
    const open = [...model.visits.values()];
    const isFull = open.filter((visit) => visit.key === key).length >= MAX_PER_ADDRESS;
    const isBusy = open.filter(({ isKnown }) => !isKnown).length >= MAX_UNAUTHENTICATED;
    if (decision.type === "admit") {
      assert(!isBusy && !(key !== undefined && isFull));
      door.places.push(decision.place);
      model.visits.set(decision.place, { key, isKnown: false });
    } else {
      assert(decision.retryAfterMs > 0 && decision.retryAfterMs <= 5_000);
      assert(isBusy || key !== undefined, "Only an address has a rate");
    }
    check(model, door);
  }
  toString = () => `enter(${NETWORKS[this.index]})`;
}

class Leave implements DoorCommand {
  constructor(readonly index: number, readonly times: number) {}
  check = () => true;
  run(model: Model, door: Door): void {
    const place = door.places[this.index % door.places.length];
    for (let time = 0; time < this.times; time++) place?.release();
    if (place !== undefined) model.visits.delete(place);
    check(model, door);
  }
  toString = () => `leave(${this.index}, ${this.times} times)`;
}

class Authenticate implements DoorCommand {
  constructor(readonly index: number) {}
  check = () => true;
  run(model: Model, door: Door): void {
    const place = door.places[this.index % door.places.length];
    place?.authenticated();
    const visit = place && model.visits.get(place);
    if (visit !== undefined) visit.isKnown = true;
    check(model, door);
  }
  toString = () => `authenticate(${this.index})`;
}

class Pass implements DoorCommand {
  constructor(readonly ms: number) {}
  check = () => true;
  run(model: Model, door: Door): void {
    door.now += this.ms;
    check(model, door);
  }
  toString = () => `pass(${this.ms})`;
}

const doorCommands = fc.commands<Model, Door>([
  fc.nat(NETWORKS.length - 1).map((index) => new Enter(index)),
  fc.tuple(fc.nat(20), fc.integer({ min: 1, max: 3 })).map(([i, times]) => new Leave(i, times)),
  fc.nat(20).map((index) => new Authenticate(index)),
  fc.nat(2_000).map((ms) => new Pass(ms)),
], { maxCommands: 40 });

fuzz(
  "Admission counts right, keeps every bound, and forgets all when all have left",
  3_000,
  fc.property(doorCommands, (commands) => {
    const door = new Door();
    fc.modelRun(() => ({ model: { visits: new Map(), now: 0 }, real: door }), commands);
    for (const place of door.places) place.release();
    assertEquals(door.admission.unauthenticated, 0);
    assert(door.admission.addresses <= MAX_ADDRESSES);
    door.now += 60_000;
    // Each visitor sweeps one or two of those that have nothing to be remembered for.
    for (let i = 0; i < MAX_ADDRESSES; i++) door.admission.admit("198.51.100.1");
    assert(door.admission.addresses <= 1);
  }),
);

const rate = fc.record({
  perSecond: fc.integer({ min: 1, max: 1_000 }),
  burst: fc.integer({ min: 1, max: 1_000 }),
});
const takes = fc.array(
  fc.record({ ms: fc.integer({ min: -50, max: 3_000 }), amount: fc.integer({ min: 0, max: 500 }) }),
  { maxLength: 40 },
);

fuzz(
  "TokenBucket lets through no more than its burst and its rate, and waits exactly as long as it says",
  6_000,
  fc.property(rate, takes, (options, steps) => {
    const bucket = new TokenBucket(options, 0);
    let now = 0;
    let elapsed = 0;
    let passed = 0;
    let largest = 0;
    for (const { ms, amount } of steps) {
      now += ms;
      elapsed += Math.max(0, ms);
      largest = Math.max(largest, amount);
      const wait = bucket.wait(now, amount);
      assert(wait >= 0 && Number.isInteger(wait));
      const hasPassed = bucket.take(now, amount);
      assertEquals(hasPassed, wait === 0);
      if (hasPassed) passed += amount;
      const bound = options.burst + elapsed * options.perSecond / 1_000;
      // What is larger than the burst passes a full bucket, which owes the rest.
      assert(passed <= bound + Math.max(0, largest - options.burst) + 1e-6);
    }
    const wait = bucket.wait(now, 1);
    if (wait > 1) assert(!bucket.take(now + wait - 2));
    assert(bucket.take(now + wait + 1));
    const left = bucket.wait(now + wait + 1, 1);
    assertEquals(bucket.wait(now - 1_000, 1), left, "Time that runs backwards changes nothing");
  }),
);

const TTL = 100;
const mintOrRedeem = fc.array(
  fc.oneof(
    fc.record({ type: fc.constant("mint" as const), who: fc.constantFrom("ada", "__proto__", "") }),
    fc.record({ type: fc.constant("redeem" as const), index: fc.nat(12) }),
    fc.record({ type: fc.constant("pass" as const), ms: fc.nat(80) }),
  ),
  { maxLength: 40 },
);

fuzz(
  "Tickets are good once and in time, and bounded in number, for each principal too",
  4_000,
  fc.property(mintOrRedeem, (steps) => {
    let now = 0;
    const tickets = new Tickets({
      ttl: TTL,
      maxTickets: 5,
      maxTicketsPerPrincipal: 3,
      now: () => now,
    });
    const open = new Map<string, { who: string; until: number }>();
    const all: string[] = [];
    for (const step of steps) {
      if (step.type === "pass") now += step.ms;
      else if (step.type === "redeem") {
        const ticket = all[step.index] ?? "none";
        const known = open.get(ticket);
        const expected = known !== undefined && known.until > now ? known.who : undefined;
        assertEquals(tickets.redeem(ticket)?.id, expected);
        open.delete(ticket);
      } else {
        const live = [...open.values()].filter(({ until }) => until > now);
        const own = live.filter(({ who }) => who === step.who).length;
        const isFull = live.length >= 5 || own >= 3 || step.who === "";
        const ticket = mint(tickets, step.who);
        assertEquals(ticket === undefined, isFull);
        if (ticket === undefined) continue;
        all.push(ticket);
        open.set(ticket, { who: step.who, until: now + TTL });
      }
      assert(tickets.size <= 5);
    }
  }),
);

function mint(tickets: Tickets, id: string): string | undefined {
  try {
    return tickets.mint({ id });
  } catch {
    return undefined;
  }
}
