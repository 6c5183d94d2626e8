/** A frame as a client sends it; a mask of zeros leaves the payload readable. */
export interface FrameShape {
  readonly opcode: number;
  readonly payload?: Uint8Array | undefined;
  readonly isFinal?: boolean | undefined;
  readonly isMasked?: boolean | undefined;
  readonly reserved?: number | undefined;
}

/** Writes a frame. */
export function frame(shape: FrameShape): Uint8Array<ArrayBuffer> {
  const { payload = new Uint8Array(), isMasked = true } = shape;
  const head = header(shape, payload.length);
  const mask = isMasked ? [0, 0, 0, 0] : [];
  return new Uint8Array([...head, ...mask, ...payload]);
}

/** The first bytes of a frame, without its mask, whatever length they announce. */
export function header(shape: FrameShape, length: number): number[] {
  const { opcode, isFinal = true, isMasked = true, reserved = 0 } = shape;
  const first = (isFinal ? 0x80 : 0) | (reserved << 4) | opcode;
  const mask = isMasked ? 0x80 : 0;
  if (length < 126) return [first, mask | length];
  if (length < 65_536) return [first, mask | 126, length >> 8, length & 255];
  const bytes = [...Array(8).keys()].map((i) => Math.floor(length / 256 ** (7 - i)) % 256);
  return [first, mask | 127, ...bytes];
}

/** Joins chunks. */
export function join(...chunks: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const joined = new Uint8Array(chunks.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const chunk of chunks) {
    joined.set(chunk, at);
    at += chunk.length;
  }
  return joined;
}
