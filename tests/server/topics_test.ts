import { assert, assertEquals, assertThrows } from "@std/assert";
import { MCPCapacityError } from "../../protocol/errors.ts";
import { resolveHandlerOptions } from "../../server/options.ts";
import { resolveSubscriptionLimits, Topics } from "../../server/topics.ts";
import { randomInteger, seededRandom } from "../support/random.ts";

const BOUNDS = resolveSubscriptionLimits({});

Deno.test("Topics.join() says whether the member is new to the topic", () => {
  const topics = new Topics<object>(BOUNDS);
  const [ada, bob] = [{}, {}];
  assertEquals([topics.join(ada, "a"), topics.join(ada, "a"), topics.join(bob, "a")], [
    true,
    false,
    true,
  ]);
  assertEquals([...topics.membersOf("a")], [ada, bob]);
  assertEquals(topics.membersOf("b").size, 0);
  assertEquals(topics.size, 1);
});

Deno.test("Topics.leave() says whether the member was in the topic, and forgets empty topics", () => {
  const topics = new Topics<object>(BOUNDS);
  const ada = {};
  topics.join(ada, "a");
  topics.join(ada, "b");
  assertEquals([topics.leave({}, "a"), topics.leave(ada, "c")], [false, false]);
  assertEquals([topics.leave(ada, "a"), topics.leave(ada, "a")], [true, false]);
  assertEquals([topics.size, topics.membersOf("b").has(ada)], [1, true]);
});

Deno.test("Topics.forget() takes the member out of all topics, and returns them", () => {
  const topics = new Topics<object>(BOUNDS);
  const [ada, bob] = [{}, {}];
  for (const topic of ["a", "b"]) topics.join(ada, topic);
  topics.join(bob, "b");
  assertEquals(topics.forget(ada), ["a", "b"]);
  assertEquals(topics.forget(ada), []);
  assertEquals([topics.size, [...topics.membersOf("b")]], [1, [bob]]);
});

Deno.test("Topics.join() refuses names that are empty or too long", () => {
  const topics = new Topics<object>({ ...BOUNDS, maxLength: 3 });
  assert(topics.join({}, "abc"));
  for (const [topic, length] of [["", 0], ["abcd", 4]] as const) {
    const text =
      `Cannot subscribe as the name must have 1 to 3 characters: current length is ${length}`;
    assertThrows(() => topics.join({}, topic), RangeError, text);
  }
  assertEquals(topics.size, 1);
});

Deno.test("Topics.join() bounds the topics of an owner, however many members it has", () => {
  const topics = new Topics<{ owner: object }>(
    { ...BOUNDS, maxPerSession: 2 },
    ({ owner }) => owner,
  );
  const owner = {};
  const [first, second] = [{ owner }, { owner }];
  topics.join(first, "a");
  topics.join(second, "a");
  const error = assertThrows(() => topics.join(first, "b"), MCPCapacityError, "may have 2");
  assertEquals(error.limit, 2);
  assert(topics.join({ owner: {} }, "b"));
  topics.forget(second);
  assert(topics.join(first, "b"));
});

Deno.test("Topics.join() bounds the topics in all, and lets everybody into those there are", () => {
  const topics = new Topics<object>({ ...BOUNDS, maxInAll: 2 });
  const ada = {};
  for (const topic of ["a", "b"]) topics.join(ada, topic);
  const error = assertThrows(() => topics.join({}, "c"), MCPCapacityError, "may be 2 names");
  assertEquals(error.limit, 2);
  assert(topics.join({}, "b"));
  topics.leave(ada, "a");
  assert(topics.join({}, "c"));
});

Deno.test("Topics agrees with a plain list of pairs over 20,000 random steps, and ends empty", () => {
  const random = seededRandom(7);
  const pick = (end: number) => randomInteger(random, end);
  const members = Array.from({ length: 5 }, (_, id) => ({ id }));
  const topics = new Topics<{ id: number }>({ maxPerSession: 4, maxInAll: 6, maxLength: 9 });
  const pairs = new Set<string>();
  for (let step = 0; step < 20_000; step++) {
    const member = members[pick(5)]!;
    const topic = `t${pick(9)}`;
    const pair = `${member.id} ${topic}`;
    const mine = [...pairs].filter((known) => known.startsWith(`${member.id} `));
    const names = new Set([...pairs].map((known) => known.split(" ")[1]));
    switch (pick(7)) {
      case 0:
        assertEquals(topics.forget(member).length, mine.length);
        for (const known of mine) pairs.delete(known);
        break;
      case 1:
      case 2:
        assertEquals(topics.leave(member, topic), pairs.delete(pair));
        break;
      default:
        if (pairs.has(pair)) assertEquals(topics.join(member, topic), false);
        else if (mine.length < 4 && (names.has(topic) || names.size < 6)) {
          assertEquals(topics.join(member, topic), true);
          pairs.add(pair);
        } else assertThrows(() => topics.join(member, topic), MCPCapacityError);
    }
    const now = new Set([...pairs].map((known) => known.split(" ")[1]));
    assertEquals(topics.size, now.size);
    assertEquals(topics.membersOf(topic).has(member), pairs.has(pair));
  }
  for (const member of members) topics.forget(member);
  assertEquals(topics.size, 0);
});

Deno.test("resolveHandlerOptions() refuses limits of subscriptions that are no positive integers", () => {
  for (const name of ["maxPerSession", "maxInAll", "maxLength"]) {
    for (const value of [0, -1, 1.5, NaN]) {
      assertThrows(
        () => resolveHandlerOptions({ subscriptions: { [name]: value } }),
        RangeError,
        `Cannot create handler as "subscriptions.${name}" must be a positive integer: current value is ${value}`,
      );
    }
  }
});
