import { assert, assertEquals } from "@std/assert";
import { countBytes, fitBytes } from "../../protocol/utf8.ts";
import { randomInteger, seededRandom } from "../support/random.ts";

const ENCODER = new TextEncoder();

Deno.test("countBytes() agrees with TextEncoder where UTF-8 takes one byte more", () => {
  const edges = ["\0", "\x7f", "\x80", "\u07ff", "\u0800", "\ud7ff", "\ud800", "\udbff"]
    .concat(["\udc00", "\udfff", "\ue000", "\uffff", "\u{10000}", "\u{10ffff}", ""]);
  for (const first of edges) {
    for (const second of edges) {
      const text = first + second;
      assertEquals(
        countBytes(text),
        ENCODER.encode(text).length,
        JSON.stringify(text),
      );
    }
  }
});

Deno.test("countBytes() agrees with TextEncoder on random text, lone surrogates included", () => {
  const random = seededRandom(2);
  const ranges = [0x80, 0x800, 0x10000] as const;
  for (let round = 0; round < 3_000; round++) {
    let text = "";
    for (let i = randomInteger(random, 20); i > 0; i--) {
      const range = randomInteger(random, 5);
      text += range < 3
        ? String.fromCharCode(randomInteger(random, ranges[range] ?? 1))
        : range === 3
        ? String.fromCharCode(0xd800 + randomInteger(random, 0x800))
        : String.fromCodePoint(0x10000 + randomInteger(random, 0x100000));
    }
    assertEquals(
      countBytes(text),
      ENCODER.encode(text).length,
      JSON.stringify(text),
    );
  }
});

Deno.test("countBytes() counts bytes of UTF-8, whatever the length", () => {
  for (const unit of ["a", "é", "€", "😀", "\ud800", '\n"\\', "a€😀"]) {
    for (const times of [0, 1, 255, 65_536, 131_071, 131_072, 131_073, 262_143]) {
      const text = unit.repeat(times);
      assertEquals(countBytes(text), ENCODER.encode(text).length, `${times} times ${unit}`);
    }
  }
});

Deno.test("fitBytes() takes as many whole characters as fit", () => {
  const table: [text: string, start: number, room: number, read: number, written: number][] = [
    ["abcdef", 0, 5, 5, 5],
    ["abcdef", 4, 5, 2, 2],
    ["€€x", 0, 5, 1, 3],
    ["€€x", 1, 5, 2, 4],
    ["ab😀c", 0, 5, 2, 2],
    ["ab😀c", 2, 5, 3, 5],
    ["abc\ud83d", 0, 5, 3, 3],
  ];
  for (const [text, start, room, read, written] of table) {
    const fit = fitBytes(text, start, room);
    assertEquals([fit.read, fit.written], [read, written], JSON.stringify(text));
  }
});

Deno.test("fitBytes() takes one character at least", () => {
  assertEquals(fitBytes("😀😀", 2, 1).read, 2);
  assertEquals(fitBytes("€€", 0, 1).read, 1);
});

Deno.test("fitBytes() never ends within a pair, wherever the room ends", () => {
  const text = "😀a".repeat(1_000);
  for (let room = 4; room < 200; room++) {
    const { read, written } = fitBytes(text, 0, room);
    assert(text.slice(0, read).isWellFormed(), `${room}`);
    assert(written <= room && room - written < 4, `${written} of ${room}`);
  }
});
