/** How a handler is doing. */
export interface HandlerHealth {
  /** Whether new connections are taken: `full`, `draining` and `closed` refuse them. */
  readonly status: "ok" | "full" | "draining" | "closed";
  /** Connections that are open or being opened; a session counts also while it is without one. */
  readonly activeConnections: number;
  /** Connections opened so far. */
  readonly totalConnections: number;
  /** Messages that came in so far. */
  readonly messagesIn: number;
  /** Messages that went out so far. */
  readonly messagesOut: number;
  /** Sessions that wait for their clients to come back. */
  readonly detachedSessions: number;
  /** Bytes that sessions hold for their clients; short messages count with the most they can be. */
  readonly bufferedBytes: number;
  /** Failures reported so far. */
  readonly errors: number;
  /** Time since the handler was made, in milliseconds. */
  readonly uptime: number;
}
