import { findProxyVariable, mayConnect } from "../runtime.ts";
import { checkAddresses } from "../url_policy.ts";
import {
  explainDetour,
  explainDns,
  explainPermission,
  explainTcp,
  explainTls,
  stageOf,
} from "./faults.ts";
import { findSockets, type HostSockets } from "./host.ts";
import { shakeHands, TcpProbe } from "./probes.ts";
import { type Finding, passed, skipped } from "./step.ts";
import type { Target } from "./target.ts";
import type { Trial } from "./trial.ts";

/** What lies below the WebSocket: the name, the connection, the encryption. */
export class NetworkSteps {
  readonly #trial: Trial;
  readonly #target: Target;
  #tcp: TcpProbe | undefined;

  /** @param trial The dial, for what cannot be looked at alone. */
  constructor(trial: Trial) {
    this.#trial = trial;
    this.#target = trial.target;
  }

  /** Whether the name has addresses that may be dialled. */
  async checkDns(): Promise<Finding> {
    const { destination, name, place } = this.#target;
    if (destination.address !== undefined) return skipped("The URL holds an address");
    if (!mayConnect(name)) return skipped("This program may not connect");
    const sockets = this.#sockets;
    if (sockets === undefined) {
      return await this.#awaitDial("dns", (error) => explainDns(place.host, error));
    }
    try {
      const check = (address: string) => checkAddresses([address], destination);
      this.#tcp = new TcpProbe(sockets, place, check);
      const addresses = await this.#trial.wait(this.#tcp.resolved);
      const list = addresses.join(", ") || "an address";
      return passed(`"${place.host}" is ${list}`);
    } catch (thrown) {
      return explainDns(place.host, thrown);
    }
  }

  /** Whether the port can be connected to. */
  async checkTcp(): Promise<Finding> {
    const { name, place } = this.#target;
    if (!mayConnect(name)) return explainPermission(name);
    const sockets = this.#sockets;
    if (sockets === undefined) {
      return await this.#awaitDial("tcp", (error) => explainTcp(name, error));
    }
    try {
      this.#tcp ??= new TcpProbe(sockets, place, () => {});
      const address = await this.#trial.wait(this.#tcp.connected);
      return passed(`Connected to ${address === "" ? name : formatPlace(address, place.port)}`);
    } catch (thrown) {
      return explainTcp(name, thrown);
    } finally {
      await this.#tcp?.close();
    }
  }

  /** Whether the handshake of TLS succeeds, if the URL wants one. */
  async checkTls(): Promise<Finding> {
    const { destination, name, place } = this.#target;
    if (destination.url.protocol === "ws:") return skipped("The URL says ws:, without encryption");
    const sockets = this.#sockets;
    if (sockets === undefined) {
      return await this.#awaitDial("tls", (error) => explainTls(name, error));
    }
    try {
      const { version, validUntil } = await shakeHands(sockets, place, this.#trial.wait);
      const until = validUntil &&
        `, certificate valid until ${validUntil.toISOString().slice(0, 10)}`;
      return passed(`${version ?? "TLS"}${until ?? ""}`);
    } catch (thrown) {
      return explainTls(name, thrown);
    }
  }

  /** Whether TLS is spoken where the URL says that it is not. */
  async speaksTls(): Promise<boolean> {
    const { destination, name, place } = this.#target;
    const sockets = this.#sockets;
    if (destination.url.protocol === "wss:" || sockets === undefined) return false;
    try {
      await shakeHands(sockets, place, this.#trial.wait);
      return true;
    } catch (thrown) {
      // Whoever shows a certificate speaks TLS, whatever is wrong with it.
      return /certificate/i.test(explainTls(name, thrown).detail);
    }
  }

  /** Hangs up. */
  async close(): Promise<void> {
    await this.#tcp?.close();
  }

  /** How to look at the network alone; `undefined` if nobody can, or it would show something else. */
  get #sockets(): HostSockets | undefined {
    return this.#obstacle === undefined ? findSockets() : undefined;
  }

  /** Why another socket would show something else than the WebSocket. */
  get #obstacle(): string | undefined {
    if (this.#trial.context.resolved.httpClient !== undefined) {
      return "The HTTP client connects in its own way";
    }
    const variable = findProxyVariable(this.#target.destination.url.protocol);
    return variable && `The connection goes through the proxy of ${variable}`;
  }

  /** Looks at a step in the only way there is: through the dial as a whole. */
  async #awaitDial(
    stage: "dns" | "tcp" | "tls",
    explain: (error: unknown) => Finding,
  ): Promise<Finding> {
    const dialled = await this.#trial.dial();
    const obstacle = this.#obstacle;
    if (dialled.type === "failed" && stageOf(dialled.error) === stage) {
      const isElsewhere = obstacle !== undefined && stage !== "tls";
      const finding = isElsewhere ? explainDetour(obstacle) : explain(dialled.error);
      return { ...finding, durationMs: dialled.durationMs };
    }
    const reason = obstacle ?? "This runtime has no sockets but WebSockets";
    return skipped(`${reason}: it is a part of the upgrade`);
  }
}

function formatPlace(address: string, port: number): string {
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}
