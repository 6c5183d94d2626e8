import { stopwatch } from "../../protocol/clock.ts";
import { MCPConnectionError, MCPRpcError } from "../../protocol/errors.ts";
import type { JsonRpcParams } from "../../protocol/jsonrpc.ts";
import { LISTEN } from "../../protocol/mcp.ts";
import type { Progress } from "../../protocol/pending.ts";
import { RequestMeter, type RequestStats, UNMEASURED } from "../request_meter.ts";
import {
  downError,
  fullError,
  isUnsent,
  noLargeError,
  notConnectedError,
  waitedError,
} from "./errors.ts";
import type { Fleet } from "./fleet.ts";
import type { Flight } from "./flight.ts";
import type { Member } from "./member.ts";
import { isLongerThan } from "./message_size.ts";
import type { PoolLane, PoolRequestOptions, ResolvedPoolOptions } from "./options.ts";
import { Safety } from "./safety.ts";
import { WaitingRoom } from "./waiting_room.ts";

/** What a {@linkcode Router} counts. */
export interface RouterStats extends RequestStats {
  /** Requests that wait for a connection. */
  readonly waiting: number;
  /** How often a request was sent again over another connection. */
  readonly moved: number;
  /** Requests that were refused as no connection was usable, or all were full. */
  readonly refused: number;
}

/** How often a request is sent: it may be what connections are lost by. */
const MAX_ATTEMPTS = 4;
const NO_OPTIONS: PoolRequestOptions = {};

/** Finds a connection for each request, and another one if that is lost. */
export class Router {
  readonly #options: ResolvedPoolOptions;
  readonly #fleet: Fleet;
  readonly #safety: Safety;
  readonly #meter: RequestMeter;
  readonly #rooms: { readonly [Name in PoolLane]: WaitingRoom };
  #moved = 0;
  #refused = 0;

  /**
   * @param options Bounds, and what happens when all is down.
   * @param fleet The connections.
   */
  constructor(options: ResolvedPoolOptions, fleet: Fleet) {
    this.#options = options;
    this.#fleet = fleet;
    this.#safety = new Safety(options.client.resend);
    this.#meter = new RequestMeter(stopwatch(options.client.clock));
    this.#rooms = { small: this.#createRoom(), large: this.#createRoom() };
  }

  /** Numbers about it, as they are now. */
  get stats(): RouterStats {
    const { small, large } = this.#rooms;
    return {
      ...this.#meter.stats,
      waiting: small.size + large.size,
      moved: this.#moved,
      refused: this.#refused,
    };
  }

  /** Sends a request and waits for its answer. */
  request(
    method: string,
    params: JsonRpcParams | undefined,
    options: PoolRequestOptions = NO_OPTIONS,
  ): Promise<unknown> {
    const lane = this.#laneOf(params, options);
    return new Promise((resolve, reject) => {
      this.#dispatch({
        method,
        params,
        options,
        lane,
        startedAt: this.#options.client.clock.now(),
        sample: method === LISTEN ? UNMEASURED : this.#meter.started(),
        resolve,
        reject,
        attempt: 0,
        place: 0,
        lastError: undefined,
      });
    });
  }

  /** Sends what waits over a connection that has become usable, and what others have lost. */
  usable(member: Member): void {
    for (const flight of this.#empty(member.lane)) this.#dispatch(flight);
    for (const other of this.#fleet.members) {
      if (other.isStranded && other.lane === member.lane) this.rescue(other);
    }
  }

  /** Sends what may run twice over other connections, as far as there are any. */
  rescue(member: Member): void {
    for (const flight of member.flights) {
      if (this.#safety.mayRepeat(flight)) this.#move(flight, member);
    }
  }

  /** Waits for subscriptions no longer: they never end, and move when their connection is closed. */
  dismiss(member: Member): void {
    for (const flight of member.flights) {
      if (flight.method === LISTEN) member.release(flight);
    }
  }

  /** Rejects what waits for a connection for large requests, as none can be had. */
  failLarge(cause: Error): void {
    for (const flight of this.#empty("large")) {
      this.#refuse(flight, noLargeError(nameOf(flight), cause));
    }
  }

  /** Rejects all that waits for a connection. */
  close(): void {
    for (const flight of [...this.#empty("small"), ...this.#empty("large")]) {
      this.#refuse(flight, notConnectedError(nameOf(flight)));
    }
  }

  #laneOf(params: JsonRpcParams | undefined, { lane }: PoolRequestOptions): PoolLane {
    const { largeRequestBytes } = this.#options;
    if (largeRequestBytes === Infinity) return "small";
    if (lane !== undefined || params === undefined) return lane ?? "small";
    return isLongerThan(params, largeRequestBytes) ? "large" : "small";
  }

  #dispatch(flight: Flight, lost?: Member): void {
    const { signal } = flight.options;
    if (signal?.aborted) return this.#reject(flight, signal.reason);
    const mayGo = flight.attempt === 0 ? this.#fleet.isOpen : !this.#fleet.isClosed;
    if (!mayGo) return this.#refuse(flight, notConnectedError(nameOf(flight)));
    const member = this.#fleet.lanes[flight.lane].pick(lost);
    if (flight.lane === "large") this.#grow(member);
    if (member !== undefined) this.#launch(flight, member);
    else this.#hold(flight);
  }

  /** Sees to it that large requests have a connection, and another one when that is busy. */
  #grow(member: Member | undefined): void {
    const isEnough = member === undefined ? this.#fleet.hasLarge : member.pending === 0;
    if (!isEnough && this.#fleet.isUp) this.#fleet.grow();
  }

  #launch(flight: Flight, member: Member): void {
    const attempt = ++flight.attempt;
    if (attempt > 1) this.#moved++;
    if (flight.lane === "large") this.#fleet.employ(member);
    member.take(flight);
    const { method, params } = flight;
    member.client.request(method, params, this.#optionsOf(flight, attempt)).then(
      (result) => attempt === flight.attempt && this.#land(flight, member, result),
      (reason) => attempt === flight.attempt && this.#crash(flight, member, reason),
    );
  }

  #land(flight: Flight, member: Member, result: unknown): void {
    this.#meter.answered(flight.sample, false);
    this.#safety.learn(flight.method, result);
    flight.resolve(result);
    member.release(flight);
  }

  #crash(flight: Flight, member: Member, reason: unknown): void {
    member.release(flight);
    flight.lastError = reason;
    if (this.#mayMove(flight, reason)) this.#dispatch(flight, member);
    else this.#reject(flight, reason);
  }

  /** Sends a request in flight over another connection; what comes of it on this one is ignored. */
  #move(flight: Flight, from: Member): void {
    if (isUsedUp(flight) || flight.options.signal?.aborted) return;
    const member = this.#fleet.lanes[flight.lane].pick(from);
    if (member === undefined) return;
    from.release(flight);
    this.#launch(flight, member);
  }

  #mayMove(flight: Flight, reason: unknown): boolean {
    if (flight.options.signal?.aborted || isUsedUp(flight)) return false;
    if (isUnsent(reason)) return true;
    return reason instanceof MCPConnectionError && this.#safety.mayRepeat(flight);
  }

  /** What becomes of a request for which there is no connection now. */
  #hold(flight: Flight): void {
    const { maxPending, whenDown } = this.#options;
    const { usable } = this.#fleet.lanes[flight.lane];
    if (usable > 0) return this.#refuse(flight, fullError(nameOf(flight), usable, maxPending));
    const isComing = flight.lane === "large" && this.#fleet.isUp && this.#fleet.hasLarge;
    if (!isComing && whenDown === "reject") {
      return this.#refuse(flight, downError(nameOf(flight), this.#fleet));
    }
    const refusal = this.#rooms[flight.lane].add(flight);
    if (refusal !== undefined) this.#refuse(flight, refusal);
  }

  /** Options of one attempt. */
  #optionsOf(flight: Flight, attempt: number): PoolRequestOptions {
    const { options } = flight;
    const { onProgress } = options;
    if (attempt === 1 && onProgress === undefined) return options;
    const limits = attempt === 1 ? {} : this.#limitsOf(flight);
    const listener = onProgress && ((news: Progress) => {
      if (attempt === flight.attempt) onProgress(news);
    });
    return { ...options, ...limits, onProgress: listener };
  }

  /** The time that is left: what a request may take in all does not start anew. */
  #limitsOf({ options, startedAt }: Flight): { timeout: number; maxTimeout: number } {
    const { client: { clock }, clientOptions } = this.#options;
    const { timeout = clientOptions.requestTimeout ?? 60_000 } = options;
    const { maxTimeout = clientOptions.maxRequestTimeout ?? 600_000 } = options;
    const rest = Math.max(startedAt + Math.max(maxTimeout, timeout) - clock.now(), 1);
    return { timeout: Math.min(timeout, rest), maxTimeout: rest };
  }

  #reject(flight: Flight, reason: unknown): void {
    if (reason instanceof MCPRpcError) this.#meter.answered(flight.sample, true);
    else if (reason instanceof MCPConnectionError) this.#meter.lost();
    flight.reject(reason);
  }

  /** Rejects what cannot be sent; if it was sent before, with what became of it then. */
  #refuse(flight: Flight, error: Error): void {
    if (flight.attempt > 0) return this.#reject(flight, flight.lastError);
    this.#refused++;
    flight.reject(error);
  }

  *#empty(lane: PoolLane): Generator<Flight> {
    for (let count = this.#rooms[lane].size; count > 0; count--) {
      const flight = this.#rooms[lane].take();
      if (flight !== undefined) yield flight;
    }
  }

  #createRoom(): WaitingRoom {
    const { maxWaiting, maxWait, client: { clock } } = this.#options;
    return new WaitingRoom({
      maxWaiting,
      maxWait,
      clock,
      onExpired: (flight) => this.#refuse(flight, waitedError(nameOf(flight), maxWait)),
      onAborted: (flight, reason) => this.#reject(flight, reason),
    });
  }
}

/** Whether it was sent too often; a subscription stays in flight for good. */
function isUsedUp({ attempt, method }: Flight): boolean {
  return attempt >= MAX_ATTEMPTS && method !== LISTEN;
}

function nameOf({ method }: Flight): string {
  return `request "${method}"`;
}
