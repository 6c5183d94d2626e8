import type { WebSocketServerTransport } from "./transport.ts";
import type { Topics } from "./topics.ts";

/**
 * Whom a notification is for: those that a function picks, those of these ids,
 * all connections of one principal, or all that are in a topic.
 *
 * @typeParam Receiver What the function is asked about.
 */
export type Audience<Receiver = WebSocketServerTransport> =
  | ((receiver: Receiver) => boolean)
  | { readonly ids: readonly string[] }
  | { readonly principal: string }
  | { readonly topic: string };

/**
 * Options of a broadcast.
 *
 * @typeParam Receiver What a function in `to` is asked about.
 */
export interface BroadcastOptions<Receiver = WebSocketServerTransport> {
  /** Whom it is for; by default all. */
  readonly to?: Audience<Receiver> | undefined;
  /** The connections that are left out, by id. */
  readonly except?: readonly string[] | undefined;
}

/**
 * Finds whom a notification is for.
 *
 * @param to The audience; `undefined` is everybody.
 * @param everybody All connections, by id.
 * @param topics Who is in which topic.
 * @returns Each receiver once.
 * @throws {TypeError} If `to` is no audience.
 */
export function findReceivers(
  to: Audience | undefined,
  everybody: ReadonlyMap<string, WebSocketServerTransport>,
  topics: Topics<WebSocketServerTransport>,
): Iterable<WebSocketServerTransport> {
  if (to === undefined) return everybody.values();
  if (typeof to === "function") return [...everybody.values()].filter((session) => to(session));
  if ("topic" in to) return topics.membersOf(to.topic);
  if ("ids" in to) return [...new Set(to.ids)].flatMap((id) => everybody.get(id) ?? []);
  if ("principal" in to) {
    const { principal } = to;
    return [...everybody.values()].filter((session) => session.principal?.id === principal);
  }
  throw new TypeError(
    'Cannot broadcast as "to" must be a function, or have "ids", "principal" or "topic"',
  );
}
