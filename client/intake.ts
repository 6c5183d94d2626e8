import { MCPConnectionError, toError } from "../protocol/errors.ts";
import { isRequest, type JsonRpcMessage, serializeMessage } from "../protocol/jsonrpc.ts";
import { awaitDelivery } from "../protocol/session/delivery.ts";
import type { SendOptions } from "../protocol/transport.ts";
import { type ConnectionState, isStarted } from "./connection.ts";
import { answerOffline, isCutOff } from "./offline.ts";
import type { WriteOptions } from "./outbox.ts";
import { checkTime, type ResolvedOptions } from "./resolved_options.ts";
import type { Telemetry } from "./telemetry.ts";
import type { BatchedMessage, Traffic } from "./traffic.ts";

/** What an {@linkcode Intake} needs. */
export interface IntakeOptions {
  /** Bounds, and what is answered offline, as they are now. */
  readonly options: () => ResolvedOptions;
  /** Where the connection stands. */
  readonly state: () => ConnectionState;
  /** Whether a connection has been lost since the start. */
  readonly wasLost: () => boolean;
  /** What takes messages on. */
  readonly traffic: Traffic;
  /** Counts what is answered here. */
  readonly telemetry: Telemetry;
  /** Told that the application cannot be asked for an answer. */
  readonly report: (error: Error) => void;
}

/** Takes the application's messages: sends, queues or answers them, and confirms their delivery. */
export class Intake {
  readonly #context: IntakeOptions;

  /** @param context Where messages go. */
  constructor(context: IntakeOptions) {
    this.#context = context;
  }

  /**
   * Takes a message.
   *
   * @param message The message.
   * @param options How to send it.
   * @returns Nothing, or a promise for when the socket has taken it, or the
   * other application has it.
   * @throws What keeps it from ever being sent.
   */
  take(message: JsonRpcMessage, options: SendOptions | undefined): void | Promise<void> {
    return options?.delivered === true
      ? this.#confirm(message, options)
      : this.#post(message, options);
  }

  /**
   * Takes messages that are to leave in one frame; what has to wait leaves so, too.
   *
   * @param batch The messages.
   * @returns For each, a promise for when the socket has taken it.
   */
  takeTogether(batch: readonly BatchedMessage[]): Promise<void>[] {
    const { traffic } = this.#context;
    if (traffic.canBatch) {
      return traffic.sendTogether(batch).map((error) => {
        return error === undefined ? Promise.resolve() : Promise.reject(error);
      });
    }
    const group = {};
    return batch.map(async ({ message, text, options }) => {
      await this.#wait(message, text, { ...options, group });
    });
  }

  /** Sends a message and waits until the other application has it. */
  #confirm(message: JsonRpcMessage, options: SendOptions): Promise<void> {
    const { deliveryTimeout: timeout, signal } = options;
    checkTime("deliveryTimeout", timeout);
    signal?.throwIfAborted();
    const { clock } = this.#context.options();
    const { promise, settled } = awaitDelivery(clock, { timeout, signal });
    try {
      this.#post(message, { ...options, settled })?.catch(settled);
    } catch (thrown) {
      settled(toError(thrown));
    }
    return promise;
  }

  #post(message: JsonRpcMessage, options: WriteOptions | undefined): void | Promise<void> {
    const { traffic } = this.#context;
    const text = serializeMessage(message, this.#context.options().maxSendBytes);
    if (traffic.send(message, text, options)) return;
    return this.#wait(message, text, options);
  }

  /** Queues a message, or answers it here. */
  #wait(
    message: JsonRpcMessage,
    text: string,
    options: WriteOptions | undefined,
  ): void | Promise<void> {
    const { traffic } = this.#context;
    const isAnswered = traffic.connection === undefined && this.#answerOffline(message);
    if (isAnswered) return options?.settled?.(unsentError("it was answered without the server"));
    const state = this.#context.state();
    if (isStarted(state)) return traffic.queue(message, text, options);
    const outcome = "not-sent";
    throw new MCPConnectionError(`Cannot send message: the transport is ${state.status}`, {
      outcome,
    });
  }

  /** Whether a request is answered here, as the application wants while there is no connection. */
  #answerOffline(message: JsonRpcMessage): boolean {
    const { options, state, wasLost, report, telemetry, traffic } = this.#context;
    const { offlineResponse } = options();
    if (offlineResponse === undefined || !isRequest(message)) return false;
    if (!isCutOff(state(), wasLost())) return false;
    const notice = answerOffline(message, offlineResponse, report);
    if (notice === undefined) return false;
    telemetry.offlineResponse();
    // Never within `send()`; whoever closes the transport meanwhile hears no more.
    traffic.tellSoon(notice);
    return true;
  }
}

function unsentError(reason: string): MCPConnectionError {
  return new MCPConnectionError(`Message was not sent: ${reason}`, { outcome: "not-sent" });
}
