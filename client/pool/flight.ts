import type { JsonRpcParams } from "../../protocol/jsonrpc.ts";
import type { PoolLane, PoolRequestOptions } from "./options.ts";

/** A request on its way through one connection after the other. */
export interface Flight {
  /** Its method. */
  readonly method: string;
  /** Its parameters. */
  readonly params: JsonRpcParams | undefined;
  /** Limits, a signal, a listener for progress. */
  readonly options: PoolRequestOptions;
  /** The connections it may take. */
  readonly lane: PoolLane;
  /** When it was asked for, in milliseconds since any moment. */
  readonly startedAt: number;
  /** What the meter gave for it. */
  readonly sample: number;
  /** Settles it with an answer. */
  readonly resolve: (result: unknown) => void;
  /** Settles it with a failure. */
  readonly reject: (reason: unknown) => void;
  /** How often it was sent. What comes of an earlier attempt is ignored. */
  attempt: number;
  /** Where it stands in the list of the connection it is in flight over. */
  place: number;
  /** Why the last attempt failed. */
  lastError: unknown;
}
