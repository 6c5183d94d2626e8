import type { ConnectionState } from "./connection.ts";
import type { BaseEvents } from "./events.ts";
import type { Loss } from "./recovery.ts";
import type { ConnectionStats } from "./stats.ts";

/** What became of one ping. */
export interface HeartbeatDetail {
  /** Its round trip, in milliseconds; `undefined` if it was not answered in time. */
  readonly latency: number | undefined;
  /** How many pings in a row were not answered, this one included; 0 if it was. */
  readonly missed: number;
}

/** The events of {@linkcode WebSocketClientTransport}. */
export interface TransportEvents extends BaseEvents {
  /** The state changed. */
  statechange: {
    readonly state: ConnectionState;
    readonly previous: ConnectionState;
  };
  /** A connection was lost; `willRetry` says whether it will be dialled again. */
  lost: { readonly loss: Loss; readonly willRetry: boolean };
  /**
   * A connection that had been lost is usable again; `repeated` requests were
   * sent again, the others had been settled when it was lost.
   */
  recovered: { readonly attempt: number; readonly repeated: number };
  /** A session goes on over a new connection: nothing was lost. */
  resumed: { readonly session: string; readonly replayed: number };
  /**
   * A session could not go on: what was in flight was repeated where that is
   * safe, and settled where not. Another one, or plain `mcp`, follows.
   */
  sessionlost: { readonly reason: string };
  /** The server asked to move, and the transport has: the old connection serves what is in flight. */
  moved: { readonly reason: string };
  /** A ping was answered, or not in time. */
  heartbeat: HeartbeatDetail;
  /** The numbers, every `statsInterval` while the transport is started. */
  stats: ConnectionStats;
}
