/**
 * Deflates and inflates frames (RFC 1951), at once where the runtime can, else
 * in a while.
 */
export interface Codec {
  /** The bytes of a text, deflated. */
  deflate(text: string): Uint8Array | Promise<Uint8Array>;
  /**
   * The text of deflated bytes. It throws, or rejects, if they are none.
   *
   * @param data The bytes.
   * @param maxBytes The most that they may be inflated; work stops above it.
   */
  inflate(data: Bytes, maxBytes: number): string | Promise<string>;
}

/** Bytes as a socket takes them. */
export type Bytes = Uint8Array<ArrayBuffer>;

/** `node:zlib`, as far as it is used here. */
export interface Zlib {
  /** Deflates. */
  deflateRawSync(text: string, options: { readonly level: number }): Uint8Array;
  /** Inflates; with `info`, what it returns tells how much was read. */
  inflateRawSync(
    data: Bytes,
    options: { readonly maxOutputLength: number; readonly info: true },
  ): unknown;
}

/** What `inflateRawSync()` returns with `info`, which its types do not know. */
interface Inflated {
  readonly buffer: Uint8Array;
  readonly engine: { readonly bytesWritten: number };
}

/** Nearly as small as the usual 6 where text repeats itself, in half the time: see docs/compression.md. */
const LEVEL = 2;
/** A slice of this many bytes inflates to a megabyte at most: work stops between slices. */
const SLICE_BYTES = 1_024;
/** How many frames streams deflate or inflate at once, over all connections. */
const MAX_STREAMS = 4;

const ENCODER = new TextEncoder();

/** Works at once, with `node:zlib`: for a frame it takes less than a millisecond. */
export class ZlibCodec implements Codec {
  readonly #zlib: Zlib;

  /** @param zlib The module. */
  constructor(zlib: Zlib) {
    this.#zlib = zlib;
  }

  /** See {@linkcode Codec}. */
  deflate(text: string): Uint8Array {
    return this.#zlib.deflateRawSync(text, { level: LEVEL });
  }

  /** See {@linkcode Codec}. */
  inflate(data: Bytes, maxBytes: number): string {
    const options = { maxOutputLength: maxBytes, info: true } as const;
    const { buffer, engine } = this.#zlib.inflateRawSync(data, options) as Inflated;
    if (engine.bytesWritten !== data.length) throw new TypeError("Cannot inflate: data follows");
    return decode(buffer);
  }
}

/** Works with the streams of the platform: browsers have nothing else. */
export class StreamCodec implements Codec {
  /** Frames that wait for others; each connection has two at most. */
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  /** See {@linkcode Codec}. */
  deflate(text: string): Promise<Uint8Array> {
    return this.#inTurn(async () => {
      return await pass(new CompressionStream("deflate-raw"), [ENCODER.encode(text)], Infinity);
    });
  }

  /** See {@linkcode Codec}. Some runtimes take data that is cut off for all there is. */
  inflate(data: Bytes, maxBytes: number): Promise<string> {
    return this.#inTurn(async () => {
      const stream = new DecompressionStream("deflate-raw");
      return decode(await pass(stream, slices(data), maxBytes));
    });
  }

  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (this.#running === MAX_STREAMS) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    } else this.#running++;
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      // The place is handed on.
      if (next === undefined) this.#running--;
      else next();
    }
  }
}

function decode(bytes: Uint8Array): string {
  return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
}

function* slices(data: Bytes): Iterable<Bytes> {
  for (let start = 0; start < data.length; start += SLICE_BYTES) {
    yield data.subarray(start, start + SLICE_BYTES);
  }
}

/** What a stream makes of these chunks. */
async function pass(
  stream: CompressionStream | DecompressionStream,
  chunks: Iterable<Bytes>,
  maxBytes: number,
): Promise<Uint8Array> {
  const written = write(stream, chunks);
  // What fails here fails below, too, and there with the reason.
  written.catch(() => {});
  const bytes = await collect(stream, maxBytes);
  await written;
  return bytes;
}

async function write(
  { writable }: CompressionStream | DecompressionStream,
  chunks: Iterable<Bytes>,
): Promise<void> {
  const writer = writable.getWriter();
  for (const chunk of chunks) await writer.write(chunk);
  await writer.close();
}

/** All that a stream gives, unless it is too much: then the stream is cancelled. */
async function collect(
  { readable }: CompressionStream | DecompressionStream,
  maxBytes: number,
): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of readable) {
    bytes += chunk.length;
    if (bytes > maxBytes) {
      throw new RangeError(`Cannot inflate as size must be <= ${maxBytes}: it is larger`);
    }
    chunks.push(chunk);
  }
  return concatenate(chunks, bytes);
}

function concatenate(chunks: readonly Uint8Array[], bytes: number): Uint8Array {
  const whole = new Uint8Array(bytes);
  let position = 0;
  for (const chunk of chunks) {
    whole.set(chunk, position);
    position += chunk.length;
  }
  return whole;
}
