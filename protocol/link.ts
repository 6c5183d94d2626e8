import type { Clock, Timer } from "./clock.ts";
import { closeReason } from "./close_codes.ts";

/** How a connection ended. */
export interface CloseInfo {
  /** The close code; 0 or 1006 where there was no closing handshake. */
  readonly code: number;
  /** The peer's reason, or the runtime's words for what went wrong. */
  readonly reason: string;
}

/** Who listens to a {@linkcode Link}; whoever listens to several tells them apart by `from`. */
export interface LinkEvents {
  /** A frame came in: text, or binary data. */
  frame(data: string | ArrayBuffer, from: Link): void;
  /** The connection ended. Called exactly once, unless the link is abandoned. */
  closed(info: CloseInfo, from: Link): void;
}

/** What a socket tells. */
type SocketEvent =
  & Event
  & (
    | { readonly type: "message"; readonly data: string | ArrayBuffer }
    | { readonly type: "close"; readonly code: number; readonly reason: string }
    | { readonly type: "error" }
  );

/**
 * What has passed through links, in UTF-16 units: as many as bytes where all is
 * ASCII. Binary frames count in bytes.
 */
export interface LinkTraffic {
  /** What came in. */
  received: number;
  /** What was written. */
  sent: number;
}

/** Time for the closing handshake, in milliseconds; a silent peer never completes it. */
const CLOSE_TIMEOUT = 1_000;
/** What may wait in the socket before {@linkcode Link.drained} waits too, in bytes. */
export const HIGH_WATER: number = 1024 * 1024;
/** How often a full socket is looked at, in milliseconds; it tells nothing by itself. */
const DRAIN_INTERVAL = 5;
/** What may be written between two looks at the socket, in UTF-16 units: a look costs a call. */
const LOOK_INTERVAL = 64 * 1024;
/** `WebSocket.OPEN`, which costs a look-up for every message. */
const OPEN = 1;

/**
 * An open WebSocket whose end is told exactly once, and surely: runtimes tell
 * it twice, never, or only when a silent peer agrees. It is its own listener,
 * as handlers would take a closure each, and a table of them for every socket.
 */
export class Link implements EventListenerObject {
  readonly #socket: WebSocket;
  readonly #clock: Clock;
  readonly #traffic: LinkTraffic;
  #events: LinkEvents | undefined;
  #closing: CloseInfo | undefined;
  #closeTimer: Timer | undefined;
  #draining: Promise<void> | undefined;
  /** What was written since the socket was last seen with room, in UTF-16 units. */
  #unseen = 0;
  #failure = "";

  /**
   * @param socket A socket that is open and has no handlers.
   * @param events Who listens.
   * @param clock Where time comes from.
   * @param traffic Counts what passes, of this link and perhaps others.
   */
  constructor(
    socket: WebSocket,
    events: LinkEvents,
    clock: Clock,
    traffic: LinkTraffic = { received: 0, sent: 0 },
  ) {
    this.#socket = socket;
    this.#events = events;
    this.#clock = clock;
    this.#traffic = traffic;
    // Browsers make blobs otherwise, which cannot be read at once.
    socket.binaryType = "arraybuffer";
    socket.addEventListener("message", this);
    socket.addEventListener("error", this);
    socket.addEventListener("close", this);
  }

  /**
   * A link over a socket that somebody else opened; its handlers are taken over.
   *
   * @throws {TypeError} If the socket is not open.
   */
  static adopt(socket: WebSocket, events: LinkEvents, clock: Clock): Link {
    if (socket.readyState !== OPEN) {
      throw new TypeError("Cannot adopt socket: it is not open");
    }
    socket.onopen =
      socket.onmessage =
      socket.onerror =
      socket.onclose =
        null;
    return new Link(socket, events, clock);
  }

  /** Hears the socket. */
  handleEvent(event: SocketEvent): void {
    switch (event.type) {
      case "message":
        return this.#read(event.data);
      case "error":
        this.#failure = errorText(event);
        return;
      case "close":
        return this.#end({ code: event.code, reason: event.reason || this.#failure });
    }
  }

  /** Tells somebody else from now on. */
  redirect(events: LinkEvents): void {
    if (this.#events !== undefined) this.#events = events;
  }

  /** Whether frames can be sent. */
  get isOpen(): boolean {
    return this.#events !== undefined && this.#closing === undefined &&
      this.#socket.readyState === OPEN;
  }

  /** The subprotocol in use, as far as this end knows it. */
  get protocol(): string {
    return this.#socket.protocol;
  }

  /** Bytes that wait to leave. */
  get bufferedAmount(): number {
    return this.#socket.bufferedAmount;
  }

  /** Whether so much waits that a sender should wait for {@linkcode Link.drained}. */
  get isCongested(): boolean {
    if (this.#unseen < LOOK_INTERVAL) return false;
    const isCongested = this.#socket.bufferedAmount > HIGH_WATER;
    if (!isCongested) this.#unseen = 0;
    return isCongested;
  }

  /** Sends one frame; on a link that is not open it is dropped. */
  send(frame: string | Uint8Array<ArrayBuffer>): void {
    if (!this.isOpen) return;
    this.#unseen += frame.length;
    this.#traffic.sent += frame.length;
    this.#socket.send(frame);
  }

  /** Resolves when the socket has room again, or has ended. */
  drained(): Promise<void> {
    if (!this.isOpen || !this.isCongested) return Promise.resolve();
    // One timer, however many senders wait.
    this.#draining ??= new Promise((resolve) => {
      const look = () => {
        if (this.isOpen && this.isCongested) {
          this.#clock.after(DRAIN_INTERVAL, look);
          return;
        }
        this.#draining = undefined;
        resolve();
      };
      this.#clock.after(DRAIN_INTERVAL, look);
    });
    return this.#draining;
  }

  /**
   * Starts the closing handshake. `closed` is called when the peer has
   * answered, or did not within a second.
   *
   * @param code The close code; one that this end may not send is left out.
   * @param reason Shortened to what a close frame holds.
   */
  close(code: number, reason: string): void {
    if (this.#events === undefined || this.#closing !== undefined) return;
    this.#closing = { code, reason };
    this.#closeTimer = this.#clock.after(CLOSE_TIMEOUT, () => this.#giveUp({ code, reason }));
    this.#hangUp(code, reason);
  }

  /**
   * Forgets the socket without a word to the listener, and lets the runtime close it.
   *
   * @param code The close code; none by default, and if this end may not send it.
   * @param reason Why, in words fit for the peer.
   */
  abandon(code?: number, reason = ""): void {
    this.#events = undefined;
    this.#release();
    if (this.#socket.readyState <= OPEN) this.#hangUp(code, reason);
  }

  #read(data: string | ArrayBuffer): void {
    this.#traffic.received += typeof data === "string" ? data.length : data.byteLength;
    this.#events?.frame(data, this);
  }

  #hangUp(code: number | undefined, reason: string): void {
    try {
      this.#socket.close(code, closeReason(reason));
    } catch {
      this.#socket.close();
    }
  }

  /** Bun can hang up for real; elsewhere the runtime goes on waiting for the peer. */
  #giveUp(info: CloseInfo): void {
    this.#end(info);
    const socket: WebSocket & { terminate?: () => void } = this.#socket;
    socket.terminate?.();
  }

  #end(info: CloseInfo): void {
    const events = this.#events;
    this.#events = undefined;
    this.#release();
    // Who closes knows why; runtimes may tell 0 or 1006 instead.
    events?.closed(this.#closing ?? info, this);
  }

  /** It goes on listening, and does nothing: an `error` event without a listener may end the process. */
  #release(): void {
    this.#closeTimer?.clear();
    this.#closeTimer = undefined;
  }
}

/** The text of an `error` event: Deno and Bun have one, browsers do not. */
export function errorText(event: Event): string {
  return "message" in event && typeof event.message === "string" ? event.message : "";
}
