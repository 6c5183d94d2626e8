import { PING } from "../../protocol/mcp.ts";
import { openConversation, type Opening } from "../opening.ts";
import { lossError } from "../recovery.ts";
import type { Greeting } from "../session_connection.ts";
import { explainOpening, explainRequest, explainSession } from "./faults.ts";
import { failed, type Finding, passed, skipped } from "./step.ts";
import type { Trial } from "./trial.ts";
import { quote } from "./words.ts";

/** What the requests are that show what a server does, by what it says it can do. */
const ROUND_TRIPS: readonly (readonly [capability: string, method: string])[] = [
  ["tools", "tools/list"],
  ["resources", "resources/list"],
  ["prompts", "prompts/list"],
];

/** What is said over the WebSocket: the session, and MCP on it. */
export class ConversationSteps {
  readonly #trial: Trial;

  /** @param trial The dial. */
  constructor(trial: Trial) {
    this.#trial = trial;
  }

  /** Whether the session is opened, if there is one. */
  async checkSession(): Promise<Finding> {
    const { session, timeout, wait } = this.#trial;
    if (session === undefined) return skipped('Plain "mcp" has no sessions');
    try {
      return explainGreeting(await wait(session.greeting), timeout);
    } catch (thrown) {
      return explainSession(thrown, timeout);
    }
  }

  /** Whether MCP is opened, and of which revision. */
  async checkOpening(): Promise<Finding> {
    const { conversation, context: { opening, signal }, timeout } = this.#trial;
    // Who answers neither question is heard out once, not twice.
    const probeTimeout = timeout / 2;
    try {
      const opened = await openConversation(conversation, { ...opening, probeTimeout, signal });
      this.#trial.opening = opened;
      return describeOpening(opened);
    } catch (thrown) {
      return explainOpening(thrown);
    }
  }

  /** Whether the server answers a ping, if its revision has one. */
  async checkPing(): Promise<Finding> {
    const { opening, connection, timeout, context: { signal } } = this.#trial;
    const question = opening?.era === "legacy" ? { method: PING } : undefined;
    const ask = connection?.prober(question);
    if (ask === undefined) return skipped('MCP has no "ping" since 2026-07-28');
    try {
      await ask({ timeout, signal });
      return passed("Answered");
    } catch (thrown) {
      return explainRequest(PING, thrown);
    }
  }

  /** Whether the server answers a request that only reads. */
  async checkRoundTrip(): Promise<Finding> {
    const { opening, conversation, timeout, context: { signal } } = this.#trial;
    const capabilities = opening?.capabilities ?? {};
    const [, method] = ROUND_TRIPS.find(([name]) => Object.hasOwn(capabilities, name)) ?? [];
    if (method === undefined) return skipped("The server offers nothing that can be listed");
    try {
      await conversation.request(method, undefined, { timeout, signal });
      return passed(`"${method}" was answered`);
    } catch (thrown) {
      return explainRequest(method, thrown);
    }
  }
}

function explainGreeting(greeting: Greeting, timeout: number): Finding {
  switch (greeting.type) {
    case "open":
      return passed(`Open; kept for ${greeting.welcome.windowMs / 1_000} s after a loss`);
    case "unknown":
      return failed(
        `The server refused a new session: ${quote(greeting.reason)}`,
        "Look into the log of the server",
      );
    case "lost":
      return explainSession(lossError(greeting.loss), timeout);
  }
}

function describeOpening({ serverInfo, version, era, capabilities }: Opening): Finding {
  const who = serverInfo === undefined
    ? "The server"
    : `${quote(serverInfo.name)} ${serverInfo.version}`;
  const can = Object.keys(capabilities).join(", ") || "nothing";
  const name = era === "modern" ? "discover" : "initialize";
  return { ...passed(`${who} speaks MCP ${version} and offers ${can}`), name };
}
