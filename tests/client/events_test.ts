import { assert, assertEquals, assertInstanceOf, assertStrictEquals } from "@std/assert";
import { FakeTime } from "@std/testing/time";
import {
  type BaseEvents,
  type ConnectionEvent,
  type ErrorDetail,
  TypedEventTarget,
} from "../../client/events.ts";

interface TestEvents extends BaseEvents {
  ping: { readonly n: number };
}

class Emitter extends TypedEventTarget<TestEvents> {
  ping(n = 1): void {
    this.emit("ping", { n });
  }

  fail(error: Error, context = "test"): void {
    this.emit("error", { error, context });
  }
}

function listenForErrors(emitter: Emitter): ErrorDetail[] {
  const errors: ErrorDetail[] = [];
  emitter.addEventListener("error", ({ detail }) => errors.push(detail));
  return errors;
}

const microtasks = () => new Promise<void>((resolve) => setTimeout(resolve, 0));

Deno.test("TypedEventTarget tells every listener, in the order they were added", () => {
  const emitter = new Emitter();
  const heard: string[] = [];
  emitter.addEventListener("ping", ({ detail }) => heard.push(`a${detail.n}`));
  emitter.addEventListener("ping", ({ detail }) => heard.push(`b${detail.n}`));
  emitter.ping(1);
  emitter.ping(2);
  assertEquals(heard, ["a1", "b1", "a2", "b2"]);
});

Deno.test("TypedEventTarget tells events with type, target, detail and time", () => {
  using time = new FakeTime(1_000);
  const emitter = new Emitter();
  const events: ConnectionEvent<{ n: number }>[] = [];
  emitter.addEventListener("ping", (event) => events.push(event));
  time.tick(234);
  emitter.ping(7);
  const [event] = events;
  assert(event !== undefined);
  assertEquals([event.type, event.detail.n, event.at], ["ping", 7, 1_234]);
  assertStrictEquals(event.target, emitter);
});

Deno.test("addEventListener() twice with the same listener is once", () => {
  const emitter = new Emitter();
  let count = 0;
  const listener = () => count++;
  emitter.addEventListener("ping", listener);
  emitter.addEventListener("ping", listener, { once: true });
  assertEquals(emitter.listenerCount("ping"), 1);
  emitter.ping();
  emitter.ping();
  assertEquals(count, 2);
});

Deno.test("addEventListener() takes objects with handleEvent, looked up when it is called", () => {
  const emitter = new Emitter();
  const object = {
    heard: [] as number[],
    handleEvent(event: ConnectionEvent<{ n: number }>) {
      this.heard.push(event.detail.n);
    },
  };
  emitter.addEventListener("ping", object);
  emitter.ping(1);
  object.handleEvent = function ({ detail }) {
    this.heard.push(-detail.n);
  };
  emitter.ping(2);
  emitter.removeEventListener("ping", object);
  emitter.ping(3);
  assertEquals(object.heard, [1, -2]);
});

Deno.test("addEventListener() with null does nothing", () => {
  const emitter = new Emitter();
  emitter.addEventListener("ping", null);
  emitter.removeEventListener("ping", null);
  assertEquals(emitter.listenerCount("ping"), 0);
});

Deno.test("once hears one event, also if the listener causes another", () => {
  const emitter = new Emitter();
  const heard: number[] = [];
  emitter.addEventListener("ping", ({ detail }) => {
    heard.push(detail.n);
    emitter.ping(detail.n + 1);
  }, { once: true });
  emitter.ping(1);
  assertEquals(heard, [1]);
  assertEquals(emitter.listenerCount("ping"), 0);
});

Deno.test("a signal that aborts removes the listener", () => {
  const emitter = new Emitter();
  const controller = new AbortController();
  let count = 0;
  emitter.addEventListener("ping", () => count++, { signal: controller.signal });
  emitter.ping();
  controller.abort();
  emitter.ping();
  assertEquals([count, emitter.listenerCount("ping")], [1, 0]);
});

Deno.test("a signal that has aborted adds nothing", () => {
  const emitter = new Emitter();
  emitter.addEventListener("ping", () => {}, { signal: AbortSignal.abort() });
  assertEquals(emitter.listenerCount("ping"), 0);
});

Deno.test("a signal does not remove what was added again without it", () => {
  const emitter = new Emitter();
  const controller = new AbortController();
  let count = 0;
  const listener = () => count++;
  emitter.addEventListener("ping", listener, { signal: controller.signal });
  emitter.removeEventListener("ping", listener);
  emitter.addEventListener("ping", listener);
  controller.abort();
  emitter.ping();
  assertEquals(count, 1);
});

Deno.test("removeEventListener() leaves nothing on the signal", () => {
  const emitter = new Emitter();
  const listeners = new Set<unknown>();
  const signal = {
    aborted: false,
    addEventListener: (_type: string, listener: unknown) => listeners.add(listener),
    removeEventListener: (_type: string, listener: unknown) => listeners.delete(listener),
  } as unknown as AbortSignal;
  const listener = () => {};
  emitter.addEventListener("ping", listener, { signal });
  assertEquals(listeners.size, 1);
  emitter.removeEventListener("ping", listener);
  assertEquals(listeners.size, 0);
  emitter.addEventListener("ping", listener, { signal, once: true });
  emitter.ping();
  assertEquals(listeners.size, 0);
});

Deno.test("listenerCount() is right at every step", () => {
  const emitter = new Emitter();
  const controller = new AbortController();
  const listener = () => {};
  const counts: number[] = [];
  const count = () => counts.push(emitter.listenerCount("ping"));
  count();
  emitter.addEventListener("ping", listener);
  count();
  emitter.addEventListener("ping", () => {}, { once: true });
  emitter.addEventListener("ping", () => {}, { signal: controller.signal });
  count();
  emitter.ping();
  count();
  controller.abort();
  count();
  emitter.removeEventListener("ping", listener);
  emitter.removeEventListener("ping", listener);
  count();
  assertEquals(counts, [0, 1, 3, 2, 1, 0]);
  assertEquals(emitter.listenerCount("error"), 0);
});

Deno.test("a listener that throws harms nobody, and becomes an error event", () => {
  const emitter = new Emitter();
  const errors = listenForErrors(emitter);
  const error = new Error("thrown");
  let count = 0;
  emitter.addEventListener("ping", () => {
    throw error;
  });
  emitter.addEventListener("ping", () => count++);
  emitter.ping();
  assertEquals(count, 1);
  assertEquals(errors, [{ error, context: 'listener of "ping"' }]);
  assertStrictEquals(errors[0]?.error, error);
});

Deno.test("a listener that rejects becomes an error event", async () => {
  const emitter = new Emitter();
  const errors = listenForErrors(emitter);
  emitter.addEventListener("ping", async () => {
    await null;
    throw new Error("rejected");
  });
  emitter.ping();
  await microtasks();
  assertEquals(errors.map(({ error }) => error.message), ["rejected"]);
});

Deno.test("a listener may throw anything", () => {
  const emitter = new Emitter();
  const errors = listenForErrors(emitter);
  for (const thrown of ["text", undefined, Object.create(null)]) {
    emitter.addEventListener("ping", () => {
      throw thrown;
    }, { once: true });
  }
  emitter.addEventListener("ping", {} as { handleEvent: () => void }, { once: true });
  emitter.ping();
  assertEquals(errors.length, 4);
  for (const { error } of errors) assertInstanceOf(error, Error);
});

Deno.test("a listener that fails harms nobody where nobody hears of errors", async () => {
  const emitter = new Emitter();
  emitter.addEventListener("ping", () => Promise.reject(new Error("rejected")));
  emitter.addEventListener("ping", () => {
    throw new Error("thrown");
  });
  emitter.ping();
  await microtasks();
});

Deno.test("a listener of errors that throws or rejects harms nobody, and is not told of itself", async () => {
  const emitter = new Emitter();
  let count = 0;
  emitter.addEventListener("error", () => {
    count++;
    throw new Error("thrown");
  });
  emitter.addEventListener("error", () => {
    count++;
    return Promise.reject(new Error("rejected"));
  });
  emitter.fail(new Error("first"));
  await microtasks();
  assertEquals(count, 2);
});

Deno.test("emit() makes no event where nobody listens", () => {
  let dispatched = 0;
  class Counting extends Emitter {
    override dispatchEvent(event: Event): boolean {
      dispatched++;
      return super.dispatchEvent(event);
    }
  }
  const emitter = new Counting();
  emitter.ping();
  assertEquals(dispatched, 0);
  emitter.addEventListener("ping", () => {});
  emitter.ping();
  assertEquals(dispatched, 1);
});

Deno.test("TypedEventTarget knows the details by the name of the event", () => {
  const emitter = new Emitter();
  emitter.addEventListener("ping", ({ detail }) => detail.n satisfies number);
  // @ts-expect-error: there is no such event
  emitter.addEventListener("pong", () => {});
  // @ts-expect-error: there is no such member
  emitter.addEventListener("ping", ({ detail }) => detail.m);
  assert(emitter instanceof EventTarget);
});

Deno.test("TypedEventTarget tells its class when a listener has come or gone", () => {
  const counts: number[] = [];
  class Counting extends Emitter {
    protected override listenersChanged(type: keyof TestEvents & string): void {
      counts.push(this.listenerCount(type));
    }
  }
  const emitter = new Counting();
  const listener = () => {};
  emitter.addEventListener("ping", listener);
  emitter.addEventListener("ping", listener);
  emitter.addEventListener("ping", () => {}, { once: true });
  emitter.ping();
  emitter.removeEventListener("ping", listener);
  emitter.removeEventListener("ping", listener);
  assertEquals(counts, [1, 2, 1, 0]);
});
