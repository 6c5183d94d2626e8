import type { ClientStats } from "../client_options.ts";
import type { ConnectionStatus } from "../connection.ts";
import type { ConnectionStats } from "../stats.ts";
import type { Member } from "./member.ts";
import type { PoolLane } from "./options.ts";
import type { RouterStats } from "./router.ts";

/** Numbers about one connection of a pool. */
export interface PoolMemberStats {
  /** What its endpoint is called: without credentials and query. */
  readonly endpoint: string;
  /** The requests that it takes. */
  readonly lane: PoolLane;
  /** Where it stands. */
  readonly state: ConnectionStatus;
  /** Requests of the pool that are in flight on it. */
  readonly pendingRequests: number;
  /** Its own numbers. */
  readonly stats: ClientStats;
}

/** What is added up over all connections, those of endpoints that have left included. */
export type PoolTotals = Pick<
  ConnectionStats,
  | "attempts"
  | "successes"
  | "failures"
  | "losses"
  | "reconnects"
  | "resumes"
  | "replayedMessages"
  | "sessionsLost"
  | "errors"
  | "messagesSent"
  | "messagesReceived"
  | "unitsSent"
  | "unitsReceived"
>;

/**
 * Numbers about a pool. `requestLatency` and what else is known of requests is
 * measured by the pool itself, as its callers see it: percentiles of several
 * connections cannot be averaged.
 */
export interface PoolStats extends RouterStats, PoolTotals {
  /** Connections in the pool, open or not. */
  readonly connections: number;
  /** Those of them that take requests. */
  readonly usable: number;
  /** Requests in flight. */
  readonly pendingRequests: number;
  /** Each connection. */
  readonly members: readonly PoolMemberStats[];
  /** The connection with the longest `requestLatency.p99`; `undefined` before the first answer. */
  readonly slowest: PoolMemberStats | undefined;
}

/** Totals that grow. */
export type Totals = { -readonly [Name in keyof PoolTotals]: number };

/** Totals of nothing. */
export function emptyTotals(): Totals {
  return {
    attempts: 0,
    successes: 0,
    failures: 0,
    losses: 0,
    reconnects: 0,
    resumes: 0,
    replayedMessages: 0,
    sessionsLost: 0,
    errors: 0,
    messagesSent: 0,
    messagesReceived: 0,
    unitsSent: 0,
    unitsReceived: 0,
  };
}

const NAMES = Object.keys(emptyTotals()) as (keyof PoolTotals)[];

/** Adds the numbers of a connection. */
export function addTotals(totals: Totals, stats: PoolTotals): void {
  for (const name of NAMES) totals[name] += stats[name];
}

/**
 * Sums up.
 *
 * @param members The connections.
 * @param retired What those of endpoints that have left have done.
 * @param requests What is known of requests.
 * @param usable How many connections take requests.
 */
export function summarizeStats(
  members: readonly Member[],
  retired: PoolTotals,
  requests: RouterStats,
  usable: number,
): PoolStats {
  const totals: Totals = { ...retired };
  const each = members.map(snapshot);
  for (const { stats } of each) addTotals(totals, stats);
  return Object.freeze({
    ...totals,
    ...requests,
    connections: each.length,
    usable,
    pendingRequests: each.reduce((sum, { pendingRequests }) => sum + pendingRequests, 0),
    members: Object.freeze(each),
    slowest: slowestOf(each),
  });
}

function snapshot({ endpoint, lane, client, pending }: Member): PoolMemberStats {
  const { status } = client.transport.state;
  const stats = client.getStats();
  return Object.freeze({ endpoint, lane, state: status, pendingRequests: pending, stats });
}

function slowestOf(members: readonly PoolMemberStats[]): PoolMemberStats | undefined {
  const p99 = ({ stats }: PoolMemberStats) => stats.requestLatency?.p99 ?? -1;
  const measured = members.filter((member) => p99(member) >= 0);
  return measured.sort((a, b) => p99(b) - p99(a))[0];
}
