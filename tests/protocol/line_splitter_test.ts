import { assertEquals, assertInstanceOf } from "@std/assert";
import { LineSplitter, readLines } from "../../protocol/line_splitter.ts";
import { randomInteger, seededRandom } from "../support/random.ts";

interface Setting {
  readonly splitter: LineSplitter;
  readonly faults: Error[];
  /** The lines that are complete with these bytes. */
  push(text: string | Uint8Array): string[];
}

function setUp(maxBytes = 100): Setting {
  const faults: Error[] = [];
  const splitter = new LineSplitter(maxBytes, (error) => faults.push(error));
  return {
    splitter,
    faults,
    push: (text) => [
      ...splitter.push(typeof text === "string" ? new TextEncoder().encode(text) : text),
    ],
  };
}

for (
  const [title, pieces, expected] of [
    ["a line", ["a\n"], ["a"]],
    ["several lines in one piece", ["a\nb\nc\n"], ["a", "b", "c"]],
    ["a line in several pieces", ["a", "b", "", "c\n"], ["abc"]],
    ["a newline of its own", ["a", "\n", "b\n"], ["a", "b"]],
    ["blank lines", ["\n \n\r\n\t\na\n\n"], ["a"]],
    ["a line that is not complete", ["a\nb"], ["a"]],
    ["nothing", [""], []],
  ] as const
) {
  Deno.test(`LineSplitter.push() splits ${title}`, () => {
    const { push, faults } = setUp();
    assertEquals(pieces.flatMap((piece) => push(piece)), [...expected]);
    assertEquals(faults, []);
  });
}

Deno.test("LineSplitter.end() gives what is left over, once", () => {
  const { splitter, push } = setUp();
  push("a\nb");
  assertEquals([...splitter.end()], ["b"]);
  assertEquals([...splitter.end()], []);
});

Deno.test("LineSplitter.push() takes a line exactly at its bound, and drops one byte more", () => {
  const { push, faults } = setUp(4);
  assertEquals(push("äö\n12345\nab\n"), ["äö", "ab"]);
  assertEquals(faults.map(({ message }) => message), [
    "Line of 5 bytes was dropped as at most 4 are taken",
  ]);
  assertInstanceOf(faults[0], RangeError);
});

Deno.test("LineSplitter.push() counts the whole of a long line that comes in pieces", () => {
  const { push, faults } = setUp(4);
  assertEquals([push("123"), push("456"), push("789\nab\n")].flat(), ["ab"]);
  assertEquals(faults.map(({ message }) => message), [
    "Line of 9 bytes was dropped as at most 4 are taken",
  ]);
});

Deno.test("LineSplitter.push() drops a line that is no UTF-8, and reads the next", () => {
  const { push, faults } = setUp();
  assertEquals(push(new Uint8Array([0x61, 0xff, 0x0a, 0x62, 0x0a])), ["b"]);
  assertInstanceOf(faults[0], TypeError);
  assertEquals(faults.length, 1);
});

Deno.test("LineSplitter.push() gives the same lines, wherever the pieces are cut", () => {
  const lines = ["{}", "äöü", "漢字🪢", "x".repeat(50)];
  const bytes = new TextEncoder().encode(lines.join("\n") + "\n");
  for (let seed = 0; seed < 200; seed++) {
    const random = seededRandom(seed);
    const { push } = setUp();
    const found: string[] = [];
    for (let at = 0; at < bytes.length;) {
      const end = at + 1 + randomInteger(random, 20);
      found.push(...push(bytes.subarray(at, end)));
      at = end;
    }
    assertEquals(found, lines, `seed ${seed}`);
  }
});

Deno.test("readLines() reads a stream to its end, the last line without newline as well", async () => {
  const { splitter } = setUp();
  const stream = new Blob(["a\nb", "c\nd"]).stream();
  const lines: string[] = [];
  for await (const line of readLines(stream.getReader(), splitter)) lines.push(line);
  assertEquals(lines, ["a", "bc", "d"]);
});

Deno.test("readLines() reads the next piece only when the lines of the last one were taken", async () => {
  const { splitter } = setUp();
  let pulls = 0;
  const stream = new ReadableStream<Uint8Array>({
    pull(controller) {
      pulls++;
      controller.enqueue(new TextEncoder().encode("a\nb\n"));
    },
  }, { highWaterMark: 0 });
  const reader = stream.getReader();
  const lines = readLines(reader, splitter);
  await lines.next();
  await lines.next();
  assertEquals(pulls, 1);
  await lines.next();
  assertEquals(pulls, 2);
  await reader.cancel();
});
