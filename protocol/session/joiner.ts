import { prolongTurn, type Task } from "../turn_end.ts";
import { countBytes } from "../utf8.ts";
import { type FrameSizes, joinBytes } from "./frames.ts";
import type { Outgoing } from "./outgoing.ts";

/** Runs a task at the end of the present turn of the event loop. */
export type Soon = (task: Task) => void;

/** What frames are written to. */
export interface FrameSink {
  /** Writes a frame. */
  put(frame: string): void;
}

/** Why joined messages left, and how often; changed in place. */
export interface JoinCounts {
  /** The turn was over. */
  turn: number;
  /** One more message would not have fitted. */
  full: number;
  /** Something else had to follow: a control frame, a piece, the end of the connection. */
  control: number;
}

/** Joins messages into frames, in their order. */
export class Joiner implements Task {
  readonly #sink: FrameSink;
  readonly #soon: Soon | undefined;
  readonly #counts: JoinCounts | undefined;
  /** How many bytes a frame may have that joins several messages. */
  #room: number;
  #frame = "";
  /** Whether it holds several messages. */
  #isJoint = false;
  #frames = 0;
  #isWaiting = false;

  /**
   * @param sizes How large frames are.
   * @param sink Where they go.
   * @param soon When; without it, when {@linkcode Joiner.flush} is called.
   * @param counts Counts why.
   */
  constructor(
    sizes: FrameSizes,
    sink: FrameSink,
    soon: Soon | undefined,
    counts?: JoinCounts,
  ) {
    this.#room = joinBytes(sizes);
    this.#sink = sink;
    this.#soon = soon;
    this.#counts = counts;
  }

  /** Frames so far, the one that waits included. */
  get frames(): number {
    return this.#frames;
  }

  /** Makes larger or smaller frames from now on. */
  resize(sizes: FrameSizes): void {
    this.flush();
    this.#room = joinBytes(sizes);
  }

  /** Adds a message; it may be as large as a frame may be, alone. */
  add({ text }: Outgoing): void {
    if (this.#frame !== "" && this.#frame.length + 1 + text.length <= this.#room) {
      this.#frame += "\n" + text;
      this.#isJoint = true;
    } else {
      this.flush("full");
      this.#frames++;
      this.#frame = text;
      this.#isJoint = false;
    }
    if (this.#soon === undefined) return;
    if (this.#isWaiting) return prolongTurn();
    this.#isWaiting = true;
    this.#soon(this);
  }

  /** Writes a message at once, behind what waits. */
  pass({ text }: Outgoing): void {
    this.flush();
    this.#frames++;
    if (this.#counts !== undefined) this.#counts.turn++;
    this.#sink.put(text);
  }

  /** Writes what waits. */
  flush(reason: keyof JoinCounts = "control"): void {
    const frame = this.#frame;
    if (frame === "") return;
    this.#frame = "";
    if (this.#counts !== undefined) this.#counts[reason]++;
    // Counted once a frame: most texts have as many bytes as units.
    const fits = !this.#isJoint || frame.length * 3 <= this.#room ||
      countBytes(frame) <= this.#room;
    if (fits) this.#sink.put(frame);
    else this.#writeApart(frame);
  }

  /** See {@linkcode Task}. Writes what waits, as the turn is over. */
  run(): void {
    this.#isWaiting = false;
    this.flush("turn");
  }

  /** Writes messages that take more bytes than a frame has, in as many frames as that needs. */
  #writeApart(messages: string): void {
    let frame = "";
    let bytes = 0;
    for (const text of messages.split("\n")) {
      const size = countBytes(text);
      if (frame !== "" && bytes + 1 + size <= this.#room) {
        frame += "\n" + text;
        bytes += 1 + size;
      } else {
        if (frame !== "") this.#sink.put(frame);
        frame = text;
        bytes = size;
      }
    }
    this.#sink.put(frame);
  }
}
