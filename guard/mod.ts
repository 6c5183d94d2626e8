/**
 * A guard for servers on the open internet: it stands before the listener, in
 * the same process, and bounds what Deno's server does not. See `docs/guard.md`.
 *
 * @example A guarded server
 * ```ts
 * import { startGuard } from "@bowline/mcp-websocket/guard";
 * import { MCPWebSocketServer } from "@bowline/mcp-websocket/server";
 *
 * await using server = new MCPWebSocketServer({ name: "demo", version: "1.0.0" });
 * await using guard = startGuard({ port: 0 }, server.fetch);
 * await server.stop();
 * ```
 *
 * @module
 */

export type { Clock, Timer } from "../protocol/clock.ts";
export { type ErrorKind, MCPError } from "../protocol/errors.ts";
export type { Logger } from "../protocol/transport.ts";
export type { EndCause } from "./end_cause.ts";
export { type Guard, type GuardStats, startGuard } from "./guard.ts";
export type { GuardOptions } from "./options.ts";
export type { GuardedFetch, GuardedInfo } from "./tickets.ts";
