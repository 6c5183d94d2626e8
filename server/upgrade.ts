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
  awaitOpen(socket, clock, events);
  return response;
}

function awaitOpen(
  socket: WebSocket,
  clock: Clock,
  events: UpgradeEvents,
): void {
  let timer: Timer | undefined = clock.after(
    OPEN_TIMEOUT,
    () => fail("The upgrade was not completed in time"),
  );
  function settle(): boolean {
    if (timer === undefined) return false;
    timer.clear();
    timer = undefined;
    return true;
  }
  function fail(reason: string): void {
    if (!settle()) return;
    events.failed(new MCPConnectionError(`Cannot open socket: ${reason}`));
  }
  socket.onopen = () => {
    if (settle()) events.opened(socket);
    else socket.close();
  };
  socket.onerror = () => fail("the peer has left");
  socket.onclose = () => fail("the peer has left");
}
