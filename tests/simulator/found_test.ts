import { assertEquals } from "@std/assert";
import { ClientSession, type ClientWireEvents } from "../../client/client_session.ts";
import { OPEN_SIZES } from "../../protocol/session/frames.ts";
import { SessionEnd } from "../../protocol/session/session_end.ts";
import { FakeWire, limits, request } from "../protocol/session/_wires.ts";
import { ManualClock } from "../support/manual_clock.ts";

/** What the simulator has found, in a nutshell. */

Deno.test("ClientSession believes a server that has lost it before any welcome came through", () => {
  const session = new ClientSession({
    limits: limits(),
    sizes: OPEN_SIZES,
    promptAck: false,
    poisoned: () => {},
    clock: new ManualClock(),
  });
  const told: string[] = [];
  const tell = (name: string) => () => void told.push(name);
  const events = new Proxy({}, { get: (_, name: string) => tell(name) }) as ClientWireEvents;
  session.open(new FakeWire(), events);
  const second = new FakeWire();
  session.open(second, events);
  const welcome = { resumed: false, received: 0, reason: "The session is not here" };
  session.receive(second, JSON.stringify(["welcome", welcome]));
  assertEquals([told.at(-1), session.isOpen], ["unknown", false]);
});

Deno.test("SessionEnd holds what came behind the first hello, however small its window", () => {
  const own = limits({ bufferMessages: 2, bufferBytes: 1_024 });
  const told: string[] = [];
  const end = new SessionEnd({
    limits: own,
    sizes: OPEN_SIZES,
    clock: new ManualClock(),
    events: {
      message: () => void told.push("message"),
      control: () => {},
      pong: () => {},
      violation: (reason) => void told.push(reason),
      poisoned: () => {},
    },
  });
  end.attach(new FakeWire(), { received: 0, limits: limits() });
  for (let id = 0; id < 64; id++) end.receive(request(id, { padding: 500 }).text);
  assertEquals(told, []);
  end.receive(request(64).text);
  assertEquals(told, ["More messages are unacknowledged than the window holds"]);
  end.listen();
  assertEquals(told.length, 65);
});
