import { assert, assertEquals, assertInstanceOf } from "@std/assert";
import { deflateRawSync, inflateRawSync } from "node:zlib";
import { type Codec, StreamCodec, ZlibCodec } from "../../../protocol/session/codec.ts";
import { noCompression } from "../../../protocol/session/compression_totals.ts";
import { Deflater, isDense } from "../../../protocol/session/deflater.ts";
import { image, toolList } from "../../support/compressible.ts";

/** A deflater, and how often its codec was asked. */
function create(
  threshold = 1_024,
  codec: Codec = new ZlibCodec({ deflateRawSync, inflateRawSync }),
) {
  const asked: string[] = [];
  const totals = noCompression();
  const counting: Codec = {
    deflate: (text) => {
      asked.push(text);
      return codec.deflate(text);
    },
    inflate: (data, maxBytes) => codec.inflate(data, maxBytes),
  };
  return { asked, totals, deflater: new Deflater(counting, threshold, totals) };
}

Deno.test("Deflater.deflate() gives the kind, then the deflated text, and counts it", () => {
  const { deflater, totals } = create();
  const text = toolList(4_096);
  const frame = deflater.deflate(text);
  assertInstanceOf(frame, Uint8Array);
  assertEquals(frame[0], 1);
  assertEquals(inflateRawSync(frame.subarray(1)).toString(), text);
  const { framesSent, bytesSavedSending } = totals;
  assertEquals([framesSent, bytesSavedSending], [1, text.length - frame.length]);
});

Deno.test("Deflater.deflate() leaves frames below the threshold in bytes as they are", () => {
  const { deflater, asked } = create(300);
  assertEquals(deflater.deflate("x".repeat(299)), undefined);
  assertEquals(deflater.deflate("é".repeat(149)), undefined);
  assertEquals(asked, []);
  assert(deflater.deflate("x".repeat(300)) !== undefined);
  assert(deflater.deflate("é".repeat(150)) !== undefined);
});

Deno.test("Deflater.deflate() does not try what looks compressed", () => {
  const { deflater, asked, totals } = create();
  assertEquals(deflater.deflate(image(48 * 1024)), undefined);
  assertEquals([asked, totals.framesSent], [[], 0]);
});

Deno.test("Deflater.deflate() sends as it is what did not become smaller", () => {
  const useless: Codec = {
    deflate: (text) => new Uint8Array(Math.ceil(text.length * 0.9)),
    inflate: () => "",
  };
  const { deflater, totals } = create(1, useless);
  assertEquals(deflater.deflate("x".repeat(1_000)), undefined);
  assertEquals(totals, noCompression());
});

Deno.test("Deflater.deflate() works once on a frame that many get", () => {
  const { deflater, asked, totals } = create();
  const pieces = Array.from({ length: 8 }, (_, at) => `+${at}${toolList(2_000)}`);
  const receivers = Array.from({ length: 100 }, () => pieces.map((text) => deflater.deflate(text)));
  assertEquals([asked.length, totals.framesSent], [8, 800]);
  for (const frames of receivers) assertEquals(frames, receivers[0]);
});

Deno.test("Deflater.deflate() works once on a frame that many get while it is worked on", async () => {
  const { deflater, asked } = create(1, new StreamCodec());
  const text = toolList(5_000);
  const frames = await Promise.all([1, 2, 3].map(() => deflater.deflate(text)));
  assertEquals([asked.length, frames[0] instanceof Uint8Array], [1, true]);
  assertEquals(frames, Array(3).fill(frames[0]));
});

Deno.test("Deflater.deflate() sends as it is what could not be deflated", async () => {
  const broken: Codec = {
    deflate: () => Promise.reject(new Error("no memory")),
    inflate: () => "",
  };
  const { deflater } = create(1, broken);
  assertEquals(await deflater.deflate("x".repeat(1_000)), undefined);
});

Deno.test("isDense() tells base64 of random bytes from what can be made smaller", async () => {
  const source = await Deno.readTextFile(new URL(import.meta.url));
  const hexadecimal = Array.from({ length: 200 }, () => crypto.randomUUID()).join();
  const numbers = JSON.stringify(Array.from({ length: 2_000 }, () => Math.random()));
  assertEquals([image(3_000), image(90_000)].map(isDense), [true, true]);
  const sparse = [toolList(1_024), toolList(60_000), source, hexadecimal, numbers];
  assertEquals(sparse.map(isDense), sparse.map(() => false));
});
