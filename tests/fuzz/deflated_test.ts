import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { deflateRawSync, inflateRawSync } from "node:zlib";
import { type Codec, StreamCodec, ZlibCodec } from "../../protocol/session/codec.ts";
import { noCompression } from "../../protocol/session/compression_totals.ts";
import { Deflater } from "../../protocol/session/deflater.ts";
import { DeflatingWire } from "../../protocol/session/deflating_wire.ts";
import { Inflater } from "../../protocol/session/inflater.ts";
import { MAX_FRAME_BYTES } from "../../protocol/session/frames.ts";
import { fuzz } from "./_fuzz.ts";
import { anyText } from "./_texts.ts";

const CODECS: readonly Codec[] = [
  new ZlibCodec({ deflateRawSync, inflateRawSync }),
  new StreamCodec(),
];
const codec = fc.constantFrom(...CODECS);
/** Some large enough and repetitive, so that they are deflated. */
const texts = fc.array(
  fc.tuple(anyText, fc.integer({ min: 1, max: 40 })).map(([text, times]) => text.repeat(times))
    .filter((text) => text.isWellFormed() && text.length < 20_000),
  { maxLength: 12 },
);
/** Bytes of any kind, and such as begin well. */
const wild = fc.oneof(
  fc.uint8Array({ maxLength: 300 }),
  fc.uint8Array({ maxLength: 300 }).map((tail) => new Uint8Array([1, ...tail])),
  fc.tuple(fc.string(), fc.nat(), fc.nat()).map(([text, at, value]) => {
    const frame = new Uint8Array([1, ...deflateRawSync(text.repeat(20))]);
    frame[1 + at % (frame.length - 1)] = value & 255;
    return frame;
  }),
);

/** An inflater, all that it tells, and when it has. */
function listen(codec: Codec) {
  const told: string[] = [];
  const violations: string[] = [];
  const inflater = new Inflater(codec, noCompression(), {
    frame: (text) => told.push(text),
    violation: (reason) => violations.push(reason),
  });
  const done = () => new Promise<void>((resolve) => inflater.after(resolve));
  return { told, violations, inflater, done };
}

fuzz(
  "DeflatingWire and Inflater return any frames as they were, in order",
  300,
  fc.asyncProperty(texts, codec, codec, async (sent, ours, theirs) => {
    const { told, violations, inflater, done } = listen(theirs);
    const all = Promise.withResolvers<void>();
    let left = sent.length;
    if (left === 0) all.resolve();
    const wire = new DeflatingWire({
      isCongested: false,
      bufferedAmount: 0,
      send(frame) {
        inflater.take(typeof frame === "string" ? frame : frame.buffer);
        if (--left === 0) all.resolve();
      },
    }, new Deflater(ours, 16, noCompression()));
    wire.agree(["deflate"]);
    for (const text of sent) wire.send(text);
    await all.promise;
    await done();
    assertEquals([told, violations], [sent, []]);
  }),
);

fuzz(
  "Inflater makes of any bytes one bounded text or one violation",
  1_000,
  fc.asyncProperty(wild, codec, async (bytes, codec) => {
    const { told, violations, inflater, done } = listen(codec);
    inflater.take(new Uint8Array(bytes).buffer);
    await done();
    assertEquals(told.length + violations.length, 1);
    assert((told[0]?.length ?? 0) <= MAX_FRAME_BYTES);
  }),
);
