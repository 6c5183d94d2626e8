import { assertEquals } from "@std/assert";
import { deflateRawSync, inflateRawSync } from "node:zlib";
import { type Codec, StreamCodec, ZlibCodec } from "../../../protocol/session/codec.ts";
import { noCompression } from "../../../protocol/session/compression_totals.ts";
import { Inflater } from "../../../protocol/session/inflater.ts";
import { toolList } from "../../support/compressible.ts";

const CODECS: Record<string, Codec> = {
  ZlibCodec: new ZlibCodec({ deflateRawSync, inflateRawSync }),
  StreamCodec: new StreamCodec(),
};
const MALFORMED = "A deflated frame is malformed or too large";

/** A binary frame. */
const frame = (text: string | Uint8Array, kind = 1) =>
  new Uint8Array([kind, ...deflateRawSync(text)]).buffer;

/** An inflater, what it has told, and when it is done with what it was given. */
function create(codec: Codec) {
  const told: string[] = [];
  const totals = noCompression();
  const inflater = new Inflater(codec, totals, {
    frame: (text) => told.push(text),
    violation: (reason) => told.push(`violation: ${reason}`),
  });
  const done = () => new Promise<void>((resolve) => inflater.after(resolve));
  return { told, totals, inflater, done };
}

for (const [name, codec] of Object.entries(CODECS)) {
  Deno.test(`Inflater keeps the order of all frames with ${name}`, async () => {
    const { told, totals, inflater, done } = create(codec);
    const texts = Array.from({ length: 30 }, (_, at) => at % 2 ? toolList(3_000 + at) : `{${at}}`);
    for (const text of texts) inflater.take(text.length > 100 ? frame(text) : text);
    await done();
    assertEquals(told, texts);
    const sent = texts.filter((text) => text.length > 100);
    const size = sent.reduce((sum, text) => sum + frame(text).byteLength, 0);
    assertEquals(totals, {
      ...noCompression(),
      framesReceived: 15,
      bytesSavedReceiving: sent.join("").length - size,
    });
  });

  Deno.test(`Inflater tells of a wrong frame once, and of nothing after it, with ${name}`, async () => {
    const cases: [string, ArrayBuffer][] = [
      ["Unknown kind of frame", new ArrayBuffer(0)],
      ["Unknown kind of frame", frame("{}", 0)],
      ["Unknown kind of frame", frame("{}", 2)],
      ["A deflated frame is too large", new Uint8Array(128 * 1024 + 1).fill(1).buffer],
      [MALFORMED, new Uint8Array([1, 0xff, 0xff]).buffer],
      [MALFORMED, frame("x".repeat(128 * 1024 + 1))],
      [MALFORMED, frame(new Uint8Array(10_000_000))],
    ];
    for (const [reason, data] of cases) {
      const { told, inflater, done } = create(codec);
      inflater.take("{1}");
      inflater.take(data);
      inflater.take("{2}");
      inflater.take(frame("{3}"));
      await done();
      assertEquals(told, ["{1}", `violation: ${reason}`]);
    }
  });
}

Deno.test("Inflater.after() runs at once as long as nothing is being inflated", () => {
  const { told, inflater } = create(CODECS.ZlibCodec as Codec);
  inflater.take(frame("{1}"));
  inflater.after(() => void told.push("after"));
  assertEquals(told, ["{1}", "after"]);
});

Deno.test("Inflater lets only so much wait", async () => {
  const { told, inflater, done } = create(CODECS.StreamCodec as Codec);
  // It is found out to be wrong, too, when that was told.
  inflater.take(new Uint8Array([1, 0xff]).buffer);
  const large = "x".repeat(2 ** 20);
  for (let count = 0; count < 17; count++) inflater.take(large);
  assertEquals(told, ["violation: Too much waits to be inflated"]);
  await done();
  assertEquals(told.length, 1);
});

/** Inflates one frame at a time, when it is told to. */
class SlowCodec implements Codec {
  #finish: (() => void) | undefined;

  deflate(): never {
    throw new Error("It only inflates");
  }

  inflate(): Promise<string> {
    const { promise, resolve } = Promise.withResolvers<string>();
    this.#finish = () => resolve("{}");
    return promise;
  }

  /** Ends the work on the present frame; resolves when the next one is at work, if there is one. */
  async finish(): Promise<void> {
    this.#finish?.();
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
}

Deno.test("Inflater forgets what has waited: a stream that never pauses goes on for ever", async () => {
  const codec = new SlowCodec();
  const { told, inflater } = create(codec);
  const text = "{" + "x".repeat(1024 * 1024);
  inflater.take(frame("{}"));
  for (let n = 0; n < 20; n++) {
    inflater.take(text);
    inflater.take(frame("{}"));
    await codec.finish();
  }
  assertEquals([told.length, told.filter((text) => text.startsWith("v"))], [40, []]);
  await codec.finish();
});

Deno.test("Inflater lets only so many frames wait, however small they are", () => {
  const { told, inflater } = create(new SlowCodec());
  inflater.take(frame("{}"));
  for (let n = 0; n < 100_000 && told.length === 0; n++) inflater.take(new ArrayBuffer(0));
  assertEquals(told, ["violation: Too much waits to be inflated"]);
});
