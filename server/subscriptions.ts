import { MCPCapacityError, MCPRpcError } from "../protocol/errors.ts";
import { guard } from "../protocol/guard.ts";
import { ERROR_CODES, type JsonRpcParams, type RequestId } from "../protocol/jsonrpc.ts";
import {
  LISTEN,
  RESOURCE_UPDATED,
  SUBSCRIBE,
  SUBSCRIPTION_ID,
  SUBSCRIPTIONS_ACKNOWLEDGED,
  UNSUBSCRIBE,
} from "../protocol/mcp.ts";
import type {
  Capabilities,
  ListenParams,
  McpResult,
  ResourceParams,
  SubscriptionFilter,
} from "../protocol/mcp_types.ts";
import type { HandlerContext } from "./dispatcher.ts";
import { asksForList, honour, isDeclared, type ListName, LISTS } from "./listen_filter.ts";
import type { ServerSession } from "./session.ts";
import { type SubscriptionBounds, Topics } from "./topics.ts";

/** Decides whether a client may subscribe to a resource; if it throws, the request fails. */
export type MaySubscribe = (uri: string, session: ServerSession) => boolean;

/** Hears how many are subscribed to a resource, each time that this changes. */
export type SubscribersListener = (uri: string, subscribers: number) => unknown;

/** Options of {@linkcode Subscriptions}. */
export interface SubscriptionsOptions {
  /** What the server says it tells of. */
  readonly capabilities: Capabilities;
  /** To how much clients may be subscribed. */
  readonly bounds: SubscriptionBounds;
  /** Who may subscribe to what. */
  readonly maySubscribe: MaySubscribe | undefined;
  /** The clients of the legacy era that have been initialised. */
  readonly initialized: () => Iterable<ServerSession>;
  /** Told what goes wrong. */
  readonly failed: (error: Error) => void;
}

/** Answers a method of subscriptions. */
type Handler = (params: never, context: HandlerContext) => McpResult | Promise<McpResult>;

/** One subscription: all of a legacy client, or a request `subscriptions/listen`. */
interface Subscriber {
  readonly session: ServerSession;
  /** The id of the request; without one, the client is of the legacy era. */
  readonly id?: RequestId;
  /** Answers the request. */
  readonly end?: () => void;
}

/** Who wants to hear of which changes, in both eras, and telling them. */
export class Subscriptions {
  /** The handlers of what the capabilities promise, by method. */
  readonly handlers: ReadonlyMap<string, Handler>;
  readonly #options: SubscriptionsOptions;
  readonly #resources: Topics<Subscriber>;
  readonly #listeners = new Map<ListName, Set<Subscriber>>(
    LISTS.map((list) => [list, new Set<Subscriber>()]),
  );
  /** The requests that are open. */
  readonly #open = new Map<ServerSession, Set<Subscriber>>();
  /** What clients of the legacy era are subscribed with. */
  readonly #legacy = new WeakMap<ServerSession, Subscriber>();
  #onSubscribers: SubscribersListener | undefined;

  /** @param options What is promised, and to whom. */
  constructor(options: SubscriptionsOptions) {
    this.#options = options;
    this.#resources = new Topics(options.bounds, ({ session }) => session);
    this.handlers = this.#createHandlers();
  }

  /** Hears how many are subscribed to a resource; a second listener replaces the first. */
  onSubscribers(listener: SubscribersListener): void {
    this.#onSubscribers = listener;
  }

  /**
   * Tells those who are subscribed to a resource that it has changed.
   *
   * @returns How many were told.
   * @throws {TypeError} If the server does not say that it does so.
   */
  resourceUpdated(uri: string): number {
    this.#assertDeclared("resources", "subscribe");
    return tell(this.#resources.membersOf(uri), RESOURCE_UPDATED, { uri });
  }

  /**
   * Tells those who want to know that a list has changed.
   *
   * @returns How many were told.
   * @throws {TypeError} If the server does not say that it does so.
   */
  listChanged(list: ListName): number {
    this.#assertDeclared(list, "listChanged");
    const legacy = Array.from(this.#options.initialized(), (session) => ({ session }));
    const receivers = [...legacy, ...this.#listeners.get(list) ?? []];
    return tell(receivers, `notifications/${list}/list_changed`);
  }

  /** Answers the open requests of a client; resolves when the answers have left. */
  async conclude(session: ServerSession): Promise<void> {
    const open = this.#open.get(session);
    if (open === undefined) return;
    for (const subscriber of [...open]) {
      this.#leave(subscriber);
      subscriber.end?.();
    }
    // An answer passes through promises, which are done before the next turn.
    await new Promise<void>((resolve) => setImmediate(resolve));
  }

  #createHandlers(): ReadonlyMap<string, Handler> {
    const { capabilities } = this.#options;
    const handlers = new Map<string, Handler>();
    const hasResources = isDeclared(capabilities, "resources", "subscribe");
    if (hasResources) {
      handlers.set(SUBSCRIBE, this.#subscribe);
      handlers.set(UNSUBSCRIBE, this.#unsubscribe);
    }
    const hasLists = LISTS.some((list) => isDeclared(capabilities, list, "listChanged"));
    if (hasResources || hasLists) handlers.set(LISTEN, this.#listen);
    return handlers;
  }

  /** Until 2025-11-25: a subscription belongs to its connection. */
  readonly #subscribe = ({ uri }: ResourceParams, { session }: HandlerContext): McpResult => {
    this.#assertAllowed(uri, session);
    if (this.#join(this.#legacyOf(session), uri)) this.#count([uri]);
    return {};
  };

  readonly #unsubscribe = ({ uri }: ResourceParams, { session }: HandlerContext): McpResult => {
    const subscriber = this.#legacy.get(session);
    const isLeft = subscriber !== undefined && this.#resources.leave(subscriber, uri);
    if (isLeft) this.#count([uri]);
    else this.#assertAllowed(uri, session);
    return {};
  };

  /** Since 2026-07-28: a subscription is a request that stays open until it is cancelled. */
  readonly #listen = (
    { notifications }: ListenParams,
    { id, session, signal, notify }: HandlerContext,
  ): Promise<McpResult> => {
    const { capabilities } = this.#options;
    const filter = honour(notifications, capabilities, (uri) => this.#isAllowed(uri, session));
    const _meta = { [SUBSCRIPTION_ID]: id };
    const { promise, resolve } = Promise.withResolvers<McpResult>();
    const subscriber = { session, id, end: () => resolve({ _meta }) };
    this.#enter(subscriber, filter);
    notify(SUBSCRIPTIONS_ACKNOWLEDGED, { notifications: filter, _meta });
    this.#count(filter.resourceSubscriptions ?? []);
    signal.addEventListener("abort", () => {
      this.#leave(subscriber);
      subscriber.end();
    }, { once: true });
    return promise;
  };

  #isAllowed(uri: string, session: ServerSession): boolean {
    return this.#options.maySubscribe?.(uri, session) ?? true;
  }

  #assertAllowed(uri: string, session: ServerSession): void {
    if (this.#isAllowed(uri, session)) return;
    throw new MCPRpcError(ERROR_CODES.INVALID_PARAMS, `Resource not found: "${uri}"`);
  }

  #legacyOf(session: ServerSession): Subscriber {
    const known = this.#legacy.get(session);
    if (known !== undefined) return known;
    const subscriber = { session };
    this.#legacy.set(session, subscriber);
    session.transport.closed.then(() => this.#leave(subscriber));
    return subscriber;
  }

  #enter(subscriber: Subscriber, filter: SubscriptionFilter): void {
    try {
      for (const uri of filter.resourceSubscriptions ?? []) this.#join(subscriber, uri);
    } catch (error) {
      this.#resources.forget(subscriber);
      throw error;
    }
    for (const list of LISTS) {
      if (asksForList(filter, list)) this.#listeners.get(list)?.add(subscriber);
    }
    const { session } = subscriber;
    const open = this.#open.get(session);
    if (open === undefined) this.#open.set(session, new Set([subscriber]));
    else open.add(subscriber);
  }

  #leave(subscriber: Subscriber): void {
    for (const listeners of this.#listeners.values()) listeners.delete(subscriber);
    const open = this.#open.get(subscriber.session);
    open?.delete(subscriber);
    if (open?.size === 0) this.#open.delete(subscriber.session);
    this.#count(this.#resources.forget(subscriber));
  }

  #join(subscriber: Subscriber, uri: string): boolean {
    try {
      return this.#resources.join(subscriber, uri);
    } catch (error) {
      throw refusalOf(error);
    }
  }

  #count(uris: readonly string[]): void {
    const listener = this.#onSubscribers;
    if (listener === undefined) return;
    for (const uri of uris) {
      guard(() => listener(uri, this.#resources.membersOf(uri).size), this.#options.failed);
    }
  }

  #assertDeclared(group: ListName, member: "listChanged" | "subscribe"): void {
    if (isDeclared(this.#options.capabilities, group, member)) return;
    throw new TypeError(
      `Cannot tell of changes as "capabilities.${group}.${member}" must be true: it is not declared`,
    );
  }
}

/** What a client is told of a limit that it has reached. */
function refusalOf(error: unknown): unknown {
  if (error instanceof RangeError) {
    return new MCPRpcError(ERROR_CODES.INVALID_PARAMS, error.message);
  }
  if (!(error instanceof MCPCapacityError)) return error;
  const { message, limit } = error;
  return new MCPRpcError(ERROR_CODES.INTERNAL_ERROR, message, { data: { limit } });
}

/** Serialises once; only the id of a modern subscription is put in for each. */
function tell(receivers: Iterable<Subscriber>, method: string, params?: JsonRpcParams): number {
  let told = 0;
  let plain: string | undefined;
  let head: string | undefined;
  for (const { session, id } of receivers) {
    const text = id === undefined
      ? plain ??= JSON.stringify({ jsonrpc: "2.0", method, params })
      : `${head ??= headOf(method, params)}${JSON.stringify(id)}}}}`;
    if (session.transport.relay(text, undefined, false)) told++;
  }
  return told;
}

/** All of a notification up to the id of its subscription. */
function headOf(method: string, params: JsonRpcParams | undefined): string {
  const _meta = { [SUBSCRIPTION_ID]: 0 };
  const whole = JSON.stringify({ jsonrpc: "2.0", method, params: { ...params, _meta } });
  return whole.slice(0, -"0}}}".length);
}
