import { assertEquals } from "@std/assert";
import type { SessionLimits } from "../../../protocol/session/limits.ts";
import { Receiver } from "../../../protocol/session/receiver.ts";
import { limits } from "./_wires.ts";

interface Setting {
  readonly receiver: Receiver;
  readonly messages: string[];
  readonly violations: string[];
}

interface Circumstances {
  readonly own?: Partial<SessionLimits>;
  readonly onMessage?: (text: string) => void;
  readonly onViolation?: () => void;
}

function setUp({ own, onMessage, onViolation }: Circumstances = {}): Setting {
  const messages: string[] = [];
  const violations: string[] = [];
  const receiver = new Receiver(limits(own), {
    message(text) {
      messages.push(text);
      onMessage?.(text);
    },
    violation(reason) {
      violations.push(reason);
      onViolation?.();
    },
  });
  return { receiver, messages, violations };
}

/** A receiver whose application listens. */
function listening(circumstances: Circumstances = {}): Setting {
  const setting = setUp(circumstances);
  setting.receiver.listen();
  return setting;
}

const OVERFLOW = "More messages are unacknowledged than the window holds";

Deno.test("Receiver.messages() hands over every line and counts it, valid or not", () => {
  const table: [string, readonly string[]][] = [
    ["{}", ["{}"]],
    ["{1}\n{2}\n{3}", ["{1}", "{2}", "{3}"]],
    ["{\n\n", ["{", "", ""]],
    ["{}\r\n{}", ["{}\r", "{}"]],
    ["{}\n[]", ["{}", "[]"]],
  ];
  for (const [frame, expected] of table) {
    const { receiver, messages } = listening();
    receiver.messages(frame);
    assertEquals([messages, receiver.delivered], [expected, expected.length]);
  }
});

Deno.test("Receiver counts a message before the application sees it", () => {
  const counts: number[] = [];
  const { receiver } = listening({ onMessage: () => counts.push(receiver.delivered) });
  receiver.messages("{1}\n{2}");
  receiver.piece("={3}");
  assertEquals(counts, [1, 2, 3]);
});

Deno.test("Receiver.piece() counts a message when its last piece is there", () => {
  const { receiver, messages } = listening();
  for (const frame of ["+{", "+1"]) receiver.piece(frame);
  receiver.messages("{2}");
  assertEquals([messages, receiver.delivered], [["{2}"], 1]);
  receiver.piece("=}");
  receiver.piece("={\n}");
  assertEquals([messages, receiver.delivered], [["{2}", "{1}", "{\n}"], 3]);
});

Deno.test("Receiver.drop() forgets the message in pieces", () => {
  const { receiver, messages } = listening();
  receiver.drop();
  receiver.piece("+{1");
  receiver.drop();
  receiver.piece("={2}");
  assertEquals([messages, receiver.delivered], [["{2}"], 1]);
});

Deno.test("Receiver.piece() refuses what is empty, too large or too small", () => {
  const { receiver, violations, messages } = listening({ own: { messageBytes: 10 } });
  receiver.piece("=");
  receiver.reset();
  receiver.piece("+1234567890");
  receiver.piece("=1");
  receiver.reset();
  receiver.piece("=1234567890");
  assertEquals(violations, ["A piece is empty", "Message larger than 10 bytes"]);
  assertEquals(messages, ["1234567890"]);
  const small = listening();
  for (let n = 0; n < 65; n++) small.receiver.piece("+x");
  assertEquals(small.violations, ["Pieces are too small"]);
});

Deno.test("Receiver.reset() starts an interrupted message over", () => {
  const { receiver, messages } = listening();
  receiver.piece("+{1");
  receiver.reset();
  receiver.piece("+{1");
  receiver.piece("=}");
  assertEquals([messages, receiver.delivered], [["{1}"], 1]);
});

Deno.test("Receiver stops within a frame when the application leaves the wire", () => {
  const { receiver, messages } = listening({
    onMessage: (text) => text === "{2}" && receiver.reset(),
  });
  receiver.messages("{1}\n{2}\n{3}\n{4}");
  assertEquals([messages, receiver.delivered], [["{1}", "{2}"], 2]);
  receiver.messages("{3}\n{4}");
  assertEquals([messages.length, receiver.delivered], [4, 4]);
});

Deno.test("Receiver holds messages, uncounted, until somebody listens", () => {
  const { receiver, messages } = setUp();
  receiver.messages("{1}\n{2}");
  receiver.piece("+{3");
  receiver.piece("=}");
  receiver.messages("{4}");
  assertEquals([messages, receiver.delivered, receiver.hasNews], [[], 0, false]);
  receiver.listen();
  receiver.listen();
  assertEquals([messages, receiver.delivered], [["{1}", "{2}", "{3}", "{4}"], 4]);
  assertEquals([receiver.hasNews, receiver.tell(), receiver.hasNews], [true, 4, false]);
});

Deno.test("Receiver.reset() drops what was held: it comes again", () => {
  const { receiver, messages } = setUp();
  receiver.messages("{1}\n{2}");
  receiver.reset();
  receiver.messages("{1}");
  receiver.listen();
  assertEquals([messages, receiver.delivered], [["{1}"], 1]);
});

Deno.test("Receiver.listen() stops when the application leaves the wire", () => {
  const { receiver, messages } = setUp({ onMessage: () => receiver.reset() });
  receiver.messages("{1}\n{2}");
  receiver.listen();
  assertEquals([messages, receiver.delivered], [["{1}"], 1]);
  receiver.messages("{2}");
  assertEquals([messages, receiver.delivered], [["{1}", "{2}"], 2]);
});

Deno.test("Receiver.listen() hands over what is held before what comes in meanwhile", () => {
  const { receiver, messages } = setUp({
    onMessage: (text) => text === "{1}" && receiver.messages("{3}"),
  });
  receiver.messages("{1}\n{2}");
  receiver.listen();
  assertEquals([messages, receiver.delivered], [["{1}", "{2}", "{3}"], 3]);
});

Deno.test("Receiver.listen() makes room for what comes in meanwhile", () => {
  const { receiver, messages, violations } = setUp({
    own: { bufferMessages: 2, bufferBytes: 6 },
    onMessage: () => messages.length < 20 && receiver.messages("{n}"),
  });
  receiver.messages("{1}\n{2}");
  receiver.listen();
  assertEquals([messages.length, violations], [21, []]);
});

Deno.test("Receiver holds as many messages as the window has, and refuses one more", () => {
  const { receiver, violations } = setUp({ own: { bufferMessages: 3 } });
  receiver.messages("{1}\n{2}\n{3}");
  assertEquals(violations, []);
  receiver.messages("{4}");
  assertEquals(violations, [OVERFLOW]);
});

Deno.test("Receiver holds the largest message beside the bytes of the window", () => {
  const small = "{12345678}";
  const large = "{" + "x".repeat(100) + "}";
  for (const messages of [[large, small, small], [small, large, small], [small, small, large]]) {
    const { receiver, violations } = setUp({ own: { bufferBytes: 10 } });
    for (const message of messages) receiver.messages(message);
    assertEquals(violations, []);
    receiver.messages("{}");
    assertEquals(violations, [OVERFLOW]);
  }
});

Deno.test("Receiver holds messages with spaces behind them, which take no room", () => {
  const { receiver, messages, violations } = setUp({ own: { bufferBytes: 100 } });
  for (let i = 0; i < 5; i++) receiver.messages("{}" + " ".repeat(1_000));
  receiver.listen();
  assertEquals([messages, violations], [["{}", "{}", "{}", "{}", "{}"], []]);
});

Deno.test("Receiver.reset() makes room for what is held again", () => {
  const { receiver, violations } = setUp({ own: { bufferMessages: 1, bufferBytes: 10 } });
  for (let n = 0; n < 5; n++) {
    receiver.messages("{" + "x".repeat(100) + "}");
    receiver.reset();
  }
  assertEquals(violations, []);
});

Deno.test("Receiver reads no further in a frame that breaks the protocol", () => {
  const { receiver, violations } = setUp({
    own: { bufferMessages: 1 },
    onViolation: () => receiver.reset(),
  });
  receiver.messages("{1}\n{2}\n{3}\n{4}");
  assertEquals(violations, [OVERFLOW]);
});

Deno.test("Receiver.agree() has a smaller window acknowledged sooner", () => {
  const { receiver } = listening();
  receiver.messages("{}\n{}");
  assertEquals(receiver.isDue, false);
  receiver.agree(limits({ bufferMessages: 8 }));
  assertEquals(receiver.isDue, true);
});
