import { deflateRawSync, inflateRawSync } from "node:zlib";
import { type Codec, ZlibCodec } from "../protocol/session/codec.ts";
import type { CompressionTotals } from "../protocol/session/compression_totals.ts";
import { DEFLATE, Deflater } from "../protocol/session/deflater.ts";
import { type BinaryWire, DeflatingWire } from "../protocol/session/deflating_wire.ts";
import { Inflater, type InflaterEvents } from "../protocol/session/inflater.ts";
import type { Wire } from "../protocol/session/wire.ts";
import type { CompressionSettings } from "./session_options.ts";

/** At once: a frame that many get is deflated for the first of them. */
const CODEC: Codec = new ZlibCodec({ deflateRawSync, inflateRawSync });

/** Compresses frames for all sessions of one server. */
export class Compression {
  readonly #settings: CompressionSettings;
  readonly #totals: CompressionTotals;
  readonly #codec: Codec;
  readonly #deflater: Deflater;

  /**
   * @param settings When.
   * @param totals Counts what is compressed.
   * @param codec Does the work.
   */
  constructor(settings: CompressionSettings, totals: CompressionTotals, codec: Codec = CODEC) {
    this.#settings = settings;
    this.#totals = totals;
    this.#codec = codec;
    this.#deflater = new Deflater(codec, settings.threshold, totals);
  }

  /**
   * What the frames of a connection are sent through.
   *
   * @param wire Where they go.
   * @param accept What the client can read.
   */
  wrap(wire: BinaryWire, accept: readonly string[]): Wire {
    if (!accept.includes(DEFLATE)) return wire;
    const deflating = new DeflatingWire(wire, this.#deflater);
    deflating.agree(accept);
    return deflating;
  }

  /** What the frames of a connection are read with; `undefined` if no binary ones are taken. */
  inflater(events: InflaterEvents): Inflater | undefined {
    return this.#settings.receive ? new Inflater(this.#codec, this.#totals, events) : undefined;
  }
}
