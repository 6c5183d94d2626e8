import { assertEquals } from "@std/assert";
import { Outbox } from "../../client/outbox.ts";
import { Pump } from "../../client/pump.ts";
import { ManualClock } from "../support/manual_clock.ts";

/** An outlet with room for so many messages at a time. */
function makePumped(room: number) {
  const bounds = { maxMessages: 10, maxBytes: 1_000, maxAge: 1_000, overflow: "reject" } as const;
  const outbox = new Outbox(bounds, new ManualClock());
  const written: string[] = [];
  let drained = Promise.withResolvers<void>();
  const outlet = {
    isOpen: true,
    room,
    get isCongested() {
      return this.room === 0;
    },
    drained: () => drained.promise,
  };
  const present: { outlet: typeof outlet | undefined } = { outlet };
  const pump = new Pump(outbox, () => present.outlet, ({ text }) => {
    written.push(text);
    outlet.room--;
  });
  const drain = async (more: number) => {
    outlet.room = more;
    const { promise, resolve } = drained;
    drained = Promise.withResolvers<void>();
    resolve();
    await promise;
  };
  const add = (text: string) =>
    void outbox.add({ jsonrpc: "2.0", method: "x" }, text).catch(() => {});
  return { outbox, pump, outlet, present, written, drain, add };
}

Deno.test("Pump sends what there is room for, and the rest when there is", async () => {
  const { outbox, pump, written, drain, add } = makePumped(2);
  for (const text of ["a", "b", "c", "d"]) add(text);
  pump.run();
  pump.run();
  assertEquals(written, ["a", "b"]);
  await drain(1);
  assertEquals(written, ["a", "b", "c"]);
  await drain(5);
  assertEquals([written, outbox.size], [["a", "b", "c", "d"], 0]);
});

Deno.test("Pump waits for a connection", () => {
  const { pump, present, outlet, written, add } = makePumped(9);
  present.outlet = undefined;
  add("a");
  pump.run();
  assertEquals(written, []);
  present.outlet = outlet;
  pump.run();
  assertEquals(written, ["a"]);
});

Deno.test("Pump sends nothing to a connection that has ended", () => {
  const { outbox, pump, outlet, written, add } = makePumped(9);
  outlet.isOpen = false;
  add("a");
  pump.run();
  assertEquals([written, outbox.size], [[], 1]);
  outbox.clear(new Error("closed"));
});

Deno.test("Pump does not wait for the room of a connection that another one has followed", async () => {
  const { outbox, pump, outlet, present, written, drain, add } = makePumped(0);
  add("a");
  pump.run();
  present.outlet = { ...outlet, isCongested: false };
  pump.run();
  assertEquals([written, outbox.size], [["a"], 0]);
  // What the old one still says changes nothing.
  await drain(1);
  assertEquals(written, ["a"]);
});
