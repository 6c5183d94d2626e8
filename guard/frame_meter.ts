/** What frames may be like. */
export interface FrameLimits {
  /** The largest message, in bytes of payload: one frame, or all fragments together. */
  readonly maxMessageBytes: number;
  /** Frames that one message may be cut into. */
  readonly maxFragments: number;
}

/** A frame that is not let through. */
export interface FrameBreach {
  /** What is wrong with it. */
  readonly cause: "tooLarge" | "malformed";
  /** The close code of RFC 6455 that says so. */
  readonly code: 1002 | 1009;
  /** Why, in words. */
  readonly reason: string;
  /** Where its header starts in the chunk; `undefined` if that was in an earlier one. */
  readonly at: number | undefined;
}

/** Every frame of a client is masked (RFC 6455, 5.1). */
const MASK_BYTES = 4;
/** RFC 6455, 5.5. */
const MAX_CONTROL_BYTES = 125;
/** Opcodes of RFC 6455, 5.2. */
const CONTINUATION = 0;
const TEXT = 1;
const BINARY = 2;
const CLOSE = 8;
const PONG = 10;

/**
 * Reads the headers of the frames that a client sends, and nothing else: no
 * payload is looked at or copied, and nothing is allocated. Chunks may be cut
 * anywhere.
 */
export class FrameMeter {
  readonly #limits: FrameLimits;
  /** The part of a header that has come so far. */
  readonly #header = new Uint8Array(14);
  #headerBytes = 0;
  #headerNeeds = 2;
  #opcode = 0;
  /** Payload of the current frame that is still to come. */
  #payloadLeft = 0;
  #endsMessage = false;
  /** Bytes announced by the frames of the message that has begun. */
  #messageBytes = 0;
  #fragments = 0;
  #messages = 0;
  #isClosed = false;

  /** @param limits What frames may be like. */
  constructor(limits: FrameLimits) {
    this.#limits = limits;
  }

  /** Whether no frame and no message has begun without having ended. */
  get isIdle(): boolean {
    return this.#headerBytes === 0 && this.#payloadLeft === 0 && this.#fragments === 0;
  }

  /** Bytes that have come of the message that has begun. */
  get unfinishedBytes(): number {
    return this.#messageBytes - (this.#opcode < CLOSE ? this.#payloadLeft : 0);
  }

  /** Messages that have come in full; pings and pongs are none. */
  get messages(): number {
    return this.#messages;
  }

  /** Whether the client has said goodbye: what comes after its close frame has no meaning. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  /**
   * Follows a chunk. After a breach the meter is of no more use.
   *
   * @param chunk The bytes that have come.
   * @returns The first frame that is not let through, if there is one.
   */
  push(chunk: Uint8Array): FrameBreach | undefined {
    let at = 0;
    let start: number | undefined;
    while (at < chunk.length && !this.#isClosed) {
      if (this.#payloadLeft > 0) {
        at += this.#skip(chunk.length - at);
        continue;
      }
      if (this.#headerBytes === 0) start = at;
      this.#header[this.#headerBytes++] = chunk[at++] ?? 0;
      if (this.#headerBytes < this.#headerNeeds) continue;
      const breach = this.#headerBytes === 2 ? this.#readFirst() : this.#readHeader();
      if (breach !== undefined) return { ...breach, at: start };
    }
    return undefined;
  }

  #skip(available: number): number {
    const count = Math.min(available, this.#payloadLeft);
    this.#payloadLeft -= count;
    if (this.#payloadLeft === 0) this.#endFrame();
    return count;
  }

  /** The first two bytes say how long the header is. */
  #readFirst(): Omit<FrameBreach, "at"> | undefined {
    const [first = 0, second = 0] = this.#header;
    const opcode = first & 0x0f;
    const length = second & 0x7f;
    if ((first & 0x70) !== 0) return malformed("Reserved bits are set");
    if ((second & 0x80) === 0) return malformed("The frame is not masked");
    if (opcode > PONG || (opcode > BINARY && opcode < CLOSE)) {
      return malformed(`Opcode ${opcode} is reserved`);
    }
    if (opcode >= CLOSE && (length > MAX_CONTROL_BYTES || first < 0x80)) {
      return malformed("A control frame is too long or cut into fragments");
    }
    if (opcode === CONTINUATION && this.#fragments === 0) {
      return malformed("Nothing is there to continue");
    }
    if ((opcode === TEXT || opcode === BINARY) && this.#fragments > 0) {
      return malformed("The message before has not ended");
    }
    const lengthBytes = length === 127 ? 8 : length === 126 ? 2 : 0;
    this.#headerNeeds = 2 + lengthBytes + MASK_BYTES;
    return undefined;
  }

  /** The header is complete. */
  #readHeader(): Omit<FrameBreach, "at"> | undefined {
    const [first = 0] = this.#header;
    this.#headerBytes = 0;
    this.#headerNeeds = 2;
    this.#opcode = first & 0x0f;
    this.#endsMessage = this.#opcode < CLOSE && first >= 0x80;
    this.#payloadLeft = this.#length();
    const breach = this.#opcode < CLOSE ? this.#countFragment(this.#payloadLeft) : undefined;
    if (breach === undefined && this.#payloadLeft === 0) this.#endFrame();
    return breach;
  }

  /** Numbers above 2^53 lose their last bits, but are far too large anyway. */
  #length(): number {
    const short = (this.#header[1] ?? 0) & 0x7f;
    const bytes = short === 127 ? 8 : short === 126 ? 2 : 0;
    if (bytes === 0) return short;
    let length = 0;
    for (let i = 2; i < 2 + bytes; i++) length = length * 256 + (this.#header[i] ?? 0);
    return length;
  }

  #countFragment(length: number): Omit<FrameBreach, "at"> | undefined {
    const { maxMessageBytes, maxFragments } = this.#limits;
    this.#fragments++;
    this.#messageBytes += length;
    if (this.#messageBytes > maxMessageBytes) {
      return tooLarge(`A message must be <= ${maxMessageBytes} bytes`);
    }
    if (this.#fragments > maxFragments) {
      return tooLarge(`A message must be <= ${maxFragments} fragments`);
    }
    return undefined;
  }

  #endFrame(): void {
    if (this.#opcode === CLOSE) this.#isClosed = true;
    if (!this.#endsMessage) return;
    this.#endsMessage = false;
    this.#messageBytes = 0;
    this.#fragments = 0;
    this.#messages++;
  }
}

function malformed(reason: string): Omit<FrameBreach, "at"> {
  return { cause: "malformed", code: 1002, reason };
}

function tooLarge(reason: string): Omit<FrameBreach, "at"> {
  return { cause: "tooLarge", code: 1009, reason };
}
