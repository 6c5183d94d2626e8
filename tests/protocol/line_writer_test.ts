import { assertEquals } from "@std/assert";
import { LineWriter } from "../../protocol/line_writer.ts";

function sink(): { stream: WritableStream<Uint8Array>; lines: string[]; open: () => void } {
  const lines: string[] = [];
  const gate = Promise.withResolvers<void>();
  const stream = new WritableStream<Uint8Array>({
    async write(chunk) {
      await gate.promise;
      lines.push(new TextDecoder().decode(chunk));
    },
  });
  return { stream, lines, open: gate.resolve };
}

Deno.test("LineWriter writes lines in order, and what waits before the end", async () => {
  const { stream, lines, open } = sink();
  const writer = new LineWriter(stream, 100, () => {});
  assertEquals([writer.write("a"), writer.write("é")], [true, true]);
  assertEquals(writer.queuedBytes, 5);
  open();
  await writer.close();
  await writer.close();
  assertEquals(lines, ["a\n", "é\n"]);
  assertEquals(writer.queuedBytes, 0);
});

Deno.test("LineWriter refuses what does not fit, but lets one long line wait alone", async () => {
  const { stream, lines, open } = sink();
  const writer = new LineWriter(stream, 4, () => {});
  assertEquals([writer.write("long line"), writer.write("b")], [true, false]);
  open();
  await writer.close();
  assertEquals(lines, ["long line\n"]);
});

Deno.test("LineWriter tells once that its reader has gone", async () => {
  const told = Promise.withResolvers<unknown>();
  const stream = new WritableStream<Uint8Array>({ write: () => Promise.reject("gone") });
  let faults = 0;
  const writer = new LineWriter(stream, 100, (error) => {
    faults++;
    told.resolve(error);
  });
  writer.write("a");
  writer.write("b");
  assertEquals(await told.promise, "gone");
  writer.write("c");
  await writer.close();
  assertEquals(faults, 1);
});
