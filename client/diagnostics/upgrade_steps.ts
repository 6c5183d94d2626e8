import { MCPConnectionError } from "../../protocol/errors.ts";
import {
  explainDns,
  explainSubprotocol,
  explainTcp,
  explainTls,
  explainUpgrade,
  stageOf,
} from "./faults.ts";
import { type HttpAnswer, inquire } from "./inquiry.ts";
import type { NetworkSteps } from "./network_steps.ts";
import { failed, type Finding, passed } from "./step.ts";
import type { Trial } from "./trial.ts";

/** How a connection becomes a WebSocket, and for which subprotocol. */
export class UpgradeSteps {
  readonly #trial: Trial;
  readonly #network: NetworkSteps;

  /**
   * @param trial The dial.
   * @param network What lies below.
   */
  constructor(trial: Trial, network: NetworkSteps) {
    this.#trial = trial;
    this.#network = network;
  }

  /** Whether the server takes the upgrade. */
  async checkUpgrade(): Promise<Finding> {
    const dialled = await this.#trial.dial();
    const { durationMs } = dialled;
    if (dialled.type === "open" || stageOf(dialled.error) === "subprotocol") {
      return { ...passed("The connection is a WebSocket now"), durationMs };
    }
    return { ...await this.#explain(dialled.error), durationMs };
  }

  /** Whether the server has selected what was offered. */
  async checkSubprotocol(): Promise<Finding> {
    const dialled = await this.#trial.dial();
    const { context: { resolved }, selected } = this.#trial;
    const { protocols, require } = resolved;
    if (dialled.type === "failed") return explainSubprotocol(dialled.error, protocols);
    if (require !== undefined && selected !== require) {
      return failed(
        `The server does not select "${require}", which is required`,
        'Use a server that keeps sessions, or leave option "require" out',
      );
    }
    if (selected !== "") return passed(`The server selected "${selected}"`);
    if (protocols.length === 0) return passed("None was offered, and none selected");
    return passed(
      'The server selected none: plain "mcp" is spoken',
      'Let it select "mcp", or set option "protocols" to []: ' +
        "browsers, Node and Bun refuse the connection otherwise",
    );
  }

  async #explain(error: unknown): Promise<Finding> {
    const { name, place } = this.#trial.target;
    switch (stageOf(error)) {
      case "dns":
        return explainDns(place.host, error);
      case "tcp":
        return explainTcp(name, error);
      case "tls":
        return explainTls(name, error);
      case "upgrade":
      case "subprotocol":
        return await this.#explainRefusal(error);
    }
  }

  async #explainRefusal(error: unknown): Promise<Finding> {
    const { target, credentials, context } = this.#trial;
    // Who says nothing at all is not asked again.
    const isAnswered = error instanceof MCPConnectionError;
    const answer = isAnswered ? await this.#inquire() : undefined;
    return explainUpgrade({
      error,
      answer,
      speaksTls: isAnswered && answer === undefined && await this.#network.speaksTls(),
      sentToken: credentials?.headers.has("authorization") || context.resolved.token !== undefined,
      path: target.destination.url.pathname,
    });
  }

  async #inquire(): Promise<HttpAnswer | undefined> {
    const { resolved, signal } = this.#trial.context;
    const { headers = new Headers() } = this.#trial.credentials ?? {};
    const giveUp = new AbortController();
    const timer = resolved.clock.after(this.#trial.timeout, () => giveUp.abort());
    try {
      return await inquire(this.#trial.target.endpoint.url, {
        headers,
        httpClient: resolved.httpClient,
        signal: AbortSignal.any([signal, giveUp.signal]),
      });
    } finally {
      timer.clear();
    }
  }
}
