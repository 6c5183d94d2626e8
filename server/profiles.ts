import type { WebSocketHandlerOptions } from "./options.ts";

/** The bounds that {@linkcode STRANGERS} sets. */
export type Profile = Readonly<
  Pick<WebSocketHandlerOptions, "maxMessageBytes" | "maxInFlight" | "rate" | "session">
>;

/**
 * Bounds for a server that strangers can reach: tighter than the defaults, which
 * trust whoever may connect. They bound what one client costs; who may connect
 * is for `auth`, `admission` and `allowedOrigins` to say.
 *
 * Whoever sets `session` as well spreads it: `session: { ...STRANGERS.session, window }`.
 *
 * @example Usage
 * ```ts
 * import { createWebSocketHandler, STRANGERS } from "@bowline/mcp-websocket/server";
 *
 * await using _handler = createWebSocketHandler((session) => session.start(), {
 *   ...STRANGERS,
 *   maxInFlight: 64,
 * });
 * ```
 */
export const STRANGERS: Profile = {
  maxMessageBytes: 1024 * 1024,
  maxInFlight: 256,
  rate: {
    messages: { perSecond: 2_000 },
    bytes: { perSecond: 8 * 1024 * 1024 },
  },
  session: {
    bufferMessages: 1_024,
    bufferBytes: 1024 * 1024,
    maxWaitingMessages: 2_048,
    maxWaitingBytes: 8 * 1024 * 1024,
    maxBytesPerPrincipal: 16 * 1024 * 1024,
  },
};
