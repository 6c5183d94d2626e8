import {
  MCPCapacityError,
  MCPConnectionError,
  MCPError,
  MCPTimeoutError,
} from "../../protocol/errors.ts";
import type { Fleet } from "./fleet.ts";

/** Endpoints that an error names. */
const MAX_NAMES = 3;

/** Whether the request that failed so has not left. */
export function isUnsent(error: unknown): boolean {
  return error instanceof MCPCapacityError ||
    (error instanceof MCPConnectionError && error.outcome === "not-sent");
}

/** The error of who asks a pool that is not connected. */
export function notConnectedError(what: string): MCPConnectionError {
  return new MCPConnectionError(`Cannot send ${what}: the pool is not connected`, {
    outcome: "not-sent",
  });
}

/** The error of who asks while no connection is usable. */
export function downError(what: string, { members, endpoints }: Fleet): MCPConnectionError {
  const names = endpoints.slice(0, MAX_NAMES).map((name) => `"${name}"`).join(", ");
  const more = endpoints.length > MAX_NAMES ? ` and ${endpoints.length - MAX_NAMES} more` : "";
  const cause = members.find(({ lastError }) => lastError !== undefined)?.lastError;
  const text = `Cannot send ${what}: none of ${members.length} connections to ${names}${more} ` +
    "is usable";
  return new MCPConnectionError(text, { outcome: "not-sent", cause });
}

/** The error of who needs a connection for large requests that cannot be opened. */
export function noLargeError(what: string, cause: Error): MCPConnectionError {
  const words = cause instanceof MCPError ? `: ${cause.message}` : "";
  const text = `Cannot open a connection for large ${what}${words}`;
  return new MCPConnectionError(text, { outcome: "not-sent", cause });
}

/** The error of who asks while all connections are full. */
export function fullError(what: string, count: number, maxPending: number): MCPCapacityError {
  const each = `${maxPending} in flight already`;
  return new MCPCapacityError(
    `Cannot send ${what} as ${count} connections have ${each} each`,
    count * maxPending,
  );
}

/** The error of who has waited too long for a connection. */
export function waitedError(what: string, maxWait: number): MCPTimeoutError {
  const text = `Cannot send ${what}: no connection was usable within ${maxWait} ms`;
  return new MCPTimeoutError(text, maxWait, { retryable: true });
}
