import type { Timer } from "../../protocol/clock.ts";
import type { MCPWebSocketClient } from "../client.ts";
import { parseEndpoint } from "../endpoint.ts";
import { type Group, membersOf } from "./group.ts";
import { Lane } from "./lane.ts";
import { Member } from "./member.ts";
import { openEnough } from "./opening.ts";
import type { PoolLane, ResolvedPoolOptions } from "./options.ts";
import { RANKS } from "./rank.ts";

/** What a {@linkcode Fleet} needs, and whom it tells. */
export interface FleetOptions {
  /** Sizes and times. */
  readonly options: ResolvedPoolOptions;
  /** Makes the client of a connection, not connected yet. */
  readonly createClient: (url: string, endpoint: string, lane: PoolLane) => MCPWebSocketClient;
  /** Told that a connection takes requests. */
  readonly onUsable: (member: Member) => void;
  /** Told that a lost session has not gone on for a while. */
  readonly onStranded: (member: Member) => void;
  /** Told that no connection for large requests can be had at the moment. */
  readonly onNoLarge: (reason: Error) => void;
  /** Told of a connection whose endpoint has left, before it is forgotten. */
  readonly onRetired: (member: Member) => void;
}

/** The connections of a pool, by endpoint: which there are, and which are open. */
export class Fleet {
  /** The connections in rotation, by what they take. */
  readonly lanes: { readonly [Name in PoolLane]: Lane };
  readonly #context: FleetOptions;
  readonly #groups = new Map<string, Group>();
  /** Out of rotation, but not closed yet. */
  readonly #draining = new Set<Group>();
  /** Of connections for large requests with nothing to do. */
  readonly #idleTimers = new Map<Member, Timer>();
  /** Those who wait until a connection has nothing in flight. */
  readonly #idlers = new Map<Member, PromiseWithResolvers<void>>();
  #status: "open" | "draining" | "closed" = "closed";

  /** @param context Sizes, and who is told. */
  constructor(context: FleetOptions) {
    this.#context = context;
    const { maxPending } = context.options;
    this.lanes = { small: new Lane(maxPending), large: new Lane(maxPending) };
  }

  /** Whether it takes requests. */
  get isOpen(): boolean {
    return this.#status === "open";
  }

  /** Whether nothing is in flight any more, nor may be. */
  get isClosed(): boolean {
    return this.#status === "closed";
  }

  /** The names of the endpoints in rotation. */
  get endpoints(): string[] {
    return Array.from(this.#groups.values(), ({ name }) => name);
  }

  /** All connections, those that are being drained included. */
  get members(): Member[] {
    return [...this.#groups.values(), ...this.#draining].flatMap(membersOf);
  }

  /** Whether any connection is usable. */
  get isUp(): boolean {
    return this.lanes.small.usable + this.lanes.large.usable > 0;
  }

  /** Whether a connection for large requests is open or on its way. */
  get hasLarge(): boolean {
    return this.lanes.large.members.some(({ isWanted }) => isWanted);
  }

  /**
   * Takes an endpoint in; its connections are not opened yet.
   *
   * @throws {TypeError} If it is there already, or no WebSocket URL.
   * @throws {SyntaxError} If the URL is malformed.
   */
  enlist(endpoint: string | URL): Group {
    const { url, name } = parseEndpoint(endpoint);
    if (this.#groups.has(url)) throw new TypeError(`Cannot add endpoint "${name}": it is there`);
    const { size, largeRequestBytes } = this.#context.options;
    const create = (lane: PoolLane) => this.#create(url, name, lane);
    const small = Array.from({ length: size }, () => create("small"));
    const large = largeRequestBytes === Infinity ? undefined : create("large");
    const group = { url, name, small, large };
    this.#groups.set(url, group);
    this.#regroup();
    return group;
  }

  /**
   * Opens the connections.
   *
   * @param count How many must be usable.
   * @param signal Gives up.
   */
  async open(count: number, signal: AbortSignal | undefined): Promise<void> {
    this.#status = "open";
    await openEnough(this.lanes.small.members, count, signal);
  }

  /** Opens the connections of one endpoint, until one is usable. */
  async openGroup(group: Group, signal: AbortSignal | undefined): Promise<void> {
    await openEnough(group.small, 1, signal);
  }

  /**
   * Finds an endpoint.
   *
   * @throws {TypeError} If it is not there.
   */
  find(endpoint: string | URL): Group {
    const { url, name } = parseEndpoint(endpoint);
    const group = this.#groups.get(url);
    if (group === undefined) {
      throw new TypeError(`Cannot drain endpoint "${name}": it is not there`);
    }
    return group;
  }

  /** Takes an endpoint out of rotation; {@linkcode Fleet.retire} is to follow. */
  withdraw(group: Group): void {
    this.#groups.delete(group.url);
    this.#draining.add(group);
    this.#regroup();
  }

  /** Closes an endpoint that is out of rotation, and forgets it. */
  async retire(group: Group): Promise<void> {
    const members = membersOf(group);
    await Promise.all(members.map((member) => this.#close(member)));
    if (!this.#draining.delete(group)) return;
    for (const member of members) this.#context.onRetired(member);
  }

  /** Takes no requests any more; what is in flight goes on. */
  seal(): void {
    if (this.isOpen) this.#status = "draining";
  }

  /** Closes all connections. */
  async close(): Promise<void> {
    this.#status = "closed";
    await Promise.all(this.members.map((member) => this.#close(member)));
  }

  /** Resolves when nothing is in flight over any of these connections. */
  async idle(members: readonly Member[]): Promise<void> {
    // What one has lost may have moved to another.
    for (const member of members) {
      if (member.pending > 0) await this.#idle(member).then(() => this.idle(members));
    }
  }

  /**
   * Opens one more connection for large requests, if there is one to open.
   *
   * @param maxFailures How often it may have failed in a row.
   * @returns Whether one is open or on its way.
   */
  grow(maxFailures: number = Infinity): boolean {
    let best: Member | undefined;
    let isBestUp = false;
    for (const { small, large } of this.#groups.values()) {
      if (large === undefined || large.isWanted || large.failures > maxFailures) continue;
      const isUp = small.some(({ rank }) => rank !== RANKS.UNUSABLE);
      const isBetter = isUp === isBestUp ? large.failures < (best?.failures ?? Infinity) : isUp;
      if (!isBetter) continue;
      best = large;
      isBestUp = isUp;
    }
    best?.open().catch(() => {});
    return this.hasLarge;
  }

  /** Notes that a connection has something to do. */
  employ(member: Member): void {
    this.#idleTimers.get(member)?.clear();
    this.#idleTimers.delete(member);
  }

  #idle(member: Member): Promise<void> {
    const idler = this.#idlers.get(member) ?? Promise.withResolvers<void>();
    this.#idlers.set(member, idler);
    return idler.promise;
  }

  #create(url: string, endpoint: string, lane: PoolLane): Member {
    const { options, createClient, onUsable, onStranded } = this.#context;
    const { client: { clock, reconnect }, failoverDelay } = options;
    return new Member({
      client: createClient(url, endpoint, lane),
      endpoint,
      lane,
      revive: lane === "small" && reconnect,
      failoverDelay,
      clock,
      onUsable: (member) => {
        if (lane === "large") this.#rest(member);
        onUsable(member);
      },
      onStranded,
      onFailed: (member, error) => lane === "large" && this.#failed(member, error),
      onIdle: (member) => this.#idled(member),
    });
  }

  /** The next that has failed less often is tried: so it comes to an end. */
  #failed({ failures }: Member, error: Error): void {
    if (!this.grow(failures - 1)) this.#context.onNoLarge(error);
  }

  #idled(member: Member): void {
    this.#idlers.get(member)?.resolve();
    this.#idlers.delete(member);
    if (member.lane === "large") this.#rest(member);
  }

  /** Closes a connection for large requests unless it gets something to do soon. */
  #rest(member: Member): void {
    const { client: { clock }, largeIdleTimeout } = this.#context.options;
    if (!member.isWanted || member.pending > 0) return;
    this.employ(member);
    this.#idleTimers.set(member, clock.after(largeIdleTimeout, () => this.#close(member)));
  }

  async #close(member: Member): Promise<void> {
    this.employ(member);
    await member.close();
  }

  #regroup(): void {
    const groups = [...this.#groups.values()];
    this.lanes.small.members = groups.flatMap(({ small }) => small);
    this.lanes.large.members = groups.flatMap(({ large }) => large ?? []);
  }
}
