import type { Clock, Timer } from "../protocol/clock.ts";
import { MCPConnectionError } from "../protocol/errors.ts";

/** How to upgrade. */
export interface UpgradeOptions {
  /** The subprotocol to answer with; the client must have offered it. */
  readonly protocol: string | undefined;
  /** Silence after which the client counts as dead, in milliseconds. */
  readonly heartbeatTimeout: number | false;
  /** Where time comes from. */
  readonly clock: Clock;
}

/** Who listens to an upgrade: exactly one of the two is called, once. Neither may throw. */
export interface UpgradeEvents {
  /** The socket is open; no frame has been read yet. */
  opened(socket: WebSocket): void;
  /** The socket will not open: the peer left in between, or somebody dropped the response. */
  failed(error: Error): void;
}

/** Time from the response to the open socket, in milliseconds; usually it takes none. */
const OPEN_TIMEOUT = 10_000;
/** What a socket tells of its opening. */
const EVENTS = ["open", "error", "close"] as const;

/**
 * Turns a request into a WebSocket. Deno stops the whole listener when it has
 * upgraded a request and does not get the response: everything is decided
 * before, and whoever calls this returns the response at once.
 *
 * @param request The request; it cannot be read any more afterwards.
 * @param options How to upgrade.
 * @param events Who listens.
 * @returns The response to return.
 */
export function upgrade(
  request: Request,
  options: UpgradeOptions,
  events: UpgradeEvents,
): Response {
  const { protocol, heartbeatTimeout, clock } = options;
  const { socket, response } = Deno.upgradeWebSocket(request, {
    // In seconds; 0 means never.
    idleTimeout: heartbeatTimeout === false ? 0 : heartbeatTimeout / 1_000,
  });
  // Not through the option: Deno wants ", " between the client's offers and
  // throws at "a,b", which the RFC allows.
  if (protocol !== undefined) {
    response.headers.set("Sec-WebSocket-Protocol", protocol);
  }
  new Opening(socket, clock, events);
  return response;
}

/** A socket until it is open; nothing of it stays behind then. */
class Opening implements EventListenerObject {
  readonly #socket: WebSocket;
  readonly #events: UpgradeEvents;
  readonly #timer: Timer;
  #isOver = false;

  constructor(socket: WebSocket, clock: Clock, events: UpgradeEvents) {
    this.#socket = socket;
    this.#events = events;
    this.#timer = clock.after(
      OPEN_TIMEOUT,
      () => this.#fail("the upgrade was not completed in time"),
    );
    for (const type of EVENTS) socket.addEventListener(type, this);
  }

  handleEvent({ type }: Event): void {
    if (type !== "open") return this.#fail("the peer has left");
    const isLate = this.#isOver;
    this.#settle();
    for (const type of EVENTS) this.#socket.removeEventListener(type, this);
    if (isLate) this.#socket.close();
    else this.#events.opened(this.#socket);
  }

  #fail(reason: string): void {
    if (this.#isOver) return;
    this.#settle();
    this.#events.failed(new MCPConnectionError(`Cannot open socket: ${reason}`));
  }

  #settle(): void {
    this.#isOver = true;
    this.#timer.clear();
  }
}
