import { guard } from "../protocol/guard.ts";

/** An event with its details and the time it happened. */
export class ConnectionEvent<Detail> extends Event {
  /** What happened. */
  readonly detail: Detail;
  /** When, in milliseconds since 1970. */
  readonly at: number = Date.now();

  /**
   * Makes an event.
   *
   * @param type The name of the event.
   * @param detail What happened.
   */
  constructor(type: string, detail: Detail) {
    super(type);
    this.detail = detail;
  }
}

/** Hears one type of event; what it throws or rejects with becomes an `error` event. */
export type ConnectionListener<Detail> = (
  event: ConnectionEvent<Detail>,
) => unknown;

/** A function, or an object with a method that hears. */
export type ConnectionListenerOrObject<Detail> =
  | ConnectionListener<Detail>
  | { handleEvent: ConnectionListener<Detail> };

/** What an `error` event tells. */
export interface ErrorDetail {
  /** What went wrong. */
  readonly error: Error;
  /** Where, for example `listener of "statechange"`. */
  readonly context: string;
}

/** Events every emitter has. */
export interface BaseEvents {
  /** Something went wrong outside any call. */
  error: ErrorDetail;
}

interface Registration {
  readonly wrapped: (event: Event) => void;
  readonly forget: () => void;
}

/**
 * An `EventTarget` with typed events whose listeners may fail without harm: a
 * listener of a plain one that throws ends the process.
 */
export class TypedEventTarget<Events extends BaseEvents> extends EventTarget {
  readonly #registrations = new Map<string, Map<unknown, Registration>>();

  /**
   * Hears an event from now on.
   *
   * @param type The event.
   * @param listener Called with each; adding it twice changes nothing.
   * @param options `once` and `signal` work as usual.
   */
  override addEventListener<Type extends keyof Events & string>(
    type: Type,
    listener: ConnectionListenerOrObject<Events[Type]> | null,
    options?: boolean | AddEventListenerOptions,
  ): void {
    const { once = false, signal } = typeof options === "object" ? options : {};
    const listeners = this.#registrations.get(type) ??
      new Map<unknown, Registration>();
    if (listener === null || listeners.has(listener) || signal?.aborted) return;
    this.#registrations.set(type, listeners);
    const remove = () => this.removeEventListener(type, listener);
    const wrapped = (event: Event) => {
      if (once) remove();
      this.#call(type, listener, event as ConnectionEvent<Events[Type]>);
    };
    signal?.addEventListener("abort", remove, { once: true });
    listeners.set(listener, {
      wrapped,
      forget: () => signal?.removeEventListener("abort", remove),
    });
    super.addEventListener(type, wrapped);
    this.listenersChanged(type);
  }

  /**
   * Stops hearing an event.
   *
   * @param type The event.
   * @param listener The listener that was added.
   */
  override removeEventListener<Type extends keyof Events & string>(
    type: Type,
    listener: ConnectionListenerOrObject<Events[Type]> | null,
  ): void {
    const listeners = this.#registrations.get(type);
    const registration = listeners?.get(listener);
    if (registration === undefined) return;
    listeners?.delete(listener);
    registration.forget();
    super.removeEventListener(type, registration.wrapped);
    this.listenersChanged(type);
  }

  /** How many listeners an event has. */
  listenerCount(type: keyof Events & string): number {
    return this.#registrations.get(type)?.size ?? 0;
  }

  /** Called when a listener of an event has come or gone. */
  protected listenersChanged(_type: keyof Events & string): void {}

  /** Tells the listeners; without any, nothing is made. */
  protected emit<Type extends keyof Events & string>(
    type: Type,
    detail: Events[Type],
  ): void {
    if (this.listenerCount(type) > 0) {
      this.dispatchEvent(new ConnectionEvent(type, detail));
    }
  }

  #call<Detail>(
    type: string,
    listener: ConnectionListenerOrObject<Detail>,
    event: ConnectionEvent<Detail>,
  ): void {
    guard(
      () => typeof listener === "function" ? listener(event) : listener.handleEvent(event),
      (error) => {
        // A failing listener of errors has nobody left to tell.
        if (type === "error") return;
        const detail: ErrorDetail = { error, context: `listener of "${type}"` };
        this.emit("error", detail as Events["error"]);
      },
    );
  }
}
