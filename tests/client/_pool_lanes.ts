import type { MCPWebSocketPool } from "../../client/pool.ts";
import type { PoolMemberStats } from "../../client/pool/stats.ts";

/** More than the default threshold. */
export const LARGE: string = "x".repeat(70_000);

/** Whether a connection is one for large requests. */
export function isLarge({ lane }: PoolMemberStats): boolean {
  return lane === "large";
}

/** What each connection takes, and where it stands. */
export function laneStates(pool: MCPWebSocketPool): string[] {
  return pool.getStats().members.map(({ lane, state }) => `${lane} ${state}`);
}
