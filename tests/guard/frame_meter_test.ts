import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { FrameMeter } from "../../guard/frame_meter.ts";
import { frame, type FrameShape, header, join } from "./_frames.ts";

const LIMITS = { maxMessageBytes: 200_000, maxFragments: 4 };
const MASK = [0, 0, 0, 0];
const bytes = (length: number) => new Uint8Array(length).fill(7);

/** What a meter says of bytes that come in one piece. */
function judge(...chunks: readonly Uint8Array[]) {
  const meter = new FrameMeter(LIMITS);
  return { meter, breach: meter.push(join(...chunks)) };
}

/** A conversation that keeps to every rule, with all forms of length. */
const CONVERSATION: readonly FrameShape[] = [
  { opcode: 1, payload: bytes(0) },
  { opcode: 1, payload: bytes(125) },
  { opcode: 2, payload: bytes(126) },
  { opcode: 9, payload: bytes(125) },
  { opcode: 1, payload: bytes(65_535) },
  { opcode: 1, payload: bytes(65_536), isFinal: false },
  { opcode: 10, payload: bytes(3) },
  { opcode: 0, payload: bytes(1), isFinal: false },
  { opcode: 9 },
  { opcode: 0, payload: bytes(0) },
  { opcode: 1, payload: bytes(200_000) },
];

Deno.test("FrameMeter.push() lets every form of frame through, in one piece", () => {
  const { meter, breach } = judge(...CONVERSATION.map(frame));
  assertEquals(breach, undefined);
  assertEquals([meter.messages, meter.isIdle, meter.unfinishedBytes], [6, true, 0]);
});

Deno.test("FrameMeter.push() comes to the same wherever the bytes are cut", () => {
  const shapes: FrameShape[] = [
    { opcode: 1, payload: bytes(3), isFinal: false },
    { opcode: 9, payload: bytes(2) },
    { opcode: 0, payload: bytes(130) },
    { opcode: 2, payload: bytes(66_000) },
    { opcode: 1 },
  ];
  const stream = join(...shapes.map(frame));
  for (let cut = 0; cut < stream.length; cut += cut < 300 ? 1 : 997) {
    const meter = new FrameMeter(LIMITS);
    assertEquals(meter.push(stream.subarray(0, cut)), undefined);
    assertEquals(meter.push(stream.subarray(cut)), undefined);
    assertEquals([meter.messages, meter.isIdle], [3, true]);
  }
});

Deno.test("FrameMeter.isIdle holds between frames only, byte by byte", () => {
  const meter = new FrameMeter(LIMITS);
  for (const shape of CONVERSATION.slice(0, 4)) {
    const wire = frame(shape);
    for (const [i, byte] of wire.entries()) {
      assertEquals(meter.push(new Uint8Array([byte])), undefined);
      assertEquals(meter.isIdle, i === wire.length - 1);
    }
  }
});

Deno.test("FrameMeter.push() refuses what the RFC forbids, at the frame's first byte", () => {
  const before = frame({ opcode: 1, payload: bytes(5) });
  const open = frame({ opcode: 1, payload: bytes(5), isFinal: false });
  const table: [string, Uint8Array, Uint8Array][] = [
    ["Reserved bits are set", before, frame({ opcode: 1, reserved: 4 })],
    ["The frame is not masked", before, frame({ opcode: 1, isMasked: false, payload: bytes(4) })],
    ["Opcode 3 is reserved", before, frame({ opcode: 3 })],
    ["Opcode 11 is reserved", before, frame({ opcode: 11 })],
    [
      "A control frame is too long or cut into fragments",
      before,
      frame({ opcode: 9, payload: bytes(126) }),
    ],
    [
      "A control frame is too long or cut into fragments",
      before,
      frame({ opcode: 9, isFinal: false }),
    ],
    ["Nothing is there to continue", before, frame({ opcode: 0 })],
    ["The message before has not ended", open, frame({ opcode: 2 })],
  ];
  for (const [reason, first, wrong] of table) {
    const { breach } = judge(first, wrong);
    assertEquals(breach, { cause: "malformed", code: 1002, reason, at: first.length });
  }
});

Deno.test("FrameMeter.push() refuses a length when it is announced, not when it has come", () => {
  for (const length of [200_001, 2 ** 31, 2 ** 32, 2 ** 40, 2 ** 53, 2 ** 63]) {
    const { breach } = judge(new Uint8Array([...header({ opcode: 1 }, length), ...MASK]));
    const reason = "A message must be <= 200000 bytes";
    assertEquals(breach, { cause: "tooLarge", code: 1009, reason, at: 0 });
  }
});

Deno.test("FrameMeter.push() counts the fragments of a message together", () => {
  const half = frame({ opcode: 1, payload: bytes(100_000), isFinal: false });
  const rest = frame({ opcode: 0, payload: bytes(100_001) });
  assertEquals(judge(half, rest).breach?.reason, "A message must be <= 200000 bytes");
  const empty = frame({ opcode: 0, isFinal: false });
  const start = frame({ opcode: 1, isFinal: false });
  assertEquals(judge(start, empty, empty, empty).breach, undefined);
  assertEquals(
    judge(start, empty, empty, empty, empty).breach?.reason,
    "A message must be <= 4 fragments",
  );
});

Deno.test("FrameMeter.push() says that it does not know where a frame began in an earlier chunk", () => {
  const meter = new FrameMeter(LIMITS);
  assertEquals(meter.push(new Uint8Array([0x83])), undefined);
  assertEquals(meter.push(new Uint8Array([0x80]))?.at, undefined);
});

Deno.test("FrameMeter.unfinishedBytes follows the payload of messages, not of pings", () => {
  const meter = new FrameMeter(LIMITS);
  const message = frame({ opcode: 1, payload: bytes(1_000), isFinal: false });
  meter.push(message.subarray(0, 108));
  assertEquals(meter.unfinishedBytes, 100);
  meter.push(message.subarray(108));
  assertEquals(meter.unfinishedBytes, 1_000);
  const ping = frame({ opcode: 9, payload: bytes(100) });
  meter.push(ping.subarray(0, 50));
  assertEquals(meter.unfinishedBytes, 1_000);
  meter.push(ping.subarray(50));
  meter.push(frame({ opcode: 0, payload: bytes(1) }));
  assertEquals([meter.unfinishedBytes, meter.isIdle], [0, true]);
});

Deno.test("FrameMeter.isClosed holds from the close frame on, and what follows is not judged", () => {
  const { meter, breach } = judge(frame({ opcode: 8, payload: bytes(2) }), bytes(100));
  assertEquals([meter.isClosed, breach], [true, undefined]);
});

const messages = fc.array(
  fc.record({
    sizes: fc.array(fc.integer({ min: 0, max: 300 }), { minLength: 1, maxLength: 4 }),
    pings: fc.boolean(),
  }),
  { maxLength: 8 },
);

function encode(all: readonly { sizes: readonly number[]; pings: boolean }[]): Uint8Array {
  return join(...all.flatMap(({ sizes, pings }) =>
    sizes.flatMap((size, i) => [
      frame({ opcode: i === 0 ? 1 : 0, payload: bytes(size), isFinal: i === sizes.length - 1 }),
      ...(pings ? [frame({ opcode: 9, payload: bytes(size % 126) })] : []),
    ])
  ));
}

Deno.test("FrameMeter.push() counts all messages of any conversation, however it is cut", () => {
  fc.assert(
    fc.property(messages, fc.infiniteStream(fc.integer({ min: 1, max: 400 })), (all, cuts) => {
      const stream = encode(all);
      const meter = new FrameMeter(LIMITS);
      for (let at = 0; at < stream.length;) {
        const { value } = cuts.next();
        assertEquals(meter.push(stream.subarray(at, at + value)), undefined);
        at += value;
      }
      assertEquals([meter.messages, meter.isIdle], [all.length, true]);
    }),
    { numRuns: 500 },
  );
});

Deno.test("FrameMeter.push() never throws, and finds the same breach in one piece as byte by byte", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (noise) => {
      const whole = new FrameMeter(LIMITS).push(noise);
      const meter = new FrameMeter(LIMITS);
      let found: string | undefined;
      for (const byte of noise) found ??= meter.push(new Uint8Array([byte]))?.reason;
      assertEquals(found, whole?.reason);
      assertEquals(meter.unfinishedBytes >= 0, true);
    }),
    { numRuns: 2_000 },
  );
});
