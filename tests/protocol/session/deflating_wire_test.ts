import { assert, assertEquals } from "@std/assert";
import { deflateRawSync, inflateRawSync } from "node:zlib";
import { type Codec, StreamCodec, ZlibCodec } from "../../../protocol/session/codec.ts";
import { noCompression } from "../../../protocol/session/compression_totals.ts";
import { Deflater } from "../../../protocol/session/deflater.ts";
import { type BinaryWire, DeflatingWire } from "../../../protocol/session/deflating_wire.ts";
import { image, toolList } from "../../support/compressible.ts";

/** A wire that reads what it carries. */
class ReadingWire implements BinaryWire {
  readonly texts: string[] = [];
  readonly kinds: string[] = [];
  bufferedAmount = 10;
  isCongested = false;

  send(frame: string | Uint8Array): void {
    const isText = typeof frame === "string";
    this.kinds.push(isText ? "text" : "binary");
    this.texts.push(isText ? frame : inflateRawSync(frame.subarray(1)).toString());
  }
}

const ZLIB = new ZlibCodec({ deflateRawSync, inflateRawSync });
const LARGE = toolList(8_000);

function create(codec: Codec, accept: readonly string[] = ["deflate"]) {
  const inner = new ReadingWire();
  const wire = new DeflatingWire(inner, new Deflater(codec, 1_024, noCompression()));
  wire.agree(accept);
  return { inner, wire };
}

/** Resolves when all that was sent has left. */
async function settled(inner: ReadingWire, count: number): Promise<void> {
  while (inner.texts.length < count) await new Promise((resolve) => setTimeout(resolve, 1));
}

Deno.test("DeflatingWire.send() sends at once what is deflated at once", () => {
  const { inner, wire } = create(ZLIB);
  for (const text of ["{}", LARGE, "[]", image(2_000)]) wire.send(text);
  assertEquals(inner.kinds, ["text", "binary", "text", "text"]);
  assertEquals(inner.texts, ["{}", LARGE, "[]", image(2_000)]);
  assertEquals(wire.bufferedAmount, 10);
});

Deno.test("DeflatingWire.send() sends text alone to whom does not say it reads more", () => {
  for (const accept of [[], ["brotli"], ["DEFLATE"]]) {
    const { inner, wire } = create(ZLIB, accept);
    wire.send(LARGE);
    assertEquals(inner.kinds, ["text"]);
  }
});

Deno.test("DeflatingWire.send() keeps the order while frames are being deflated", async () => {
  const { inner, wire } = create(new StreamCodec());
  const texts = Array.from(
    { length: 40 },
    (_, at) => at % 3 === 0 ? toolList(1_500 + at) : `{${at}}`,
  );
  for (const text of texts.slice(0, 20)) wire.send(text);
  await settled(inner, 5);
  for (const text of texts.slice(20)) wire.send(text);
  await settled(inner, texts.length);
  assertEquals(inner.texts, texts);
  assertEquals(inner.kinds, texts.map((_, at) => at % 3 === 0 ? "binary" : "text"));
});

Deno.test("DeflatingWire counts what waits as buffered, and is congested by too much of it", async () => {
  const gate = Promise.withResolvers<void>();
  const { inner, wire } = create({
    deflate: async (text) => {
      await gate.promise;
      return ZLIB.deflate(text);
    },
    inflate: () => "",
  });
  wire.send(LARGE);
  wire.send("{}");
  assertEquals([wire.bufferedAmount, wire.isCongested], [10 + LARGE.length + 2, false]);
  wire.send(`{${"x".repeat(2 ** 20)}}`);
  assert(wire.isCongested);
  gate.resolve();
  await settled(inner, 3);
  await Promise.resolve();
  assertEquals([wire.bufferedAmount, wire.isCongested], [10, false]);
});
