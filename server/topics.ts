import { MCPCapacityError } from "../protocol/errors.ts";

/** What clients may be subscribed to: topics, and, counted apart from them, resources. */
export interface SubscriptionLimits {
  /**
   * How many topics one client may be in, and how many resources it may be
   * subscribed to.
   *
   * @default {1_000}
   */
  readonly maxPerSession?: number | undefined;
  /**
   * How many different topics there may be, and how many different resources
   * that somebody is subscribed to.
   *
   * @default {100_000}
   */
  readonly maxInAll?: number | undefined;
  /**
   * The longest name of a topic, and the longest URI, in UTF-16 units.
   *
   * @default {1_024}
   */
  readonly maxLength?: number | undefined;
}

/** {@linkcode SubscriptionLimits} with the defaults filled in. */
export type SubscriptionBounds = { readonly [Name in keyof SubscriptionLimits]-?: number };

/** Fills in the defaults. */
export function resolveSubscriptionLimits(
  { maxPerSession = 1_000, maxInAll = 100_000, maxLength = 1_024 }: SubscriptionLimits,
): SubscriptionBounds {
  return { maxPerSession, maxInAll, maxLength };
}

const NOBODY: ReadonlySet<never> = new Set();

/**
 * Who is in which topic. A topic exists while somebody is in it.
 *
 * @typeParam Member Who is told.
 */
export class Topics<Member extends object> {
  readonly #bounds: SubscriptionBounds;
  readonly #ownerOf: (member: Member) => object;
  readonly #members = new Map<string, Set<Member>>();
  readonly #topics = new Map<Member, Set<string>>();
  /** In how many topics the members of one owner are. */
  readonly #counts = new Map<object, number>();

  /**
   * @param bounds How many topics there may be.
   * @param ownerOf Whose count a member adds to; its own by default.
   */
  constructor(bounds: SubscriptionBounds, ownerOf: (member: Member) => object = (own) => own) {
    this.#bounds = bounds;
    this.#ownerOf = ownerOf;
  }

  /** How many topics there are. */
  get size(): number {
    return this.#members.size;
  }

  /** Who is in a topic. It changes with the topic. */
  membersOf(topic: string): ReadonlySet<Member> {
    return this.#members.get(topic) ?? NOBODY;
  }

  /**
   * Puts a member into a topic.
   *
   * @returns Whether it was not in it before.
   * @throws {RangeError} If the name is empty or too long.
   * @throws {MCPCapacityError} If its owner is in too many, or there are too many.
   */
  join(member: Member, topic: string): boolean {
    if (this.membersOf(topic).has(member)) return false;
    const owner = this.#ownerOf(member);
    const count = this.#counts.get(owner) ?? 0;
    this.#check(topic, count);
    this.#counts.set(owner, count + 1);
    setOf(this.#members, topic).add(member);
    setOf(this.#topics, member).add(topic);
    return true;
  }

  /** Takes a member out of a topic. Returns whether it was in it. */
  leave(member: Member, topic: string): boolean {
    const topics = this.#topics.get(member);
    if (topics === undefined || !topics.delete(topic)) return false;
    if (topics.size === 0) this.#topics.delete(member);
    const members = setOf(this.#members, topic);
    members.delete(member);
    if (members.size === 0) this.#members.delete(topic);
    const owner = this.#ownerOf(member);
    const count = (this.#counts.get(owner) ?? 0) - 1;
    if (count > 0) this.#counts.set(owner, count);
    else this.#counts.delete(owner);
    return true;
  }

  /** Takes a member out of all topics. Returns those it was in. */
  forget(member: Member): string[] {
    const topics = [...this.#topics.get(member) ?? []];
    for (const topic of topics) this.leave(member, topic);
    return topics;
  }

  #check(topic: string, count: number): void {
    const { maxPerSession, maxInAll, maxLength } = this.#bounds;
    if (topic === "" || topic.length > maxLength) {
      throw new RangeError(
        `Cannot subscribe as the name must have 1 to ${maxLength} characters: current length is ${topic.length}`,
      );
    }
    if (count >= maxPerSession) {
      const text =
        `Cannot subscribe as a client may have ${maxPerSession} subscriptions: it has all`;
      throw new MCPCapacityError(text, maxPerSession);
    }
    if (this.#members.size < maxInAll || this.#members.has(topic)) return;
    const text =
      `Cannot subscribe to anything new as there may be ${maxInAll} names: all are in use`;
    throw new MCPCapacityError(text, maxInAll);
  }
}

function setOf<Key, Value>(sets: Map<Key, Set<Value>>, key: Key): Set<Value> {
  const known = sets.get(key);
  if (known !== undefined) return known;
  const set = new Set<Value>();
  sets.set(key, set);
  return set;
}
