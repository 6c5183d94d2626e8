import { assertEquals } from "@std/assert";
import { LineSplitter, readLines } from "../../protocol/line_splitter.ts";

const encoder = new TextEncoder();

function split(pieces: readonly (string | Uint8Array)[], maxBytes = 10): [string[], string[]] {
  const faults: string[] = [];
  const splitter = new LineSplitter(maxBytes, ({ message }) => faults.push(message));
  const lines = pieces.flatMap((piece) => [
    ...splitter.push(typeof piece === "string" ? encoder.encode(piece) : piece),
  ]);
  return [[...lines, ...splitter.end()], faults];
}

Deno.test("LineSplitter finds lines in whatever pieces they come", () => {
  const table: [string[], string[]][] = [
    [[], []],
    [["a\n"], ["a"]],
    [["a\nb\nc"], ["a", "b", "c"]],
    [["a", "b\n", "c\n"], ["ab", "c"]],
    [["a\n", "\n", "  \n", "b"], ["a", "b"]],
    [["a\r\n"], ["a\r"]],
    [["1234567890\n"], ["1234567890"]],
    [["12345", "67890", "\n"], ["1234567890"]],
  ];
  for (const [pieces, lines] of table) assertEquals(split(pieces), [lines, []]);
});

Deno.test("LineSplitter puts characters together that were cut in two", () => {
  const bytes = encoder.encode("é€😀\n");
  for (let cut = 0; cut <= bytes.length; cut++) {
    assertEquals(split([bytes.subarray(0, cut), bytes.subarray(cut)]), [["é€😀"], []]);
  }
});

Deno.test("LineSplitter drops a line that is too long, and only that", () => {
  const fault = "Line of 11 bytes was dropped as at most 10 are taken";
  assertEquals(split(["12345678901\nb\n"]), [["b"], [fault]]);
  assertEquals(split(["a\n123456", "78901\nb"]), [["a", "b"], [fault]]);
  assertEquals(split(["12345678901"]), [[], [fault]]);
});

Deno.test("LineSplitter drops a line that is no UTF-8", () => {
  const [lines, faults] = split([new Uint8Array([0xff, 0x0a, 0x61, 0x0a])]);
  assertEquals(lines, ["a"]);
  assertEquals(faults, ["Line of 1 bytes was dropped as it is no UTF-8"]);
});

Deno.test("readLines() reads the next piece when the lines of the last one were taken", async () => {
  let pulled = 0;
  const stream = new ReadableStream<Uint8Array>({
    pull(controller) {
      controller.enqueue(encoder.encode(`${++pulled}a\n${pulled}b\n`));
      if (pulled === 3) controller.close();
    },
  }, { highWaterMark: 0 });
  const seen: [string, number][] = [];
  const splitter = new LineSplitter(10, () => {});
  for await (const line of readLines(stream.getReader(), splitter)) seen.push([line, pulled]);
  assertEquals(seen, [["1a", 1], ["1b", 1], ["2a", 2], ["2b", 2], ["3a", 3], ["3b", 3]]);
});
