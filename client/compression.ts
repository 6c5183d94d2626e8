import { type Codec, StreamCodec, type Zlib, ZlibCodec } from "../protocol/session/codec.ts";
import { type CompressionTotals, noCompression } from "../protocol/session/compression_totals.ts";
import { DEFLATE, Deflater } from "../protocol/session/deflater.ts";
import { type BinaryWire, DeflatingWire } from "../protocol/session/deflating_wire.ts";
import { Inflater, type InflaterEvents } from "../protocol/session/inflater.ts";
import type { Wire } from "../protocol/session/wire.ts";
import type { CompressionOptions } from "./options.ts";
import { findModule } from "./runtime.ts";
import { isLoopbackUrl } from "./url_policy.ts";

/** One for all transports: it bounds how much is worked on at once. */
const STREAMS: Codec = new StreamCodec();

/** Compresses frames for all connections of one client. */
export class Compression {
  /** What the server is told of it. */
  readonly accept: readonly string[] = [DEFLATE];
  /** What was compressed so far. */
  readonly totals: CompressionTotals = noCompression();
  readonly #codec: Codec;
  readonly #deflater: Deflater;
  readonly #loopback: boolean;
  readonly #holdsFrames: boolean;

  /**
   * @param options When.
   * @param holdsFrames Whether the runtime holds frames of most sizes back.
   */
  constructor({ threshold, loopback }: CompressionOptions, holdsFrames: boolean) {
    const zlib = findModule("node:zlib") as Zlib | undefined;
    this.#codec = zlib === undefined ? STREAMS : new ZlibCodec(zlib);
    this.#deflater = new Deflater(this.#codec, threshold, this.totals);
    this.#loopback = loopback;
    this.#holdsFrames = holdsFrames;
  }

  /** It, or `undefined` if it does not pay on the way to a URL. */
  towards(url: string): this | undefined {
    return this.#loopback || !isLoopbackUrl(url) ? this : undefined;
  }

  /**
   * What frames are sent through. Who holds frames back sends them as they are:
   * deflated ones would have just these sizes.
   *
   * @param wire Where they go.
   */
  wrap(wire: BinaryWire): Wire {
    return this.#holdsFrames ? wire : new DeflatingWire(wire, this.#deflater);
  }

  /** What the frames of a connection are read with. */
  inflater(events: InflaterEvents): Inflater {
    return new Inflater(this.#codec, this.totals, events);
  }
}
