import { type Clock, stopwatch } from "../../protocol/clock.ts";
import { ConversationSteps } from "./conversation_steps.ts";
import { explainUrl } from "./faults.ts";
import { NetworkSteps } from "./network_steps.ts";
import { type DiagnosticName, type DiagnosticStep, type Finding, passed, skipped } from "./step.ts";
import { findTarget } from "./target.ts";
import { type ExaminationOptions, Trial } from "./trial.ts";
import { UpgradeSteps } from "./upgrade_steps.ts";
import { clean } from "./words.ts";

/** The steps towards a target, by what they look at. */
interface Way {
  readonly trial: Trial;
  readonly network: NetworkSteps;
  readonly upgrade: UpgradeSteps;
  readonly conversation: ConversationSteps;
}

type Check = () => Finding | Promise<Finding>;

/** One examination of one endpoint, step by step, over one WebSocket. */
export class Examination {
  readonly #url: string | URL;
  readonly #context: ExaminationOptions;
  readonly #clock: Clock;
  readonly #checks: readonly (readonly [DiagnosticName, Check])[] = [
    ["url", () => this.#checkUrl()],
    ["dns", () => this.#way.network.checkDns()],
    ["tcp", () => this.#way.network.checkTcp()],
    ["tls", () => this.#way.network.checkTls()],
    ["upgrade", () => this.#way.upgrade.checkUpgrade()],
    ["subprotocol", () => this.#way.upgrade.checkSubprotocol()],
    ["session", () => this.#way.conversation.checkSession()],
    ["initialize", () => this.#way.conversation.checkOpening()],
    ["ping", () => this.#way.conversation.checkPing()],
    ["round-trip", () => this.#way.conversation.checkRoundTrip()],
  ];
  /** Known when the URL was checked. */
  #found: Way | undefined;

  /**
   * @param url Where to.
   * @param context What to examine it with.
   */
  constructor(url: string | URL, context: ExaminationOptions) {
    this.#url = url;
    this.#context = context;
    this.#clock = context.resolved.clock;
  }

  /** Takes the steps, each when it is asked for. */
  async *run(): AsyncGenerator<DiagnosticStep, void, undefined> {
    let stopped: DiagnosticName | undefined;
    try {
      for (const [name, check] of this.#checks) {
        const step = await this.#take(name, check, stopped);
        if (step.status === "failed") stopped = name;
        yield step;
      }
    } finally {
      await Promise.all([this.#found?.network.close(), this.#found?.trial.close()]);
    }
  }

  async #take(
    name: DiagnosticName,
    check: Check,
    stopped: DiagnosticName | undefined,
  ): Promise<DiagnosticStep> {
    const { signal } = this.#context;
    signal.throwIfAborted();
    const now = stopwatch(this.#clock);
    const start = now();
    const finding = stopped === undefined ? await check() : skipped(`Step "${stopped}" failed`);
    signal.throwIfAborted();
    const { status, hint, durationMs = now() - start } = finding;
    const isSkipped = status === "skipped";
    const secrets = this.#found?.trial.secrets() ?? [];
    return {
      name: finding.name ?? name,
      status,
      // Nobody knows it better than to the microsecond.
      durationMs: isSkipped ? 0 : Math.round(durationMs * 1_000) / 1_000,
      detail: clean(finding.detail, secrets),
      ...(hint === undefined ? {} : { hint: clean(hint, secrets) }),
    };
  }

  #checkUrl(): Finding {
    try {
      const target = findTarget(this.#url, this.#context.resolved.urlPolicy);
      const trial = new Trial(target, this.#context);
      const network = new NetworkSteps(trial);
      const upgrade = new UpgradeSteps(trial, network);
      this.#found = { trial, network, upgrade, conversation: new ConversationSteps(trial) };
      return passed(target.endpoint.name);
    } catch (thrown) {
      return explainUrl(thrown);
    }
  }

  get #way(): Way {
    if (this.#found !== undefined) return this.#found;
    throw new TypeError("Cannot take step: the URL was not checked");
  }
}
