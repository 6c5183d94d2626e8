import { ulid } from "@std/ulid";
import { afterTurn } from "../protocol/after_turn.ts";
import type { Clock } from "../protocol/clock.ts";
import {
  type End,
  type Goaway,
  type Hello,
  helloFrame,
  parseControl,
  type Welcome,
} from "../protocol/session/control.ts";
import type { FrameSizes } from "../protocol/session/frames.ts";
import type { JoinCounts } from "../protocol/session/joiner.ts";
import { FIRST_LIMITS, type SessionLimits } from "../protocol/session/limits.ts";
import type { Outgoing } from "../protocol/session/outgoing.ts";
import { SessionEnd, type SteeringFrame } from "../protocol/session/session_end.ts";
import type { Wire } from "../protocol/session/wire.ts";
import { atTurnEnd } from "../protocol/turn_end.ts";

/** What happens on the present connection of a session; after one of the last six, nothing more. */
export interface ClientWireEvents {
  /** A message for the application came in, valid or not. */
  message(text: string): void;
  /** The session is open on this connection; `replayed` messages are sent again. */
  opened(welcome: Welcome, replayed: number): void;
  /** The peer answered a ping. */
  pong(mark: unknown): void;
  /** The server asks to move. */
  goaway(goaway: Goaway): void;
  /** The session goes on over another connection: this one is nobody's any more. */
  left(): void;
  /** The server does not know the session any more. */
  unknown(reason: string): void;
  /** The server does not speak this protocol after all. */
  unspoken(): void;
  /** The server's last word. */
  ended(end: End): void;
  /** The server has answered the goodbye, or said it by itself. */
  bye(): void;
  /** The server broke the protocol. */
  violation(reason: string): void;
}

/** Options of {@linkcode ClientSession}. */
export interface ClientSessionOptions {
  /** What this end takes and keeps. */
  readonly limits: SessionLimits;
  /** How large its frames are. */
  readonly sizes: FrameSizes;
  /** Whether the runtime needs every turn to be answered. */
  readonly promptAck: boolean;
  /** Counts why joined messages leave. */
  readonly joins?: JoinCounts | undefined;
  /** Told of a message that never got through, whatever was tried; it was given up. */
  readonly poisoned: (message: Outgoing) => void;
  /** Where time comes from. */
  readonly clock: Clock;
}

/** What may ride behind the first hello, in UTF-16 units of up to three bytes. */
const MAX_RIDING_UNITS = FIRST_LIMITS.bufferBytes / 3;

/**
 * The dialling end of a session, without any I/O: it says hello on every new
 * connection, and finds out what the answer means.
 */
export class ClientSession {
  /** A label for logs and metrics, not a secret. */
  readonly id: string = ulid();
  readonly #token: string = mintToken();
  readonly #options: ClientSessionOptions;
  readonly #end: SessionEnd;
  #wire: Wire | undefined;
  #events: ClientWireEvents | undefined;
  #auth: string | undefined;
  #attempt = 0;
  #ridden = 0;
  #welcome: Welcome | undefined;
  /** Whether the present connection was welcomed. */
  #isOpen = false;
  /** Whether goodbye was said. */
  #isLeaving = false;

  /** @param options Bounds, and who listens. */
  constructor(options: ClientSessionOptions) {
    const { limits, sizes, clock, joins, poisoned } = options;
    this.#options = options;
    this.#end = new SessionEnd({
      limits,
      sizes,
      clock,
      soon: atTurnEnd,
      joins,
      endTurn: afterTurn,
      events: {
        message: (text) => this.#events?.message(text),
        poisoned,
        pong: (mark) => this.#events?.pong(mark),
        violation: (reason) => this.#events?.violation(reason),
        control: (frame) => this.#steer(frame),
      },
    });
    this.#end.listen();
  }

  /** What the server said last, `undefined` before it ever did. */
  get welcome(): Welcome | undefined {
    return this.#welcome;
  }

  /** How often hello was said. */
  get attempt(): number {
    return this.#attempt;
  }

  /** Whether the present connection was welcomed. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Grows whenever a message gets through, in either direction. */
  get progress(): number {
    return this.#end.progress;
  }

  /** Messages that the server may not have. */
  get bufferedMessages(): number {
    return this.#end.bufferedMessages;
  }

  /** The same in bytes; short messages count with the most that they can be. */
  get bufferedBytes(): number {
    return this.#end.bufferedBytes;
  }

  /** The largest message that the server takes, in bytes. */
  get maxMessageBytes(): number {
    return this.#end.maxMessageBytes;
  }

  /** Whether a sender should wait for {@linkcode room}. */
  get isBusy(): boolean {
    return !this.#isOpen || this.#end.isBusy;
  }

  /** Resolves when the window has room again, or the session has ended. */
  room(): Promise<void> {
    return this.#end.room();
  }

  /** Shows a token in every hello from now on; `undefined` shows none. */
  show(auth: string | undefined): void {
    this.#auth = auth;
  }

  /**
   * Goes on over a new connection: leaves any older one, and says hello.
   *
   * @param wire The connection.
   * @param events Who listens to it.
   * @param accept What can be read on it besides text.
   */
  open(wire: Wire, events: ClientWireEvents, accept: readonly string[] = []): void {
    const before = this.#events;
    this.leave();
    before?.left();
    this.#wire = wire;
    this.#events = events;
    this.#attempt++;
    wire.send(helloFrame(this.#hello(accept)));
    // Only the first hello cannot find a session that has heard the messages behind it.
    if (this.#attempt > 1) return;
    this.#end.attach(wire, { received: 0, limits: FIRST_LIMITS, isAssumed: true });
  }

  /**
   * Leaves the present connection: what is still on it is nobody's any more.
   *
   * @param wire The connection that is meant; if it is not the present one, nothing happens.
   */
  leave(wire: Wire | undefined = this.#wire): void {
    if (wire !== this.#wire) return;
    this.#end.detach();
    this.#wire = undefined;
    this.#events = undefined;
    this.#isOpen = false;
  }

  /** Takes a frame; what an older connection still says is ignored. */
  receive(wire: Wire, frame: string): void {
    if (wire !== this.#wire) return;
    if (!this.#isOpen) return this.#greeted(wire, frame);
    // Who has said goodbye hears no more messages, and counts none.
    if (!this.#isLeaving || frame.startsWith("[")) this.#end.receive(frame);
  }

  /**
   * Whether a message may go out before the welcome: it is safe to be repeated,
   * and small.
   *
   * @param units Its size, in UTF-16 units.
   */
  mayRide(units: number): boolean {
    return this.#attempt === 1 && this.#wire !== undefined && !this.#isOpen &&
      this.#ridden + units <= MAX_RIDING_UNITS;
  }

  /** Sends a message, now or as soon as it can go. */
  send(message: Outgoing): void {
    if (!this.#isOpen) this.#ridden += message.text.length;
    this.#end.send(message);
  }

  /** Sends messages in one frame, if they can go now; only when the session is open. */
  sendTogether(messages: readonly Outgoing[]): void {
    this.#end.sendTogether(messages);
  }

  /** Asks for a sign of life. */
  ping(mark: unknown): void {
    this.#end.ping(mark);
  }

  /** Says goodbye: the session ends on purpose. Returns whether it could be said. */
  bye(): boolean {
    const isHeard = this.#wire !== undefined && (this.#isOpen || this.#attempt === 1);
    if (!isHeard || this.#isLeaving) return isHeard;
    this.#isLeaving = true;
    this.#end.bye(this.#end.sent);
    return true;
  }

  /** Ends the session: what the server may not have is given up. */
  end(reason: Error): void {
    this.leave();
    this.#end.end(() => reason);
  }

  #hello(accept: readonly string[]): Hello {
    const { limits, promptAck } = this.#options;
    return {
      session: this.id,
      token: this.#token,
      attempt: this.#attempt,
      resume: this.#welcome !== undefined,
      received: this.#end.received,
      limits,
      accept,
      promptAck,
      auth: this.#auth,
    };
  }

  /** The first frame on a connection says what became of the hello. */
  #greeted(wire: Wire, text: string): void {
    const frame = text.startsWith("[") ? parseControl(text) : undefined;
    const events = this.#events;
    if (frame?.type === "welcome") this.#welcomed(wire, frame.welcome);
    else if (frame?.type === "end") events?.ended(frame.end);
    else if (frame?.type === "bye" && this.#isLeaving) events?.bye();
    else if (this.#welcome === undefined) events?.unspoken();
    else events?.violation("The first frame is no welcome");
  }

  #welcomed(wire: Wire, welcome: Welcome): void {
    const events = this.#events;
    const { resumed, received, limits, reason } = welcome;
    // A reason says that nothing was opened: a lost welcome may have told of a session that is gone.
    const isGone = this.#welcome !== undefined || (this.#attempt > 1 && reason !== undefined);
    if (!resumed && isGone) return events?.unknown(reason ?? "no reason given");
    switch (this.#end.judge(received)) {
      case "impossible":
        return events?.violation("The server has received more than was ever sent");
      case "lost":
        return events?.violation("The server has forgotten what it acknowledged");
      case "resumable":
        this.#welcome = welcome;
        this.#isOpen = true;
        wire.agree?.(welcome.accept);
        if (this.#attempt === 1) this.#end.agree({ received, limits });
        else this.#end.attach(wire, { received, limits });
        events?.opened(welcome, this.#attempt === 1 ? 0 : this.#end.bufferedMessages);
    }
  }

  #steer(frame: SteeringFrame): void {
    switch (frame.type) {
      case "goaway":
        return this.#events?.goaway(frame.goaway);
      case "end":
        return this.#events?.ended(frame.end);
      case "bye":
        // The answer tells what got through before the end.
        if (this.#isLeaving) this.#end.acknowledge(frame.count);
        return this.#events?.bye();
      case "hello":
      case "welcome":
        return this.#events?.violation(`A server cannot say "${frame.type}" now`);
    }
  }
}

/** 256 bits from the CSPRNG, in base64url. */
function mintToken(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(32));
  return btoa(String.fromCharCode(...bytes))
    .replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}
