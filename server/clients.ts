import type { Implementation } from "../protocol/mcp_types.ts";
import type { ServerSession } from "./session.ts";

/** A client, as it was when somebody asked. */
export interface ClientSnapshot {
  /** Names the connection. */
  readonly id: string;
  /** Who the client says it is. */
  readonly clientInfo: Implementation | undefined;
  /** The subprotocol that it speaks. */
  readonly protocol: "mcp" | "bowline.v1";
  /** Whether it is connected now: a session waits for its client for a while. */
  readonly isAttached: boolean;
  /** Whom it belongs to, as far as anybody knows. */
  readonly principal: string | undefined;
  /** The client's IP address, where there is one. */
  readonly remoteAddress: string | undefined;
  /** When it connected, in milliseconds since 1970. */
  readonly connectedAt: number;
  /** When its last message came in, in milliseconds since 1970. */
  readonly lastActivity: number;
  /** Messages that came in. */
  readonly messagesIn: number;
  /** Messages that went out. */
  readonly messagesOut: number;
  /** Requests that wait for their answer. */
  readonly running: number;
}

/**
 * What is known of a client.
 *
 * @param session The client.
 * @returns A copy that does not change.
 */
export function snapshotClient({ transport, clientInfo }: ServerSession): ClientSnapshot {
  const {
    id,
    protocol,
    isAttached,
    principal,
    request,
    connectedAt,
    lastActivity,
    messagesIn,
    messagesOut,
    running,
  } = transport;
  return {
    id,
    clientInfo,
    protocol,
    isAttached,
    principal: principal?.id,
    remoteAddress: request?.remoteAddress,
    connectedAt,
    lastActivity,
    messagesIn,
    messagesOut,
    running,
  };
}
