import {
  type ClaimOutcome,
  MemorySessionStore,
  type MemorySessionStoreOptions,
  type SessionClaim,
  type SessionStore,
} from "../../server/session_store.ts";

/**
 * A store that several handlers share: it decides at once and in order, but
 * answers later, and when it is told so in any order.
 */
export class AsyncStore implements SessionStore {
  /** Whether answers wait in {@linkcode held}. */
  isHolding = false;
  /** Gives each answer that waits. */
  readonly held: (() => void)[] = [];
  /** What was asked, in order. */
  readonly calls: string[] = [];
  /** Messages that were appended and not trimmed, by session. */
  readonly texts: Map<string, string[]> = new Map();
  readonly #memory: MemorySessionStore;
  readonly #watchers = new Set<(key: string, generation: number) => void>();

  constructor(options?: MemorySessionStoreOptions) {
    this.#memory = new MemorySessionStore(options);
  }

  /** How many sessions there are. */
  get size(): number {
    return this.#memory.size;
  }

  /** How many handlers hear of claims. */
  get watchers(): number {
    return this.#watchers.size;
  }

  claim(claim: SessionClaim): Promise<ClaimOutcome> {
    const outcome = this.#memory.claim(claim);
    this.calls.push(`claim ${claim.attempt}: ${outcome.type}`);
    if (outcome.type === "resumed") {
      for (const watcher of this.#watchers) watcher(claim.key, outcome.generation);
    }
    if (!this.isHolding) return Promise.resolve(outcome);
    return new Promise((resolve) => this.held.push(() => resolve(outcome)));
  }

  end(key: string, generation: number, onPurpose: boolean): Promise<void> {
    this.calls.push(`end ${generation}${onPurpose ? " on purpose" : ""}`);
    this.#memory.end(key, generation, onPurpose);
    return Promise.resolve();
  }

  watch(lost: (key: string, generation: number) => void): () => void {
    this.#watchers.add(lost);
    return () => this.#watchers.delete(lost);
  }

  append(key: string, _generation: number, text: string): void {
    const texts = this.texts.get(key) ?? [];
    this.texts.set(key, texts);
    texts.push(text);
  }

  trim(key: string, _generation: number, count: number): void {
    this.texts.get(key)?.splice(0, count);
  }
}
