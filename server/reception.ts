import type { Clock, Timer } from "../protocol/clock.ts";
import { CLOSE_CODES } from "../protocol/close_codes.ts";
import { HeldFrames } from "../protocol/held_frames.ts";
import type { Link, LinkEvents } from "../protocol/link.ts";
import { type Hello, parseControl } from "../protocol/session/control.ts";

/** What becomes of a connection that has just opened. */
export interface ReceptionEvents {
  /** The client wants a session. */
  hello(reception: Reception, hello: Hello): void;
  /** The client speaks plain MCP, although it negotiated sessions: something on the way ate the header. */
  plain(reception: Reception): void;
  /** The client has to be sent away. */
  refused(reception: Reception, code: number, reason: string): void;
  /** The client has left before it had a session. */
  gone(reception: Reception): void;
}

/** Time until the connection belongs to a session, in milliseconds. */
const RECEPTION_TIMEOUT = 10_000;
/** What a client may send before its session is open, in UTF-16 units. */
const MAX_HELD_UNITS = 64 * 1024;

/** A connection that negotiated sessions, until it is known which one it belongs to. */
export class Reception implements LinkEvents {
  /** The connection. */
  readonly link: Link;
  readonly #events: ReceptionEvents;
  readonly #held: HeldFrames = new HeldFrames(MAX_HELD_UNITS);
  #timer: Timer | undefined;
  /** How many hellos were said. */
  #hellos = 0;
  /** Whether the last one is being judged. */
  #isJudging = false;
  /** Set when somebody else deals with the connection. */
  #isOver = false;

  /**
   * @param link The connection, open; it is listened to from now on.
   * @param events Who decides.
   * @param clock Where time comes from.
   */
  constructor(link: Link, events: ReceptionEvents, clock: Clock) {
    this.link = link;
    this.#events = events;
    this.#timer = clock.after(RECEPTION_TIMEOUT, () => this.#expire());
    link.redirect(this);
  }

  /** See {@linkcode LinkEvents}. */
  frame(data: unknown): void {
    if (this.#isOver) return;
    if (typeof data !== "string") return this.#violate("Unknown kind of frame");
    if (this.#isJudging) return this.#hold(data);
    if (data.startsWith("[")) return this.#greet(data);
    if (!data.startsWith("{") || this.#hellos > 0) {
      return this.#violate("The first frame is no hello");
    }
    this.#held.hold(data);
    this.#events.plain(this);
  }

  /** See {@linkcode LinkEvents}. */
  closed(): void {
    this.release();
    this.#events.gone(this);
  }

  /** Waits for one more hello on the same connection, but not for a third. */
  retry(): void {
    if (this.#hellos > 1) return this.#violate("The second hello was refused, too");
    this.#isJudging = false;
    const [first, ...rest] = this.#held.release();
    // What comes behind a hello waits until it is judged, as ever.
    for (const data of rest) this.#held.hold(data);
    if (first !== undefined) this.frame(first);
  }

  /**
   * Somebody else deals with the connection from now on.
   *
   * @returns The frames that came in meanwhile.
   */
  release(): string[] {
    this.#isOver = true;
    this.#timer?.clear();
    this.#timer = undefined;
    return this.#held.release();
  }

  #greet(text: string): void {
    const frame = parseControl(text);
    if (frame?.type !== "hello") return this.#violate("The first frame is no hello");
    this.#hellos++;
    this.#isJudging = true;
    this.#events.hello(this, frame.hello);
  }

  #hold(data: string): void {
    if (!this.#held.hold(data)) this.#violate("Too much came before the session was open");
  }

  #expire(): void {
    if (!this.#isJudging) return this.#violate("No hello came in time");
    const reason = "The server could not open the session in time";
    this.#events.refused(this, CLOSE_CODES.TRY_AGAIN_LATER, reason);
  }

  #violate(reason: string): void {
    this.#events.refused(this, CLOSE_CODES.BAD_CONTROL, reason);
  }
}
