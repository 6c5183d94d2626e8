import { Acknowledger } from "./acknowledger.ts";
import { PieceAssembler } from "./frames.ts";
import type { SessionLimits } from "./limits.ts";
import { Queue } from "./queue.ts";

/** Who listens to a {@linkcode Receiver}. */
export interface ReceiverEvents {
  /** A message for the application. */
  message(text: string): void;
  /** The peer broke the protocol. */
  violation(reason: string): void;
}

/**
 * The half of a session's end that receives. Every message is counted in one
 * place, when it is handed to the application: what is not counted comes again.
 */
export class Receiver {
  readonly #room: SessionLimits;
  readonly #events: ReceiverEvents;
  readonly #acknowledger: Acknowledger;
  readonly #assembler: PieceAssembler;
  /** Messages that wait for a listener, uncounted. */
  #held: Queue<string> | undefined = new Queue<string>();
  #heldUnits = 0;
  /** The largest of them. */
  #largestUnits = 0;
  /** Told apart by it, whether a listener has changed the wire meanwhile. */
  #wires = 0;

  /**
   * @param limits What this end takes.
   * @param events Who listens.
   * @param room What it holds until somebody listens.
   */
  constructor(limits: SessionLimits, events: ReceiverEvents, room: SessionLimits = limits) {
    this.#room = room;
    this.#events = events;
    this.#acknowledger = new Acknowledger(limits);
    this.#assembler = new PieceAssembler(limits.messageBytes);
  }

  /** How many messages were handed to the application. */
  get delivered(): number {
    return this.#acknowledger.delivered;
  }

  /** Whether the application got something that the peer was not told of. */
  get hasNews(): boolean {
    return this.#acknowledger.hasNews;
  }

  /** Whether the peer has to be told now. */
  get isDue(): boolean {
    return this.#acknowledger.isDue;
  }

  /** Notes that the peer is told. Returns what. */
  tell(): number {
    return this.#acknowledger.tell();
  }

  /** Notes what the peer keeps. */
  agree(peer: SessionLimits): void {
    this.#acknowledger.agree(peer);
  }

  /** Starts over on a new wire: what was not counted comes again. */
  reset(): void {
    this.#wires++;
    this.#assembler.reset();
    this.#held?.clear();
    this.#heldUnits = this.#largestUnits = 0;
  }

  /** Hands messages to the application from now on, those that were held first. */
  listen(): void {
    // What comes in meanwhile is held, too, and waits for its turn.
    for (
      let message = this.#held?.shift();
      message !== undefined;
      message = this.#held?.shift()
    ) {
      this.#heldUnits -= message.length;
      this.#deliver(message);
    }
    this.#held = undefined;
  }

  /** Takes a frame with whole messages, one a line. */
  messages(frame: string): void {
    const wires = this.#wires;
    let start = 0;
    for (;;) {
      const end = frame.indexOf("\n", start);
      if (end < 0) return this.#take(start === 0 ? frame : frame.slice(start));
      this.#take(frame.slice(start, end));
      if (wires !== this.#wires) return;
      start = end + 1;
    }
  }

  /** Takes a frame with a piece. */
  piece(frame: string): void {
    const fault = this.#assembler.add(frame);
    if (fault !== undefined) this.#events.violation(fault);
    else if (frame.startsWith("=")) this.#take(this.#assembler.take());
  }

  /** The peer gave up the message that is in pieces. */
  drop(): void {
    this.#assembler.reset();
  }

  #take(message: string): void {
    if (this.#held === undefined) this.#deliver(message);
    else this.#hold(this.#held, message);
  }

  /** The only place where messages are counted. */
  #deliver(message: string): void {
    this.#acknowledger.deliver(message.length);
    this.#events.message(message);
  }

  /** The largest one does not count: it may be as large as it likes beside the others. */
  #hold(held: Queue<string>, text: string): void {
    const { bufferMessages, bufferBytes } = this.#room;
    if (held.size >= bufferMessages || this.#heldUnits - this.#largestUnits > bufferBytes) {
      return this.#events.violation("More messages are unacknowledged than the window holds");
    }
    // Spaces that fill a frame up are in no window.
    const message = text.trimEnd();
    held.push(message);
    this.#heldUnits += message.length;
    this.#largestUnits = Math.max(this.#largestUnits, message.length);
  }
}
