import type { JsonRpcMessage } from "../jsonrpc.ts";
import { inMicrotask } from "../microtask.ts";

/** Who gets messages. */
export interface MessageSink {
  /** Takes a message. */
  message(message: JsonRpcMessage): void;
}

/**
 * Hands messages to the application as they come, but an answer never in the
 * same turn as a notification before it. The SDKs hear notifications a
 * microtask late, answers at once: of several messages that came in one frame,
 * progress would be heard after the answer, when nobody waits for it any more.
 */
export class Handover {
  readonly #sink: MessageSink;
  readonly #waiting: JsonRpcMessage[] = [];
  /** Whether a notification may not have been heard yet. */
  #isUnheard = false;
  /** Whether another one was handed over since somebody looked. */
  #isNews = false;

  /** @param sink The application. */
  constructor(sink: MessageSink) {
    this.#sink = sink;
  }

  /** Takes a message that came in. */
  take(message: JsonRpcMessage): void {
    if (this.#waiting.length > 0 || this.#mustWait(message)) this.#waiting.push(message);
    else this.#hand(message);
  }

  /** Hands over what waits at once: what follows must not come before it. */
  flush(): void {
    for (const message of this.#waiting.splice(0)) this.#sink.message(message);
  }

  /** Forgets what waits: nobody listens any more. */
  clear(): void {
    this.#waiting.length = 0;
  }

  #mustWait(message: JsonRpcMessage): boolean {
    return this.#isUnheard && !("method" in message);
  }

  #go(): void {
    for (let [next] = this.#waiting; next !== undefined; [next] = this.#waiting) {
      if (this.#mustWait(next)) return;
      this.#waiting.shift();
      this.#hand(next);
    }
  }

  #hand(message: JsonRpcMessage): void {
    this.#sink.message(message);
    if (!("method" in message) || ("id" in message && message.id !== undefined)) return;
    this.#isNews = true;
    if (this.#isUnheard) return;
    this.#isUnheard = true;
    inMicrotask(this.#look);
  }

  /** Goes on behind the microtask in which the SDKs hear the last notification. */
  readonly #look = (): void => {
    this.#isUnheard = this.#isNews;
    this.#isNews = false;
    if (this.#isUnheard) inMicrotask(this.#look);
    else this.#go();
  };
}
