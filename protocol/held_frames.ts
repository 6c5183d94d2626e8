/** Frames that may wait before somebody listens. */
const MAX_FRAMES = 1_024;

/** Frames that came in before anybody listened, within bounds. */
export class HeldFrames {
  readonly #maxUnits: number;
  #frames: string[] = [];
  #units = 0;

  /** @param maxUnits The room for all of them, in UTF-16 units. */
  constructor(maxUnits: number) {
    this.#maxUnits = maxUnits;
  }

  /** Keeps a frame. Returns whether there was room; there is none for what is not text. */
  hold(data: unknown): boolean {
    if (typeof data !== "string") return false;
    this.#units += data.length;
    return this.#frames.push(data) <= MAX_FRAMES && this.#units <= this.#maxUnits;
  }

  /** Gives the frames away, the first first. */
  release(): string[] {
    const frames = this.#frames;
    this.#frames = [];
    this.#units = 0;
    return frames;
  }
}
