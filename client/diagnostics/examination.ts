import { type Clock, stopwatch } from "../../protocol/clock.ts";
import { MCPConnectionError } from "../../protocol/errors.ts";
import type { Link } from "../../protocol/link.ts";
import { PING, stampRequest } from "../../protocol/mcp.ts";
import { JsonRpcPeer } from "../../protocol/peer.ts";
import { DENO_CLIENT_SIZES, OPEN_SIZES } from "../../protocol/session/frames.ts";
import { SESSION_SUBPROTOCOL } from "../../protocol/subprotocol.ts";
import { ClientSession } from "../client_session.ts";
import { type Credentials, gatherCredentials } from "../credentials.ts";
import { dial, type DialBounds, prepare } from "../dial.ts";
import { type Endpoint, parseEndpoint } from "../endpoint.ts";
import type { ConnectionSink, LiveConnection } from "../live_connection.ts";
import { openConversation, type Opening, type OpeningOptions } from "../opening.ts";
import { PlainConnection } from "../plain_connection.ts";
import { lossError } from "../recovery.ts";
import type { ResolvedOptions } from "../resolved_options.ts";
import { holdsFrames } from "../runtime.ts";
import { SessionConnection } from "../session_connection.ts";
import { checkAddresses, checkUrl, type Destination } from "../url_policy.ts";
import type { UrlPolicy } from "../url_policy_options.ts";
import {
  explainDetour,
  explainDns,
  explainOpening,
  explainPermission,
  explainRequest,
  explainSession,
  explainSubprotocol,
  explainTcp,
  explainTls,
  explainUpgrade,
  explainUrl,
  stageOf,
} from "./faults.ts";
import { findProxyVariable, findSockets, mayConnect } from "./host.ts";
import { type HttpAnswer, inquire } from "./inquiry.ts";
import { type Place, shakeHands, TcpProbe } from "./probes.ts";
import {
  type DiagnosticName,
  type DiagnosticStep,
  failed,
  type Finding,
  passed,
  skipped,
} from "./step.ts";
import { clean, quote } from "./words.ts";

/** What an {@linkcode Examination} needs. */
export interface ExaminationOptions {
  /** Timeouts, bounds, credentials. */
  readonly resolved: ResolvedOptions;
  /** What may be dialled. */
  readonly policy: UrlPolicy;
  /** Who this client is, and in which era it opens. */
  readonly opening: Pick<OpeningOptions, "identity" | "era">;
  /** Gives up. */
  readonly signal: AbortSignal;
}

/** What became of the dial. */
type Dialled =
  & {
    /** How long it took, in milliseconds. */
    readonly durationMs: number;
  }
  & ({ readonly type: "open" } | { readonly type: "failed"; readonly error: unknown });

/** Where the URL leads to. */
interface Target {
  readonly endpoint: Endpoint;
  readonly destination: Destination;
  readonly place: Place;
  /** The same as text. */
  readonly name: string;
}

/** What the requests are that show what a server does, by what it says it can do. */
const ROUND_TRIPS: readonly (readonly [capability: string, method: string])[] = [
  ["tools", "tools/list"],
  ["resources", "resources/list"],
  ["prompts", "prompts/list"],
];

/** One examination of one endpoint, step by step, over one WebSocket. */
export class Examination {
  readonly #url: string | URL;
  readonly #context: ExaminationOptions;
  readonly #clock: Clock;
  readonly #timeout: number;
  readonly #checks: readonly (readonly [DiagnosticName, () => Finding | Promise<Finding>])[] = [
    ["url", () => this.#checkUrl()],
    ["dns", () => this.#checkDns()],
    ["tcp", () => this.#checkTcp()],
    ["tls", () => this.#checkTls()],
    ["upgrade", () => this.#checkUpgrade()],
    ["subprotocol", () => this.#checkSubprotocol()],
    ["session", () => this.#checkSession()],
    ["initialize", () => this.#checkOpening()],
    ["ping", () => this.#checkPing()],
    ["round-trip", () => this.#checkRoundTrip()],
  ];
  #found: Target | undefined;
  #tcp: TcpProbe | undefined;
  #credentials: Credentials | undefined;
  #dialling: Promise<Dialled> | undefined;
  /** The subprotocol of the open connection. */
  #selected = "";
  #connection: LiveConnection | undefined;
  #session: SessionConnection | undefined;
  #peer: JsonRpcPeer | undefined;
  #opening: Opening | undefined;

  /**
   * @param url Where to.
   * @param context What to examine it with.
   */
  constructor(url: string | URL, context: ExaminationOptions) {
    this.#url = url;
    this.#context = context;
    this.#clock = context.resolved.clock;
    this.#timeout = context.resolved.connectTimeout;
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
      await this.#release();
    }
  }

  async #take(
    name: DiagnosticName,
    check: () => Finding | Promise<Finding>,
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
    const secrets = this.#secrets();
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
    const { policy } = this.#context;
    try {
      const endpoint = parseEndpoint(this.#url);
      const destination = checkUrl(this.#url, policy);
      const { protocol, hostname, port: given } = destination.url;
      const port = given === "" ? (protocol === "wss:" ? 443 : 80) : Number(given);
      const place = { host: destination.host, port };
      this.#found = { endpoint, destination, place, name: `${hostname}:${port}` };
      return passed(endpoint.name);
    } catch (thrown) {
      return explainUrl(thrown);
    }
  }

  async #checkDns(): Promise<Finding> {
    const { destination, name, place } = this.#target;
    if (destination.address !== undefined) return skipped("The URL holds an address");
    if (!mayConnect(name)) return skipped("This program may not connect");
    const sockets = findSockets();
    const obstacle = this.#obstacle;
    if (sockets === undefined || obstacle !== undefined) {
      return await this.#awaitDial("dns", (error) => explainDns(place.host, error));
    }
    try {
      const check = (address: string) => checkAddresses([address], destination);
      this.#tcp = new TcpProbe(sockets, place, check);
      const addresses = await this.#wait(this.#tcp.resolved);
      const list = addresses.join(", ") || "an address";
      return passed(`"${place.host}" is ${list}`);
    } catch (thrown) {
      return explainDns(place.host, thrown);
    }
  }

  async #checkTcp(): Promise<Finding> {
    const { name, place } = this.#target;
    if (!mayConnect(name)) return explainPermission(name);
    const sockets = findSockets();
    if (sockets === undefined || this.#obstacle !== undefined) {
      return await this.#awaitDial("tcp", (error) => explainTcp(name, error));
    }
    try {
      this.#tcp ??= new TcpProbe(sockets, place, () => {});
      const address = await this.#wait(this.#tcp.connected);
      return passed(`Connected to ${address === "" ? name : formatPlace(address, place.port)}`);
    } catch (thrown) {
      return explainTcp(name, thrown);
    } finally {
      await this.#tcp?.close();
    }
  }

  async #checkTls(): Promise<Finding> {
    const { destination, name, place } = this.#target;
    if (destination.url.protocol === "ws:") return skipped("The URL says ws:, without encryption");
    const sockets = findSockets();
    if (sockets === undefined || this.#obstacle !== undefined) {
      return await this.#awaitDial("tls", (error) => explainTls(name, error));
    }
    try {
      const { version, validUntil } = await shakeHands(sockets, place, this.#wait);
      const until = validUntil &&
        `, certificate valid until ${validUntil.toISOString().slice(0, 10)}`;
      return passed(`${version ?? "TLS"}${until ?? ""}`);
    } catch (thrown) {
      return explainTls(name, thrown);
    }
  }

  async #checkUpgrade(): Promise<Finding> {
    const dialled = await (this.#dialling ??= this.#dial());
    const { durationMs } = dialled;
    if (dialled.type === "open" || stageOf(dialled.error) === "subprotocol") {
      return { ...passed("The connection is a WebSocket now"), durationMs };
    }
    return { ...await this.#explainUpgrade(dialled.error), durationMs };
  }

  async #explainUpgrade(error: unknown): Promise<Finding> {
    const { name, place, destination } = this.#target;
    switch (stageOf(error)) {
      case "dns":
        return explainDns(place.host, error);
      case "tcp":
        return explainTcp(name, error);
      case "tls":
        return explainTls(name, error);
      case "upgrade":
      case "subprotocol":
        break;
    }
    // Who says nothing at all is not asked again.
    const isAnswered = error instanceof MCPConnectionError;
    const answer = isAnswered ? await this.#inquire() : undefined;
    const { headers } = this.#credentials ?? {};
    return explainUpgrade({
      error,
      answer,
      speaksTls: isAnswered && answer === undefined && await this.#speaksTls(),
      sentToken: headers?.has("authorization") || this.#context.resolved.token !== undefined,
      path: destination.url.pathname,
    });
  }

  async #inquire(): Promise<HttpAnswer | undefined> {
    const { resolved, signal } = this.#context;
    const { headers = new Headers() } = this.#credentials ?? {};
    const giveUp = new AbortController();
    const timer = this.#clock.after(this.#timeout, () => giveUp.abort());
    try {
      return await inquire(this.#target.endpoint.url, {
        headers,
        httpClient: resolved.httpClient,
        signal: AbortSignal.any([signal, giveUp.signal]),
      });
    } finally {
      timer.clear();
    }
  }

  /** Whether TLS is spoken where the URL says that it is not. */
  async #speaksTls(): Promise<boolean> {
    const { destination, name, place } = this.#target;
    const sockets = findSockets();
    if (destination.url.protocol === "wss:" || sockets === undefined) return false;
    if (this.#obstacle !== undefined) return false;
    try {
      await shakeHands(sockets, place, this.#wait);
      return true;
    } catch (thrown) {
      // Whoever shows a certificate speaks TLS, whatever is wrong with it.
      return /certificate/i.test(explainTls(name, thrown).detail);
    }
  }

  async #checkSubprotocol(): Promise<Finding> {
    const dialled = await (this.#dialling ??= this.#dial());
    const { protocols, require } = this.#context.resolved;
    if (dialled.type === "failed") return explainSubprotocol(dialled.error, protocols);
    const selected = this.#selected;
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

  async #checkSession(): Promise<Finding> {
    if (this.#session === undefined) return skipped('Plain "mcp" has no sessions');
    try {
      const greeting = await this.#wait(this.#session.greeting);
      switch (greeting.type) {
        case "open": {
          const { windowMs } = greeting.welcome;
          return passed(`Open; kept for ${windowMs / 1_000} s after a loss`);
        }
        case "unknown":
          return failed(
            `The server refused a new session: ${quote(greeting.reason)}`,
            "Look into the log of the server",
          );
        case "lost":
          return explainSession(lossError(greeting.loss), this.#timeout);
      }
    } catch (thrown) {
      return explainSession(thrown, this.#timeout);
    }
  }

  async #checkOpening(): Promise<Finding> {
    const { opening, signal } = this.#context;
    // Who answers neither question is heard out once, not twice.
    const probeTimeout = this.#timeout / 2;
    try {
      const opened = await openConversation(this.#conversation, {
        ...opening,
        probeTimeout,
        signal,
      });
      this.#opening = opened;
      const { serverInfo, version, era, capabilities } = opened;
      const who = serverInfo === undefined
        ? "The server"
        : `${quote(serverInfo.name)} ${serverInfo.version}`;
      const can = Object.keys(capabilities).join(", ") || "nothing";
      const name = era === "modern" ? "discover" : "initialize";
      return { ...passed(`${who} speaks MCP ${version} and offers ${can}`), name };
    } catch (thrown) {
      return explainOpening(thrown);
    }
  }

  async #checkPing(): Promise<Finding> {
    const question = this.#opening?.era === "legacy" ? { method: PING } : undefined;
    const ask = this.#connection?.prober(question);
    if (ask === undefined) return skipped('MCP has no "ping" since 2026-07-28');
    try {
      await ask({ timeout: this.#timeout, signal: this.#context.signal });
      return passed("Answered");
    } catch (thrown) {
      return explainRequest(PING, thrown);
    }
  }

  async #checkRoundTrip(): Promise<Finding> {
    const capabilities = this.#opening?.capabilities ?? {};
    const [, method] = ROUND_TRIPS.find(([name]) => Object.hasOwn(capabilities, name)) ?? [];
    if (method === undefined) return skipped("The server offers nothing that can be listed");
    const { signal } = this.#context;
    try {
      await this.#conversation.request(method, undefined, { timeout: this.#timeout, signal });
      return passed(`"${method}" was answered`);
    } catch (thrown) {
      return explainRequest(method, thrown);
    }
  }

  get #target(): Target {
    if (this.#found !== undefined) return this.#found;
    throw new TypeError("Cannot take step: the URL was not checked");
  }

  /** The conversation; it is taken up with the connection. */
  get #conversation(): JsonRpcPeer {
    if (this.#peer !== undefined) return this.#peer;
    throw new TypeError("Cannot take step: there is no connection");
  }

  /** Why another socket would show something else than the WebSocket. */
  get #obstacle(): string | undefined {
    if (this.#context.resolved.httpClient !== undefined) {
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
    const dialled = await (this.#dialling ??= this.#dial());
    const obstacle = this.#obstacle;
    if (dialled.type === "failed" && stageOf(dialled.error) === stage) {
      const isElsewhere = obstacle !== undefined && stage !== "tls";
      const finding = isElsewhere ? explainDetour(obstacle) : explain(dialled.error);
      return { ...finding, durationMs: dialled.durationMs };
    }
    const reason = obstacle ?? "This runtime has no sockets but WebSockets";
    return skipped(`${reason}: it is a part of the upgrade`);
  }

  async #dial(): Promise<Dialled> {
    const now = stopwatch(this.#clock);
    const start = now();
    const { resolved } = this.#context;
    const { endpoint } = this.#target;
    const bounds = this.#bounds;
    try {
      const credentials = this.#credentials = await prepare(gatherCredentials(resolved), bounds);
      await dial({
        ...bounds,
        ...credentials,
        url: endpoint.url,
        httpClient: resolved.httpClient,
        take: (link) => this.#adopt(link),
      });
      return { type: "open", durationMs: now() - start };
    } catch (error) {
      return { type: "failed", error, durationMs: now() - start };
    }
  }

  /** In the turn in which the link opens: nothing that comes in is lost. */
  #adopt(link: Link): void {
    const { resolved } = this.#context;
    this.#selected = link.protocol;
    const peer = this.#peer = this.#createPeer();
    const sink: ConnectionSink = {
      frame() {},
      message: (message) => peer.receive(message),
      // What breaks the protocol badly enough ends the connection, which is told.
      fault() {},
      goaway() {},
    };
    const connection = this.#connection = link.protocol === SESSION_SUBPROTOCOL
      ? this.#session = new SessionConnection(link, createSession(resolved), resolved, sink)
      : new PlainConnection(link, resolved, sink);
    connection.lost.then((loss) => peer.close(lossError(loss)));
  }

  #createPeer(): JsonRpcPeer {
    const { identity } = this.#context.opening;
    const peer = new JsonRpcPeer({
      send: (message) => this.#connection?.send(JSON.stringify(message), message),
      stamp: (params) =>
        this.#opening?.era === "modern"
          ? stampRequest(params, identity, this.#opening.version)
          : params,
      requestTimeout: this.#timeout,
      clock: this.#clock,
    });
    peer.handle(PING, () => ({}));
    return peer;
  }

  /** Waits, but neither for long nor when nobody wants to know any more. */
  readonly #wait = <T>(needed: Promise<T>): Promise<T> => prepare(needed, this.#bounds);

  get #bounds(): DialBounds {
    const { name } = this.#target.endpoint;
    const { signal } = this.#context;
    return { name, timeout: this.#timeout, signal, clock: this.#clock };
  }

  /** What was sent to be let in. */
  #secrets(): string[] {
    const { headers, protocols = [] } = this.#credentials ?? {};
    const values = [...headers?.values() ?? []];
    const offered: readonly string[] = this.#context.resolved.protocols;
    return [
      ...values.flatMap((value) => [value, value.replace(/^\S+ +/, "")]),
      ...protocols.filter((entry) => !offered.includes(entry)),
    ];
  }

  async #release(): Promise<void> {
    const connection = this.#connection;
    if (this.#context.signal.aborted) connection?.drop();
    this.#peer?.close();
    await Promise.all([this.#tcp?.close(), connection?.close()]);
  }
}

function createSession({ session, maxReceiveBytes, clock }: ResolvedOptions): ClientSession {
  const { bufferMessages, bufferBytes } = session;
  return new ClientSession({
    limits: { messageBytes: maxReceiveBytes, bufferBytes, bufferMessages },
    sizes: holdsFrames() ? DENO_CLIENT_SIZES : OPEN_SIZES,
    promptAck: holdsFrames(),
    poisoned() {},
    clock,
  });
}

function formatPlace(address: string, port: number): string {
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}
