interface Waiter {
  readonly entry: string;
  readonly times: number;
  readonly resolve: () => void;
}

/** What the handlers of a server saw, in order. A test waits for an entry instead of sleeping. */
export class Journal {
  readonly #entries: string[] = [];
  readonly #waiters = new Set<Waiter>();
  readonly #onEntry: ((entry: string) => void) | undefined;

  /** @param onEntry Told of every entry. */
  constructor(onEntry?: (entry: string) => void) {
    this.#onEntry = onEntry;
  }

  /** Everything that was written so far. */
  get entries(): readonly string[] {
    return this.#entries;
  }

  /** Writes an entry. */
  write(entry: string): void {
    this.#entries.push(entry);
    this.#onEntry?.(entry);
    for (const waiter of this.#waiters) this.#settle(waiter);
  }

  /** How often an entry was written. */
  count(entry: string): number {
    return this.#entries.filter((written) => written === entry).length;
  }

  /** Resolves when the entry has been written that often. */
  seen(entry: string, times = 1): Promise<void> {
    return new Promise((resolve) => {
      const waiter = { entry, times, resolve };
      this.#waiters.add(waiter);
      this.#settle(waiter);
    });
  }

  #settle(waiter: Waiter): void {
    if (this.count(waiter.entry) < waiter.times) return;
    this.#waiters.delete(waiter);
    waiter.resolve();
  }
}

/** The result of a tool. */
export interface TextResult {
  [key: string]: unknown;
  /** One text. */
  content: [{ type: "text"; text: string }];
}

/** A tool's result that is one text. */
export function text(content: string): TextResult {
  return { content: [{ type: "text", text: content }] };
}

/**
 * What every server of these tests offers, whatever it is made with: the tools
 * `echo`, `count`, `look` (which only reads), `change`, `whoami`, `ask`,
 * `sample`, `grow` and `log`, and the resource {@linkcode GROWING}.
 */
export interface Scene {
  /** What happened. */
  readonly journal: Journal;
  /** Whether `look`, `change` and reading the resource wait until they are aborted. */
  readonly holds: boolean;
}

/** A scene in which everything is answered at once. */
export function createScene(): Scene {
  return { journal: new Journal(), holds: false };
}

/** The resource that `grow` updates. */
export const GROWING = "memo://growing";

/** What `ask` asks the user. */
export const ASK: {
  mode: "form";
  message: string;
  requestedSchema: { type: "object"; properties: { name: { type: "string" } } };
} = {
  mode: "form",
  message: "Who are you?",
  requestedSchema: { type: "object", properties: { name: { type: "string" } } },
};

/** What `sample` asks the model. */
export const SAMPLE: {
  messages: { role: "user"; content: { type: "text"; text: string } }[];
  maxTokens: number;
} = {
  messages: [{ role: "user", content: { type: "text", text: "6 * 7?" } }],
  maxTokens: 10,
};

/** Answers with the label, or, in a scene that holds, waits until the caller gives up. */
export async function hold(scene: Scene, label: string, signal: AbortSignal): Promise<TextResult> {
  const { journal, holds } = scene;
  journal.write(`${label} started`);
  if (!holds) return text(label);
  if (!signal.aborted) {
    await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
  }
  journal.write(`${label} aborted`);
  throw signal.reason;
}

/** A transport whose messages can be listened in on. */
interface Audible {
  onmessage?: ((message: never, extra?: never) => void) | undefined;
}

/** Writes the method of everything that comes in to the journal, before anybody hears it. */
export function tap<T extends Audible>(transport: T, journal: Journal): T {
  let listener: ((message: unknown, extra: unknown) => void) | undefined;
  Object.defineProperty(transport, "onmessage", {
    configurable: true,
    get: () => listener,
    set(next: typeof listener) {
      listener = next && ((message, extra) => {
        const { method, id } = message as { method?: string; id?: unknown };
        if (method !== undefined) journal.write(`got ${method}`);
        if (method === "subscriptions/listen") journal.write(`got ${method} ${id}`);
        next(message, extra);
      });
    },
  });
  return transport;
}
