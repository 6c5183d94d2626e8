import type { Clock, Timer } from "../clock.ts";
import { ACK_DELAY } from "./acknowledger.ts";
import { ackFrame, byeFrame, type ControlFrame, parseControl, pingFrame } from "./control.ts";
import type { FrameSizes } from "./frames.ts";
import type { JoinCounts, Soon } from "./joiner.ts";
import { FIRST_LIMITS, type SessionLimits, widen } from "./limits.ts";
import type { Outgoing } from "./outgoing.ts";
import { Receiver } from "./receiver.ts";
import { type Asker, Sender } from "./sender.ts";
import type { Wire } from "./wire.ts";

/** Frames that steer the session and are not dealt with by {@linkcode SessionEnd} itself. */
export type SteeringFrame = Exclude<
  ControlFrame,
  { readonly type: "ack" | "ping" | "pong" | "drop" }
>;

/** Who listens to a {@linkcode SessionEnd}. */
export interface SessionEvents {
  /** A message for the application came in, valid or not. */
  message(text: string): void;
  /** The peer steers the session. */
  control(frame: SteeringFrame): void;
  /** The peer answered a ping. */
  pong(mark: unknown): void;
  /** The peer broke the protocol; nothing more is to be read from this wire. */
  violation(reason: string): void;
  /** A message never gets through, whatever is tried; it was given up. */
  poisoned(message: Outgoing): void;
  /** Messages of a turn were written, at its end or before. */
  written?(): void;
}

/** Options of {@linkcode SessionEnd}. */
export interface SessionEndOptions {
  /** What this end takes and keeps. */
  readonly limits: SessionLimits;
  /** How large the frames are that it sends. */
  readonly sizes: FrameSizes;
  /** Who listens. */
  readonly events: SessionEvents;
  /** Where time comes from. */
  readonly clock: Clock;
  /** Joins the messages of one turn; without it, each is a frame of its own. */
  readonly soon?: Soon | undefined;
  /** Counts why joined messages leave. */
  readonly joins?: JoinCounts | undefined;
  /** Runs a task after the present turn: what was written leaves before it. */
  readonly endTurn?: ((task: () => void) => void) | undefined;
}

/** What the peer said when the present wire was opened. */
export interface Terms {
  /** How many messages the peer has. */
  readonly received: number;
  /** What it takes. */
  readonly limits: SessionLimits;
  /** Whether it wants every turn to be answered. */
  readonly promptAck?: boolean | undefined;
  /** Whether it has not said so yet, and {@linkcode SessionEnd.agree} follows. */
  readonly isAssumed?: boolean | undefined;
}

/** The mark of pings whose answer tells how far the peer is, and nothing else. */
const ASK = "ack";
const BRACE = 0x7b;
const BRACKET = 0x5b;
const PLUS = 0x2b;
const EQUALS = 0x3d;

/**
 * One end of a session, without any I/O. It outlives its wires: whatever was
 * given to {@linkcode send} reaches the other end's application exactly once.
 */
export class SessionEnd implements Asker {
  readonly #options: SessionEndOptions;
  readonly #sender: Sender;
  readonly #receiver: Receiver;
  #wire: Wire | undefined;
  #promptAck = false;
  /** The wire on which something was read, while the end of that turn is awaited. */
  #turn: Wire | undefined;
  /** Frames that were written before the last one that was read without an answer. */
  #unanswered = 0;
  /** Control frames that were written so far. */
  #writes = 0;
  #ackTimer: Timer | undefined;
  /** Whether the peer has said nothing on the present wire: it is to get messages only. */
  #isAssumed = false;
  /** Whether somebody waits until the peer has what was written in this turn. */
  #isAsking = false;

  /** @param options Bounds, and who listens. */
  constructor(options: SessionEndOptions) {
    const { limits, events } = options;
    this.#options = options;
    this.#sender = new Sender(options, this);
    this.#receiver = new Receiver(limits, events, widen(limits, FIRST_LIMITS));
  }

  /** How many messages were handed to the application. */
  get received(): number {
    return this.#receiver.delivered;
  }

  /** Grows whenever a message gets through, in either direction. */
  get progress(): number {
    return this.#receiver.delivered + this.#sender.acknowledged;
  }

  /** The number of the last message that left completely. */
  get sent(): number {
    return this.#sender.last;
  }

  /** Messages that the peer may not have. */
  get bufferedMessages(): number {
    return this.#sender.size;
  }

  /** The same in bytes; short messages count with the most that they can be. */
  get bufferedBytes(): number {
    return this.#sender.bytes;
  }

  /** Messages that could not be written yet. */
  get waitingMessages(): number {
    return this.#sender.waiting;
  }

  /** The same in bytes. */
  get waitingBytes(): number {
    return this.#sender.waitingBytes;
  }

  /** The largest message that the peer takes, in bytes. */
  get maxMessageBytes(): number {
    return this.#sender.maxMessageBytes;
  }

  /** Whether a sender should wait for {@linkcode room}. */
  get isBusy(): boolean {
    return this.#sender.isBusy;
  }

  /** Resolves when a sender need not wait, or the session has ended. */
  room(): Promise<void> {
    return this.#sender.room();
  }

  /**
   * Sends a message, now or as soon as it can go.
   *
   * @param message The message.
   * @param joins Whether it may wait for others of this turn.
   */
  send(message: Outgoing, joins = true): void {
    this.#sender.send(message, joins);
  }

  /** Sends messages in one frame, if they can go now. */
  sendTogether(messages: readonly Outgoing[]): void {
    this.#sender.sendTogether(messages);
  }

  /** What the peer's count means on a new wire. */
  judge(received: number): "resumable" | "lost" | "impossible" {
    return this.#sender.judge(received);
  }

  /**
   * Goes on over a new wire. Both ends have told each other how far they got.
   *
   * @param wire The wire.
   * @param terms What the peer said; its count was judged before.
   */
  attach(wire: Wire, { received, limits, promptAck = false, isAssumed = false }: Terms): void {
    this.detach();
    this.#isAssumed = isAssumed;
    this.#wire = wire;
    this.#promptAck = promptAck;
    this.#receiver.tell();
    this.#receiver.agree(limits);
    this.#sender.attach(wire, received, limits);
  }

  /** Notes what the peer said where the wire was attached before it did. */
  agree({ received, limits }: Terms): void {
    this.#isAssumed = false;
    this.#receiver.agree(limits);
    this.#sender.acknowledge(received);
    this.#sender.agree(limits);
    this.#ask();
  }

  /** Leaves the wire; what is on it does not matter any more. */
  detach(): void {
    // Before anything else is read or written: what was sent is on its way.
    this.#sender.flush();
    this.#wire = undefined;
    this.#ackTimer?.clear();
    this.#ackTimer = undefined;
    this.#turn = undefined;
    this.#isAsking = false;
    this.#receiver.reset();
    this.#sender.detach();
  }

  /** Hands messages to the application from now on, those that were held first. */
  listen(): void {
    this.#receiver.listen();
    this.#acknowledge();
  }

  /** Takes a frame that came in on the present wire. */
  receive(frame: string): void {
    const wire = this.#wire;
    if (wire === undefined) return;
    this.#sender.beginTurn();
    const written = this.#written;
    this.#read(frame);
    // An answer that was written meanwhile is as good as an acknowledgement.
    if (this.#promptAck && this.#written === written) this.#awaitTurn(wire);
  }

  /** Notes what the peer says it has, where that is not in a frame read here. */
  acknowledge(count: number): void {
    this.#acknowledged(count);
  }

  /** Asks the peer for a sign of life. */
  ping(mark: unknown): void {
    this.#write(pingFrame("ping", mark, this.#receiver.tell()));
  }

  /** Says goodbye, or answers it. */
  bye(count: number): void {
    this.#isAsking = false;
    this.#write(byeFrame(count));
  }

  /** Ends the session: what the peer may not have is given up. */
  end(reason: () => Error): void {
    this.detach();
    this.#sender.end(reason);
  }

  /** Asks how far the peer is when this turn is over, as somebody waits until it has a message. */
  /** See {@linkcode Asker}. */
  awaited(): void {
    if (this.#isAsking || this.#options.endTurn === undefined) return;
    this.#isAsking = true;
    this.#options.endTurn(() => this.#ask());
  }

  #ask(): void {
    if (!this.#isAsking || this.#isAssumed) return;
    this.#isAsking = false;
    this.ping(ASK);
  }

  /** Frames that were written so far. */
  get #written(): number {
    return this.#writes + this.#sender.writes;
  }

  #read(frame: string): void {
    switch (frame.charCodeAt(0)) {
      case BRACE:
        this.#receiver.messages(frame);
        return this.#acknowledge();
      case PLUS:
      case EQUALS:
        this.#receiver.piece(frame);
        return this.#acknowledge();
      case BRACKET:
        return this.#steer(frame);
      default:
        this.#options.events.violation("Unknown kind of frame");
    }
  }

  #steer(text: string): void {
    const frame = parseControl(text);
    const { events } = this.#options;
    if (frame === undefined) return events.violation("Malformed control frame");
    switch (frame.type) {
      case "ack":
        this.#acknowledged(frame.count);
        return;
      case "ping":
        if (!this.#acknowledged(frame.count)) return;
        return this.#write(pingFrame("pong", frame.mark, this.#receiver.tell()));
      case "pong":
        if (this.#acknowledged(frame.count)) events.pong(frame.mark);
        return;
      case "drop":
        return this.#receiver.drop();
      default:
        events.control(frame);
    }
  }

  /** Takes the peer's count. Returns whether it is one. */
  #acknowledged(count: number): boolean {
    if (this.#sender.acknowledge(count) !== "impossible") return true;
    this.#options.events.violation("Acknowledgement of a message that was never sent");
    return false;
  }

  /** Tells the peer what was handed over, at once or soon. */
  #acknowledge(): void {
    if (this.#wire === undefined || !this.#receiver.hasNews) return;
    if (this.#receiver.isDue) return this.#tell();
    this.#ackTimer ??= this.#options.clock.after(ACK_DELAY, () => {
      this.#ackTimer = undefined;
      if (this.#receiver.hasNews) this.#tell();
    });
  }

  #tell(): void {
    this.#write(ackFrame(this.#receiver.tell()));
  }

  #write(frame: string): void {
    this.#sender.flush();
    this.#writes++;
    this.#wire?.send(frame);
  }

  /**
   * Whatever is written releases what the peer's kernel holds back; without an
   * answer in this turn, an acknowledgement does.
   */
  #awaitTurn(wire: Wire): void {
    this.#unanswered = this.#written;
    if (this.#turn === wire || this.#wire !== wire) return;
    this.#turn = wire;
    this.#options.endTurn?.(() => {
      if (this.#turn !== wire) return;
      this.#turn = undefined;
      if (this.#written === this.#unanswered) this.#tell();
    });
  }
}
