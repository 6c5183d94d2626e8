import { assertEquals } from "@std/assert";
import { Queue } from "../../../protocol/session/queue.ts";
import { randomInteger, seededRandom } from "../../support/random.ts";

Deno.test("Queue.shift() gives the items in the order in which they were pushed", () => {
  const queue = new Queue<number>();
  for (let n = 0; n < 3; n++) queue.push(n);
  assertEquals([queue.first, queue.size], [0, 3]);
  assertEquals([queue.shift(), queue.shift(), queue.shift(), queue.shift()], [0, 1, 2, undefined]);
  assertEquals([queue.first, queue.size], [undefined, 0]);
});

Deno.test("Queue.shift() takes an item that is undefined, too", () => {
  const queue = new Queue<number | undefined>();
  queue.push(undefined);
  queue.push(1);
  assertEquals([queue.shift(), queue.size, queue.shift(), queue.size], [undefined, 1, 1, 0]);
});

Deno.test("Queue.prepend() adds items in front, in their order", () => {
  const queue = new Queue<string>();
  for (const item of ["gone", "c", "d"]) queue.push(item);
  queue.shift();
  queue.prepend(["a", "b"]);
  queue.prepend([]);
  assertEquals(queue.drain(), ["a", "b", "c", "d"]);
});

Deno.test("Queue.drain() takes all items, and the queue goes on", () => {
  const queue = new Queue<number>();
  assertEquals(queue.drain(), []);
  queue.push(1);
  assertEquals([queue.drain(), queue.drain(), queue.size], [[1], [], 0]);
  queue.push(2);
  assertEquals(queue.shift(), 2);
});

Deno.test("Queue.remove() takes out what matches and keeps the order of the rest", () => {
  const queue = new Queue<number>();
  for (let n = 0; n < 7; n++) queue.push(n);
  queue.shift();
  assertEquals(queue.remove((n) => n % 2 === 0), [2, 4, 6]);
  assertEquals(queue.remove((n) => n > 100), []);
  assertEquals(queue.drain(), [1, 3, 5]);
});

Deno.test("Queue.clear() forgets all items", () => {
  const queue = new Queue<number>();
  queue.push(1);
  queue.clear();
  assertEquals([queue.size, queue.first, queue.shift()], [0, undefined, undefined]);
});

Deno.test("Queue does what an array does, whatever the order of the calls", () => {
  const random = seededRandom(1);
  const queue = new Queue<number>();
  let model: number[] = [];
  for (let n = 0; n < 60_000; n++) {
    // Long phases of growing and of shrinking, so that the front is moved.
    const isGrowing = Math.floor(n / 5_000) % 2 === 0;
    const dice = random();
    if (dice < (isGrowing ? 0.75 : 0.25)) {
      queue.push(n);
      model.push(n);
    } else if (dice < 0.997) {
      assertEquals(queue.shift(), model.shift());
    } else if (dice < 0.998) {
      queue.prepend([n, -n]);
      model.unshift(n, -n);
    } else if (dice < 0.9999) {
      const digit = randomInteger(random, 10);
      const matches = (item: number) => item % 10 === digit;
      assertEquals(queue.remove(matches), model.filter(matches));
      model = model.filter((item) => !matches(item));
    } else {
      assertEquals(queue.drain(), model);
      model = [];
    }
    assertEquals([queue.size, queue.first], [model.length, model[0]]);
  }
  assertEquals(queue.drain(), model);
});
