/** One WebSocket frame of a peer that follows no rules but those it wants to. */
export interface FrameOptions {
  /**
   * See `OPCODES`; 0 goes on with a message in fragments.
   *
   * @default {1}
   */
  readonly opcode?: number;
  /** What it carries. */
  readonly payload?: string | Uint8Array;
  /**
   * Whether it is the last of its message.
   *
   * @default {true}
   */
  readonly fin?: boolean;
  /**
   * Reserved bits, 4 for RSV1, 2 for RSV2 and 1 for RSV3.
   *
   * @default {0}
   */
  readonly rsv?: number;
  /**
   * Whether it is masked; always with zeros, so that the payload stays readable.
   *
   * @default {true}
   */
  readonly masked?: boolean;
  /** The length that it claims, if that is not the truth. */
  readonly claimed?: number;
}

/** The bytes of a frame. */
export function frameBytes(options: FrameOptions): Uint8Array<ArrayBuffer> {
  const { opcode = 1, payload = "", fin = true, rsv = 0, masked = true } = options;
  const data = typeof payload === "string" ? new TextEncoder().encode(payload) : payload;
  const length = lengthBytes(options.claimed ?? data.length);
  const [first = 0, ...rest] = length;
  const head = [(fin ? 0x80 : 0) | (rsv << 4) | opcode, (masked ? 0x80 : 0) | first, ...rest];
  const mask = masked ? [0, 0, 0, 0] : [];
  const bytes = new Uint8Array(head.length + mask.length + data.length);
  bytes.set(head);
  bytes.set(data, head.length + mask.length);
  return bytes;
}

/** Joins chunks, so that many frames leave with one write. */
export function joinBytes(chunks: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(chunks.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}

function lengthBytes(length: number): number[] {
  if (length < 126) return [length];
  if (length < 65_536) return [126, length >> 8, length & 255];
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(length));
  return [127, ...bytes];
}
