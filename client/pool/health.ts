import type { HealthCheckOptions, HealthReport } from "../health.ts";
import type { Member } from "./member.ts";
import type { PoolLane } from "./options.ts";

/** How one connection of a pool does. */
export interface PoolMemberHealth {
  /** What its endpoint is called: without credentials and query. */
  readonly endpoint: string;
  /** The requests that it takes. */
  readonly lane: PoolLane;
  /** How it does. */
  readonly report: HealthReport;
}

/** How a pool does, at one moment. */
export interface PoolHealthReport {
  /**
   * `healthy` if all of its connections are, `unhealthy` if all are or there
   * are none, else `degraded`.
   */
  readonly status: HealthReport["status"];
  /** Each connection that is meant to be open. */
  readonly members: readonly PoolMemberHealth[];
}

/**
 * Asks all connections at once.
 *
 * @param members The connections.
 * @param options A time limit, and a signal.
 * @throws {RangeError} If the time limit is none.
 * @throws The signal's reason, if it aborts.
 */
export async function checkPoolHealth(
  members: readonly Member[],
  options: HealthCheckOptions,
): Promise<PoolHealthReport> {
  const asked = members.filter(({ lane, isWanted }) => lane === "small" || isWanted);
  const reports = await Promise.all(asked.map(async ({ client, endpoint, lane }) => {
    return Object.freeze({ endpoint, lane, report: await client.healthCheck(options) });
  }));
  return Object.freeze({ status: statusOf(reports), members: Object.freeze(reports) });
}

function statusOf(members: readonly PoolMemberHealth[]): HealthReport["status"] {
  const isAll = (status: HealthReport["status"]) => {
    return members.every(({ report }) => report.status === status);
  };
  if (isAll("unhealthy")) return "unhealthy";
  return isAll("healthy") ? "healthy" : "degraded";
}
