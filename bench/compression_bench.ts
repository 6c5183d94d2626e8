/**
 * How long a frame of 64 KiB takes to be deflated and inflated, and what becomes
 * of it: by content, by level of `node:zlib`, and with the streams of browsers.
 *
 * @module
 */

import { deflateRawSync, inflateRawSync } from "node:zlib";
import { StreamCodec } from "../protocol/session/codec.ts";
import { image, toolList } from "../tests/support/compressible.ts";

const SIZE = 64 * 1024;
const SOURCES = ["server/server.ts", "server/handler.ts", "server/options.ts", "client/client.ts"];
const LEVELS = [1, 2, 3, 6] as const;

const read = (file: string) => Deno.readTextFile(new URL(`../${file}`, import.meta.url));
const code = (await Promise.all(SOURCES.map(read))).join("").slice(0, SIZE);
const contents = {
  "list of tools": toolList(SIZE),
  "source code": JSON.stringify({ jsonrpc: "2.0", id: 1, result: { content: [{ text: code }] } }),
  "image": image(SIZE * 3 / 4),
};
const streams = new StreamCodec();

for (const [content, text] of Object.entries(contents)) {
  for (const level of LEVELS) {
    const data = new Uint8Array(deflateRawSync(text, { level }));
    const sizes = `${text.length} to ${data.length} bytes`;
    Deno.bench({
      name: `deflate, level ${level}, ${sizes}`,
      group: content,
      fn: () => void deflateRawSync(text, { level }),
    });
    if (level !== 2) continue;
    Deno.bench({
      name: "inflate",
      group: content,
      fn: () => void inflateRawSync(data, { maxOutputLength: 2 * SIZE }),
    });
  }
  Deno.bench({
    name: "deflate with a stream",
    group: content,
    fn: async () => void await streams.deflate(text),
  });
}
