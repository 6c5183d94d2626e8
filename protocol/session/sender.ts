import type { Clock } from "../clock.ts";
import { pad } from "../padding.ts";
import { countBytes } from "../utf8.ts";
import { DROP_FRAME } from "./control.ts";
import { type FrameSizes, isFrameSize, MIN_FRAME_BYTES, PieceCutter } from "./frames.ts";
import { type FrameSink, type JoinCounts, Joiner, type Soon } from "./joiner.ts";
import { type Acknowledgement, Ledger } from "./ledger.ts";
import { narrow, type SessionLimits } from "./limits.ts";
import type { Outgoing } from "./outgoing.ts";
import { Pacer } from "./pacer.ts";
import type { Wire } from "./wire.ts";

/** Who listens to a {@linkcode Sender}. */
export interface SenderEvents {
  /** A message never gets through, whatever is tried. */
  poisoned(message: Outgoing): void;
  /** Messages of a turn were written, at its end or before. */
  written?(): void;
}

/** Who asks the peer how far it is. */
export interface Asker {
  /** A message left whose sender waits until the peer has it. */
  awaited(): void;
}

/** What a {@linkcode Sender} needs. */
export interface SenderOptions {
  /** What this end keeps. */
  readonly limits: SessionLimits;
  /** How large its frames are. */
  readonly sizes: FrameSizes;
  /** Where time comes from. */
  readonly clock: Clock;
  /** Joins the messages of one turn; without it, only those that had to wait are joined. */
  readonly soon?: Soon | undefined;
  /** Runs a task after the present turn; without it, senders are never made to wait for that. */
  readonly endTurn?: ((task: () => void) => void) | undefined;
  /** Counts why joined messages leave. */
  readonly joins?: JoinCounts | undefined;
  /** Who is told. */
  readonly events: SenderEvents;
}

/** A message that is being sent in pieces. */
interface Open {
  readonly message: Outgoing;
  readonly cutter: PieceCutter;
}

/** Pieces wait while more than this is in the socket, in bytes: the rest is for small messages. */
const PACE_BYTES = 512 * 1024;
/**
 * After this much in one turn senders wait for its end, in UTF-16 units: nothing
 * leaves before, and the peer could be at work already.
 */
const TURN_UNITS = 32 * 1024;
/** Resumes that a message may be the first one the peer lacks, before something else is tried. */
const MAX_SETBACKS = 3;

/** The half of a session's end that sends: every message, once, in order, over any number of wires. */
export class Sender implements FrameSink {
  readonly #options: SenderOptions;
  readonly #asker: Asker | undefined;
  readonly #ledger: Ledger = new Ledger();
  readonly #joiner: Joiner;
  #wire: Wire | undefined;
  /** What the peer lets be unacknowledged. */
  #window: SessionLimits;
  #sizes: FrameSizes;
  #open: Open | undefined;
  /** Whether the last wire ended within a message. */
  #wasCut = false;
  /** Told apart by it, whether somebody who is told has changed the wire meanwhile. */
  #wires = 0;
  #writes = 0;
  /** What was written since something was read, in UTF-16 units. */
  #unread = 0;
  #isResting = false;
  /** Made when a socket is full. */
  #pacer: Pacer | undefined;
  #room: PromiseWithResolvers<void> | undefined;

  /**
   * @param options Bounds, and who is told.
   * @param asker Who asks for whoever waits.
   */
  constructor(options: SenderOptions, asker?: Asker) {
    this.#options = options;
    this.#asker = asker;
    this.#window = options.limits;
    this.#sizes = options.sizes;
    this.#joiner = new Joiner(options.sizes, this, options.soon, options.joins);
  }

  /** Messages that the peer may not have. */
  get size(): number {
    return this.#ledger.size + (this.#open === undefined ? 0 : 1);
  }

  /** The same in bytes; short messages count with the most that they can be. */
  get bytes(): number {
    return this.#ledger.bytes + (this.#open?.message.bytes ?? 0);
  }

  /** Messages that wait for the wire or for room in the window. */
  get waiting(): number {
    return this.#ledger.waiting + (this.#open === undefined ? 0 : 1);
  }

  /** The same in bytes. */
  get waitingBytes(): number {
    return this.#ledger.waitingBytes + (this.#open?.message.bytes ?? 0);
  }

  /** The number of the last message that is complete on the present wire. */
  get last(): number {
    return this.#ledger.last;
  }

  /** The number of the last message that the peer has. */
  get acknowledged(): number {
    return this.#ledger.acknowledged;
  }

  /** Frames that were written so far, on any wire, and one that is about to be. */
  get writes(): number {
    return this.#writes + this.#joiner.frames;
  }

  /** The largest message that the peer takes, in bytes. */
  get maxMessageBytes(): number {
    return this.#window.messageBytes;
  }

  /**
   * Whether a sender should wait for {@linkcode room} before it sends more. While
   * a message is in pieces one more is let in, as it may be one that passes.
   */
  get isBusy(): boolean {
    if (this.#wire !== undefined) {
      return this.#isResting || this.#ledger.waiting > 0 ||
        !this.#ledger.hasRoom(1, this.#window) || this.#wire.isCongested;
    }
    const { bufferMessages, bufferBytes } = this.#options.limits;
    return this.size >= bufferMessages || this.bytes >= bufferBytes;
  }

  /** Sends a message, now or as soon as it can go; by itself, if it is not to be joined. */
  send(message: Outgoing, joins = true): void {
    const wire = this.#wire;
    if (wire !== undefined && this.#canGo(message, wire)) {
      this.#join(message, joins);
      return this.#settleTurn();
    }
    if (message.lane === "cancel" && this.#withdraw(message)) return;
    this.#ledger.add(message);
    this.#pump();
  }

  /** Sends messages in one frame, if they can go now; if not, as {@linkcode send} does. */
  sendTogether(messages: readonly Outgoing[]): void {
    const frame = messages.map(({ text }) => text).join("\n");
    const wire = this.#wire;
    const canGo = wire !== undefined && this.#ledger.waiting === 0 && this.#open === undefined &&
      !wire.isCongested && countBytes(frame) <= this.#sizes.max &&
      this.#ledger.hasRoomForAll(messages, this.#window);
    if (!canGo) {
      for (const message of messages) this.send(message);
      return;
    }
    for (const message of messages) this.#ledger.complete(message, this.#window);
    this.#write(wire, this.#fill(frame));
    this.#options.events.written?.();
  }

  /** Resolves when a sender need not wait, or all has ended. */
  room(): Promise<void> {
    if (!this.isBusy) return Promise.resolve();
    this.#room ??= Promise.withResolvers<void>();
    if (this.#wire?.isCongested) this.#pollLater();
    return this.#room.promise;
  }

  /** What the peer's count means on a new wire: whether what it lacks is still here. */
  judge(received: number): "resumable" | "lost" | "impossible" {
    if (received > this.#ledger.last) return "impossible";
    return received < this.#ledger.acknowledged ? "lost" : "resumable";
  }

  /**
   * Goes on over a new wire.
   *
   * @param wire The wire.
   * @param received How many messages the peer has; it was judged before.
   * @param peer What the peer takes.
   */
  attach(wire: Wire, received: number, peer: SessionLimits): void {
    this.detach();
    const wasWritten = this.#wasCut || this.#ledger.last > this.#ledger.acknowledged;
    this.#wasCut = false;
    const wires = this.#wires;
    this.#ledger.acknowledge(received);
    if (wires !== this.#wires) return;
    this.#ledger.rewind();
    const poison = wasWritten ? this.#suspect(this.#ledger.next) : undefined;
    this.#wire = wire;
    this.agree(peer);
    if (poison !== undefined) this.#options.events.poisoned(poison);
  }

  /** Notes what the peer takes. */
  agree(peer: SessionLimits): void {
    this.#window = narrow(this.#options.limits, peer);
    this.#pump();
  }

  /** Notes that something is read: another turn has begun. */
  beginTurn(): void {
    this.#unread = 0;
  }

  /** Writes what is about to be at once: what follows must not come before it. */
  flush(): void {
    this.#joiner.flush();
  }

  /** Stops writing; messages are kept. */
  detach(): void {
    this.flush();
    this.#wires++;
    this.#wire = undefined;
    this.#pacer?.stop();
    if (this.#open !== undefined) {
      this.#wasCut = this.#open.cutter.hasBegun;
      this.#ledger.putBack(this.#open.message);
      this.#open = undefined;
    }
    this.#wake();
  }

  /** Forgets what the peer says it has. */
  acknowledge(count: number): Acknowledgement {
    const outcome = this.#ledger.acknowledge(count);
    if (outcome === "advanced") this.#pump();
    return outcome;
  }

  /** Gives up all messages. */
  end(reason: () => Error): void {
    this.detach();
    this.#ledger.clear(reason);
    this.#wake();
  }

  #canGo(message: Outgoing, wire: Wire): boolean {
    return this.#ledger.waiting === 0 && this.#open === undefined && !wire.isCongested &&
      isFrameSize(message.bytes, this.#sizes) && this.#ledger.hasRoom(message.bytes, this.#window);
  }

  #pump(): void {
    const wire = this.#wire;
    while (wire !== undefined && this.#wire === wire && this.#step(wire));
    this.#settleTurn();
    this.#wake();
  }

  /** Writes one frame. Returns whether there may be more. */
  #step(wire: Wire): boolean {
    if (this.#open !== undefined) return this.#overtake(wire, this.#open) || this.#advance(wire);
    const message = this.#ledger.next;
    if (message === undefined) return false;
    if (!isFrameSize(message.bytes, this.#sizes)) this.#openNext();
    else if (!this.#ledger.hasRoom(message.bytes, this.#window)) return false;
    else if (wire.isCongested) return this.#pollLater();
    else this.#writeNext();
    return true;
  }

  #writeNext(): void {
    const message = this.#ledger.take();
    if (message !== undefined) this.#join(message);
  }

  /** What comes behind it may pass from now on, also while it waits for room in the window. */
  #openNext(): void {
    const message = this.#ledger.take();
    if (message === undefined) return;
    this.#open = { message, cutter: new PieceCutter(message.text, message.bytes) };
  }

  /** Lets a small message pass between the pieces of the open one. */
  #overtake(wire: Wire, { message: open }: Open): boolean {
    const next = this.#ledger.next;
    const mayPass = next !== undefined && mayOvertake(open, next) && !wire.isCongested &&
      isFrameSize(next.bytes, this.#sizes) &&
      this.#ledger.hasRoomBeside(open.bytes, next.bytes, this.#window);
    if (!mayPass) return false;
    this.#writeNext();
    return true;
  }

  /** Writes the next piece of the open message. */
  #advance(wire: Wire): boolean {
    const { message, cutter } = this.#open as Open;
    if (!cutter.hasBegun && !this.#ledger.hasRoom(message.bytes, this.#window)) return false;
    if (wire.bufferedAmount > PACE_BYTES) return this.#pollLater();
    const frame = cutter.next(this.#sizes);
    if (cutter.isDone) {
      this.#open = undefined;
      this.#ledger.complete(message, this.#window);
      if (message.isAwaited) this.#asker?.awaited();
    }
    this.#write(wire, frame);
    return true;
  }

  /** Takes a request back that is not complete, as it was cancelled. */
  #withdraw(cancel: Outgoing): boolean {
    const isMeant = ({ lane, id, wasComplete }: Outgoing) =>
      lane === "request" && id === cancel.id && !wasComplete;
    const withdrawn = this.#ledger.withdraw(isMeant);
    if (this.#open !== undefined && isMeant(this.#open.message)) {
      const { message, cutter } = this.#open;
      withdrawn.push(message);
      this.#open = undefined;
      if (this.#wire !== undefined && cutter.hasBegun) this.#write(this.#wire, DROP_FRAME);
    }
    if (withdrawn.length === 0) return false;
    for (const message of withdrawn) message.settled?.(new Error("The request was cancelled"));
    cancel.settled?.();
    this.#pump();
    return true;
  }

  /**
   * Some proxies end every connection that carries a certain message: smaller
   * frames may help. Returns the message if nothing does, and it is given up.
   */
  #suspect(first: Outgoing | undefined): Outgoing | undefined {
    const steps = first === undefined ? 0 : Math.floor(++first.setbacks / MAX_SETBACKS);
    // Smaller frames are for this message alone: setbacks of others say nothing about it.
    this.#resize(this.#options.sizes);
    for (let step = 0; step < steps; step++) {
      if (this.#sizes.max <= MIN_FRAME_BYTES) {
        this.#resize(this.#options.sizes);
        return this.#ledger.take();
      }
      const max = Math.max(Math.floor(this.#sizes.max / 2), MIN_FRAME_BYTES);
      this.#resize({ ...this.#sizes, max });
    }
    return undefined;
  }

  /** Numbers a message and writes it, together with others of this turn. */
  #join(message: Outgoing, joins = true): void {
    this.#ledger.complete(message, this.#window);
    if (joins) this.#joiner.add(message);
    else this.#joiner.pass(message);
    if (message.isAwaited) this.#asker?.awaited();
  }

  /** See {@linkcode FrameSink}. */
  put(frame: string): void {
    this.#pacer?.moved();
    this.#wire?.send(frame);
    this.#options.events.written?.();
    this.#unread += frame.length;
    if (this.#unread > TURN_UNITS && !this.#isResting) this.#rest();
  }

  #rest(): void {
    const { endTurn } = this.#options;
    if (endTurn === undefined) return;
    this.#isResting = true;
    endTurn(() => {
      this.#isResting = false;
      this.#unread = 0;
      this.#wake();
    });
  }

  #settleTurn(): void {
    if (this.#options.soon === undefined) this.#joiner.flush("turn");
  }

  /** The spaces count as part of the last message. */
  #fill(frame: string): string {
    const { padded = 0, max } = this.#sizes;
    return padded <= max && padded <= this.#window.messageBytes ? pad(frame, padded) : frame;
  }

  #write(wire: Wire, frame: string): void {
    this.flush();
    this.#writes++;
    this.#pacer?.moved();
    wire.send(frame);
  }

  #resize(sizes: FrameSizes): void {
    this.#sizes = sizes;
    this.#joiner.resize(sizes);
  }

  #pollLater(): false {
    this.#pacer ??= new Pacer(this.#options.clock, () => this.#pump());
    this.#pacer.wait();
    return false;
  }

  #wake(): void {
    if (this.#room === undefined) return;
    if (this.isBusy) {
      if (this.#wire?.isCongested) this.#pollLater();
      return;
    }
    this.#room.resolve();
    this.#room = undefined;
  }
}

/**
 * Whether a message may pass one that is in pieces: notifications keep their
 * order, a response never passes the progress that came before it, and a cancel
 * never passes its request.
 */
function mayOvertake(open: Outgoing, { lane, id }: Outgoing): boolean {
  if (lane === "notification") return false;
  if (lane === "cancel") return open.lane !== "request" || open.id !== id;
  return lane !== "response" || open.lane !== "notification";
}
