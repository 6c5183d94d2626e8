import { assert, assertEquals } from "@std/assert";
import {
  DENO_CLIENT_SIZES,
  type FrameSizes,
  isFrameSize,
  joinBytes,
  MAX_FRAME_BYTES,
  MIN_FRAME_BYTES,
  OPEN_SIZES,
  PieceAssembler,
  PieceCutter,
} from "../../../protocol/session/frames.ts";
import { measure } from "../../../protocol/session/outgoing.ts";
import { countBytes } from "../../../protocol/utf8.ts";
import { measureMemory } from "../../chaos/support/memory.ts";
import { randomInteger, seededRandom } from "../../support/random.ts";

/** Both runtimes, and what is left of their sizes after each halving. */
const ALL_SIZES: readonly FrameSizes[] = [OPEN_SIZES, DENO_CLIENT_SIZES].flatMap((sizes) =>
  [1, 2, 4, 8, 16, 32].map((part) => ({ ...sizes, max: MAX_FRAME_BYTES / part }))
);

const CHARACTERS = ["x", "é", "€", "😀"];

/** So many characters, in runs, of all lengths or of one byte only. */
function randomText(random: () => number, units: number, kinds: number): string {
  let text = "";
  while (text.length < units) {
    const character = CHARACTERS[randomInteger(random, kinds)] ?? "x";
    text += character.repeat(1 + randomInteger(random, 50));
  }
  return text;
}

function cut(text: string, sizes: FrameSizes, bytes: number = measure(text)): string[] {
  const cutter = new PieceCutter(text, bytes);
  const frames: string[] = [];
  while (!cutter.isDone) frames.push(cutter.next(sizes));
  return frames;
}

function assemble(frames: readonly string[]): string {
  const assembler = new PieceAssembler(2 ** 30);
  for (const frame of frames) assertEquals(assembler.add(frame), undefined);
  return assembler.take();
}

Deno.test("MAX_FRAME_BYTES becomes MIN_FRAME_BYTES by halving", () => {
  assertEquals(MAX_FRAME_BYTES / 32, MIN_FRAME_BYTES);
});

Deno.test("isFrameSize() leaves out what is too large and what lies in the gap", () => {
  const table: [bytes: number, open: boolean, gapped: boolean][] = [
    [0, true, true],
    [1_024, true, true],
    [1_025, true, false],
    [65_535, true, false],
    [65_536, true, true],
    [131_072, true, true],
    [131_073, false, false],
  ];
  for (const [bytes, open, gapped] of table) {
    const sizes = [isFrameSize(bytes, OPEN_SIZES), isFrameSize(bytes, DENO_CLIENT_SIZES)];
    assertEquals(sizes, [open, gapped], `${bytes}`);
  }
});

Deno.test("joinBytes() is a whole frame, or what lies below the gap", () => {
  assertEquals([joinBytes(OPEN_SIZES), joinBytes(DENO_CLIENT_SIZES)], [131_072, 1_024]);
});

Deno.test("PieceCutter marks the last piece", () => {
  const sizes = { max: 5 };
  const text = "x".repeat(9);
  assertEquals(cut(text, sizes, 9), ["+xxxx", "+xxxx", "=x"]);
  assertEquals(cut(text.slice(1), sizes, 8), ["+xxxx", "=xxxx"]);
  assertEquals(cut("x", sizes, 1), ["=x"]);
});

Deno.test("PieceCutter never cuts a character", () => {
  assertEquals(cut("€€x", { max: 6 }, 7), ["+€", "=€x"]);
  assertEquals(cut("é😀é", { max: 6 }, 8), ["+é", "+😀", "=é"]);
  assertEquals(cut("😀😀", { max: 2 }), ["+😀", "=😀"]);
});

Deno.test("PieceCutter follows sizes that change on the way", () => {
  const cutter = new PieceCutter("x".repeat(300), 300);
  assertEquals([cutter.next({ max: 101 }).length, cutter.next({ max: 11 }).length], [101, 11]);
  assertEquals([cutter.isDone, cutter.next(OPEN_SIZES).length, cutter.isDone], [false, 191, true]);
});

Deno.test("PieceCutter keeps to every size rule, and nothing is lost", () => {
  const random = seededRandom(4);
  for (const sizes of ALL_SIZES) {
    for (let run = 0; run < 60; run++) {
      const units = randomInteger(random, run % 10 === 0 ? 400_000 : 80_000) + 257;
      const text = randomText(random, units, run % 2 === 0 ? 1 : 4);
      const frames = cut(text, sizes);
      assertEquals(assemble(frames) === text, true);
      for (const [index, frame] of frames.entries()) {
        const isLast = index === frames.length - 1;
        assertEquals(frame[0], isLast ? "=" : "+");
        assert(frame.isWellFormed(), "A character was cut");
        assert(isFrameSize(countBytes(frame), sizes), `${countBytes(frame)} of ${sizes.max}`);
      }
    }
  }
});

Deno.test("PieceCutter makes no more frames than the size rules ask for", () => {
  const table: [bytes: number, open: number, gapped: number][] = [
    [131_071, 1, 1],
    [131_072, 2, 2],
    [262_142, 2, 2],
    [262_143, 3, 3],
    [65_538, 1, 1],
    [60_000, 1, 59],
  ];
  for (const [bytes, open, gapped] of table) {
    const text = "x".repeat(bytes);
    const counts = [cut(text, OPEN_SIZES).length, cut(text, DENO_CLIENT_SIZES).length];
    assertEquals(counts, [open, gapped], `${bytes}`);
  }
});

Deno.test("PieceAssembler.take() gives the message and forgets it", () => {
  const assembler = new PieceAssembler(100);
  assertEquals([assembler.isOpen, assembler.bytes], [false, 0]);
  assertEquals([assembler.add("+a€"), assembler.isOpen, assembler.bytes], [undefined, true, 4]);
  assertEquals([assembler.add("=b"), assembler.take()], [undefined, "a€b"]);
  assertEquals([assembler.isOpen, assembler.bytes, assembler.take()], [false, 0, ""]);
});

Deno.test("PieceAssembler.add() refuses an empty piece", () => {
  const assembler = new PieceAssembler(100);
  for (const frame of ["+", "="]) assertEquals(assembler.add(frame), "A piece is empty");
  assertEquals(assembler.isOpen, false);
});

Deno.test("PieceAssembler.add() refuses the first byte too many", () => {
  const assembler = new PieceAssembler(10);
  assertEquals(assembler.add("+" + "x".repeat(9)), undefined);
  assertEquals(assembler.add("=x"), undefined);
  assembler.reset();
  assertEquals(assembler.add("+" + "x".repeat(8)), undefined);
  assertEquals(assembler.add("=€"), "Message larger than 10 bytes");
});

Deno.test("PieceAssembler.add() takes 64 pieces of any size, then 256 bytes each on average", () => {
  const assembler = new PieceAssembler(2 ** 30);
  for (let n = 0; n < 64; n++) assertEquals(assembler.add("+x"), undefined);
  assertEquals(assembler.add("+x"), "Pieces are too small");
  assembler.reset();
  for (let n = 0; n < 5_000; n++) assertEquals(assembler.add("+" + "x".repeat(256)), undefined);
});

Deno.test("PieceAssembler.reset() forgets the pieces so far and what they took", () => {
  const assembler = new PieceAssembler(10);
  for (let n = 0; n < 100; n++) {
    assertEquals(assembler.add("+123456789"), undefined);
    assembler.reset();
  }
  assertEquals([assembler.isOpen, assembler.bytes], [false, 0]);
});

Deno.test("PieceAssembler holds not much more than what came in, however small the pieces", async () => {
  const size = 10 * 2 ** 20;
  const assembler = new PieceAssembler(size);
  const before = await measureMemory();
  let number = 0;
  while (assembler.bytes + 300 <= size) {
    // No two of them are the same string.
    const piece = `+${number++}`.padEnd(300, "x");
    assertEquals(assembler.add(piece), undefined);
  }
  const after = await measureMemory();
  assert(number > 34_000);
  const factor = (after.heapUsed - before.heapUsed) / assembler.bytes;
  assert(factor < 2, `${factor}`);
  assertEquals(assembler.add("+" + "x".repeat(1_000)), `Message larger than ${size} bytes`);
  assembler.reset();
  assert((await measureMemory()).heapUsed - before.heapUsed < 2 ** 20);
});
