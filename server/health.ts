/** How a handler is doing. */
export interface HandlerHealth {
  /** Whether new connections are taken: `full`, `draining` and `closed` refuse them. */
  readonly status: "ok" | "full" | "draining" | "closed";
  /** Connections that are open or being opened. */
  readonly activeConnections: number;
  /** Connections opened so far. */
  readonly totalConnections: number;
  /** Messages that came in so far. */
  readonly messagesIn: number;
  /** Messages that went out so far. */
  readonly messagesOut: number;
  /** Failures reported so far. */
  readonly errors: number;
  /** Time since the handler was made, in milliseconds. */
  readonly uptime: number;
}
