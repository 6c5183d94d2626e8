import { assertEquals, assertStrictEquals } from "@std/assert";
import { LineWriter } from "../../protocol/line_writer.ts";
import { until } from "../support/until.ts";

interface Setting {
  readonly writer: LineWriter;
  readonly written: string[];
  readonly faults: unknown[];
  /** Lets the reader take one line. */
  take(): void;
  isClosed(): boolean;
}

function setUp(maxBytes = 10, fail?: Error): Setting {
  const written: string[] = [];
  const faults: unknown[] = [];
  const waiting: (() => void)[] = [];
  let taken = 0;
  let isClosed = false;
  const stream = new WritableStream<Uint8Array>({
    write(bytes) {
      if (fail !== undefined) throw fail;
      written.push(new TextDecoder().decode(bytes));
      if (taken > 0) {
        taken--;
        return;
      }
      return new Promise<void>((resolve) => waiting.push(resolve));
    },
    close() {
      isClosed = true;
    },
  });
  return {
    writer: new LineWriter(stream, maxBytes, (error) => faults.push(error)),
    written,
    faults,
    take() {
      const next = waiting.shift();
      if (next === undefined) taken++;
      else next();
    },
    isClosed: () => isClosed,
  };
}

Deno.test("LineWriter.write() writes lines in order", async () => {
  const { writer, written, take } = setUp();
  assertEquals([writer.write("a"), writer.write("ä")], [true, true]);
  assertEquals(writer.queuedBytes, 5);
  await until(() => written.length === 1);
  take();
  await until(() => written.length === 2);
  assertEquals([written, writer.queuedBytes], [["a\n", "ä\n"], 3]);
  take();
  await until(() => writer.queuedBytes === 0);
});

Deno.test("LineWriter.write() refuses what exceeds its bound, until something was taken", async () => {
  const { writer, written, take } = setUp(6);
  assertEquals([writer.write("12"), writer.write("34")], [true, true]);
  assertEquals([writer.write(""), writer.queuedBytes], [false, 6]);
  await until(() => written.length === 1);
  take();
  await until(() => writer.queuedBytes === 3);
  assertEquals(writer.write("56"), true);
});

Deno.test("LineWriter.write() takes one longer line alone", () => {
  const { writer } = setUp(4);
  assertEquals([writer.write("123456"), writer.write("")], [true, false]);
});

Deno.test("LineWriter.close() writes what waits, and can be called twice", async () => {
  const { writer, written, take, isClosed } = setUp();
  writer.write("a");
  writer.write("b");
  const closed = writer.close();
  assertStrictEquals(writer.close(), closed);
  assertEquals(isClosed(), false);
  take();
  take();
  await closed;
  assertEquals([written, isClosed()], [["a\n", "b\n"], true]);
});

Deno.test("LineWriter tells once why nothing can be written, and close() does not reject", async () => {
  const broken = new Error("broken pipe");
  const { writer, faults } = setUp(10, broken);
  writer.write("a");
  writer.write("b");
  await until(() => faults.length > 0);
  await writer.close();
  assertEquals(faults, [broken]);
});
