import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  type FrameSizes,
  isFrameSize,
  PieceAssembler,
  PieceCutter,
} from "../../protocol/session/frames.ts";
import { fuzz } from "./_fuzz.ts";
import { anyText, garbage } from "./_texts.ts";

/** The largest character. */
const ROOM = 4;

const bytesOf = (text: string) => new TextEncoder().encode(text).length;

/** Texts that are long enough to be cut, of characters of all widths. */
const longText = fc.tuple(fc.oneof(anyText, garbage), fc.integer({ min: 1, max: 12 }), anyText)
  .map(([text, times, tail]) => text.repeat(times) + tail)
  .filter((text) => text.length > 0);
/** As in a client of Deno, but smaller. */
const gapped: fc.Arbitrary<FrameSizes> = fc.record({
  above: fc.integer({ min: 2 * ROOM, max: 40 }),
  width: fc.integer({ min: 1, max: 80 }),
  beyond: fc.integer({ min: 0, max: 100 }),
}).map(({ above, width, beyond }) => ({
  max: above + width + beyond,
  gap: { above, below: above + width },
}));
const sizes = fc.oneof(fc.integer({ min: ROOM + 1, max: 200 }).map((max) => ({ max })), gapped);

function cut(text: string, frameSizes: FrameSizes): string[] {
  const cutter = new PieceCutter(text, bytesOf(text));
  const frames: string[] = [];
  while (!cutter.isDone) frames.push(cutter.next(frameSizes));
  return frames;
}

fuzz(
  "PieceCutter and PieceAssembler return any message as it was",
  6_000,
  fc.property(longText, sizes, (text, frameSizes) => {
    const frames = cut(text, frameSizes);
    assertEquals(frames.map((frame) => frame.slice(1)).join(""), text);
    assertEquals(frames.findIndex((frame) => frame.startsWith("=")), frames.length - 1);
    const assembler = new PieceAssembler(bytesOf(text));
    const faults = frames.map((frame) => assembler.add(frame));
    // Tiny pieces are refused on purpose; all others come through.
    const isTiny = frames.length > 64;
    if (isTiny) return;
    assertEquals(faults.filter((fault) => fault !== undefined), []);
    assertEquals([assembler.take(), assembler.isOpen, assembler.bytes], [text, false, 0]);
  }),
);

fuzz(
  "PieceCutter.next() keeps to the sizes, and cuts no pair of surrogates",
  8_000,
  fc.property(longText, sizes, (text, frameSizes) => {
    for (const frame of cut(text, frameSizes)) {
      assert(isFrameSize(bytesOf(frame), frameSizes), `${bytesOf(frame)} bytes`);
      const before = text.isWellFormed();
      if (before) assert(frame.isWellFormed(), JSON.stringify(frame));
    }
  }),
);

fuzz(
  "PieceAssembler.add() takes whatever comes, and never more than allowed",
  6_000,
  fc.property(
    fc.array(fc.oneof(anyText, garbage), { maxLength: 100 }),
    fc.integer({ min: 0, max: 400 }),
    (frames, room) => {
      const assembler = new PieceAssembler(room);
      let whole = "";
      for (const frame of frames) {
        const piece = frame.slice(1);
        const fault = assembler.add(frame);
        const isTooBig = bytesOf(whole) + bytesOf(piece) > room + 2;
        if (isTooBig) assert(fault !== undefined);
        if (fault !== undefined) return assert(!/\p{Cc}/u.test(fault));
        whole += piece;
        assert(assembler.bytes <= room);
      }
      if (assembler.isOpen) assertEquals(assembler.take(), whole);
    },
  ),
);
