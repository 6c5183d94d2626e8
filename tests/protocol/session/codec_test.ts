import { assert, assertEquals, assertRejects } from "@std/assert";
import { deflateRawSync, inflateRawSync } from "node:zlib";
import { type Codec, StreamCodec, ZlibCodec } from "../../../protocol/session/codec.ts";
import { toolList } from "../../support/compressible.ts";

const CODECS: Record<string, Codec> = {
  ZlibCodec: new ZlibCodec({ deflateRawSync, inflateRawSync }),
  StreamCodec: new StreamCodec(),
};
const LIMIT = 128 * 1024;

const bytes = (data: Uint8Array | string) => new Uint8Array(deflateRawSync(data));
const inflate = async (codec: Codec, data: Uint8Array<ArrayBuffer>) =>
  await codec.inflate(data, LIMIT);

for (const [name, codec] of Object.entries(CODECS)) {
  Deno.test(`${name} returns any text as it was`, async () => {
    const texts = ["", "{}", "\ufeff{}", "é\u{1f600}\0", toolList(100_000)];
    for (const text of texts) {
      const data = new Uint8Array(await codec.deflate(text));
      assertEquals(await inflate(codec, data), text);
    }
  });

  Deno.test(`${name} makes a tenth of a list of tools`, async () => {
    const text = toolList(64 * 1024);
    const data = await codec.deflate(text);
    assert(data.length * 10 < text.length, `${data.length} of ${text.length}`);
  });

  Deno.test(`${name} reads what the other has written`, async () => {
    const text = toolList(10_000);
    for (const other of Object.values(CODECS)) {
      assertEquals(await inflate(codec, new Uint8Array(await other.deflate(text))), text);
    }
  });

  Deno.test(`${name}.inflate() takes as much as is allowed, and not a byte more`, async () => {
    const exact = "x".repeat(LIMIT);
    assertEquals(await inflate(codec, bytes(exact)), exact);
    await assertRejects(() => inflate(codec, bytes(exact + "x")), RangeError);
  });

  Deno.test(`${name}.inflate() stops early in a bomb`, async () => {
    const bomb = bytes(new Uint8Array(100 * 1024 * 1024));
    assert(bomb.length < 128 * 1024);
    const { rss } = Deno.memoryUsage();
    await assertRejects(() => inflate(codec, bomb), RangeError);
    const grown = Deno.memoryUsage().rss - rss;
    assert(grown < 50 * 1024 * 1024, `${grown} bytes were taken`);
  });

  Deno.test(`${name}.inflate() refuses what is not deflated text`, async () => {
    const sound = bytes("hello, hello, hello");
    const wrong = {
      garbage: new Uint8Array([0xff, 0xfe, 0xfd]),
      "invalid UTF-8": bytes(new Uint8Array([0xc3, 0x28])),
      "a wrong block": new Uint8Array([0x07, ...sound]),
    };
    for (const [what, data] of Object.entries(wrong)) {
      await assertRejects(() => inflate(codec, data), Error, undefined, what);
    }
  });
}

Deno.test("ZlibCodec.inflate() refuses data that is cut off, and what follows it", async () => {
  const codec = CODECS.ZlibCodec as Codec;
  const sound = bytes("hello, hello, hello");
  for (const data of [new Uint8Array(0), sound.slice(0, -2), new Uint8Array([...sound, 0])]) {
    await assertRejects(() => inflate(codec, data), Error, undefined, `${data.length} bytes`);
  }
});

Deno.test("StreamCodec works on many frames at once, and again after one that failed", async () => {
  const codec = new StreamCodec();
  const texts = Array.from({ length: 20 }, (_, at) => toolList(2_000 + at));
  const deflated = await Promise.all(texts.map((text) => codec.deflate(text)));
  const bad = new Uint8Array([0xff]);
  const outcomes = await Promise.allSettled([
    ...Array.from({ length: 10 }, () => codec.inflate(bad, LIMIT)),
    ...deflated.map((data) => codec.inflate(new Uint8Array(data), LIMIT)),
  ]);
  const read = outcomes.map((outcome) => outcome.status === "fulfilled" && outcome.value);
  assertEquals(read, [...Array(10).fill(false), ...texts]);
});
