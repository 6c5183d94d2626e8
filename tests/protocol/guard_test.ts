import { assertEquals } from "@std/assert";
import { guard, isPromiseLike } from "../../protocol/guard.ts";

Deno.test("guard() tells what was thrown, as an error", () => {
  const failures: Error[] = [];
  guard(() => {
    throw "text";
  }, (error) => failures.push(error));
  assertEquals(failures.map(({ message }) => message), ["text"]);
});

Deno.test("guard() tells what a promise rejects with", async () => {
  const failure = Promise.withResolvers<Error>();
  guard(() => Promise.reject(new TypeError("late")), failure.resolve);
  assertEquals((await failure.promise).message, "late");
});

Deno.test("guard() tells nothing if nothing fails", async () => {
  const failures: Error[] = [];
  guard(() => Promise.resolve(1), (error) => failures.push(error));
  guard(() => 1, (error) => failures.push(error));
  await Promise.resolve();
  assertEquals(failures, []);
});

Deno.test("isPromiseLike() takes anything with a method then", () => {
  assertEquals(
    [Promise.resolve(), { then() {} }, { then: 1 }, null, undefined, () => {}].map(isPromiseLike),
    [true, true, false, false, false, false],
  );
});
