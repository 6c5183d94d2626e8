import { CLOSE_CODES } from "../protocol/close_codes.ts";
import { ERROR_CODES } from "../protocol/jsonrpc.ts";
import { guard } from "../protocol/guard.ts";
import type { LinkTraffic } from "../protocol/link.ts";
import { type CompressionTotals, noCompression } from "../protocol/session/compression_totals.ts";
import { Counter, type CounterOptions } from "./counter.ts";
import { exposition, type MetricFamily } from "./exposition.ts";

import type { HandshakeRefusal } from "./handshake.ts";
import { Histogram } from "./histogram.ts";
import { type MetricsSink, NO_LABELS } from "./metrics_sink.ts";
import { FAILURES } from "./reporter.ts";
import {
  SESSION_ENDINGS,
  SESSION_REFUSALS,
  type SessionEnding,
  type SessionMeter,
  type SessionRefusal,
} from "./session_meter.ts";
import type { TransportMeter } from "./transport.ts";

/** What is read when somebody asks, as it is not counted here. */
export interface MetricLevels {
  /** Whether new connections are taken. */
  readonly isReady: boolean;
  /** Time since the start, in milliseconds. */
  readonly uptime: number;
  /** Open connections that speak plain MCP. */
  readonly plainConnections: number;
  /** Sessions with a connection. */
  readonly attachedSessions: number;
  /** Sessions without one. */
  readonly detachedSessions: number;
  /** Connections of which it is not known yet whether they belong to a session. */
  readonly undecidedConnections: number;
  /** Messages that came in so far. */
  readonly messagesIn: number;
  /** Messages that went out so far. */
  readonly messagesOut: number;
  /** Requests that wait for their answer. */
  readonly running: number;
  /** Bytes that sessions hold. */
  readonly sessionBytes: number;
  /** Bytes that sockets hold. */
  readonly socketBytes: number;
  /** Failures on this side. */
  readonly failures: number;
  /** What peers did wrong. */
  readonly faults: number;
}

/** A record, so that the compiler finds one that is missing. */
const UPGRADE_REFUSALS: Readonly<Record<HandshakeRefusal, true>> = {
  url: true,
  path: true,
  method: true,
  options: true,
  upgrade: true,
  headers: true,
  host: true,
  origin: true,
  rate: true,
  auth: true,
  closing: true,
  full: true,
  crowded: true,
};

const COUNTERS = {
  opened: {
    name: "bowline_connections_opened_total",
    help: "Connections that were served, by what they speak.",
    label: "protocol",
    kinds: ["plain", "session"],
  },
  closed: {
    name: "bowline_connections_closed_total",
    help: "Connections that were served and have ended, by close code; 1006 is none.",
    label: "code",
    kinds: [1005, 1006, 1007, 1008, 4401, ...Object.values(CLOSE_CODES)].sort().map(String),
  },
  upgradesRefused: {
    name: "bowline_upgrades_refused_total",
    help: "Requests that did not become a WebSocket, by reason.",
    label: "reason",
    kinds: Object.keys(UPGRADE_REFUSALS),
  },
  connectionsRefused: {
    name: "bowline_connections_refused_total",
    help: "Times that an open WebSocket did not get the session it asked for, by reason.",
    label: "reason",
    kinds: SESSION_REFUSALS,
  },
  sessionsOpened: {
    name: "bowline_sessions_opened_total",
    help: "Sessions that were opened.",
  },
  sessionsResumed: {
    name: "bowline_sessions_resumed_total",
    help: "Times that a session went on over a new connection.",
  },
  sessionsEnded: {
    name: "bowline_sessions_ended_total",
    help: "Sessions that have ended, by reason.",
    label: "reason",
    kinds: SESSION_ENDINGS,
  },
  errors: {
    name: "bowline_error_responses_total",
    help: "Requests and texts that were answered with an error, by JSON-RPC code.",
    label: "code",
    kinds: Object.values(ERROR_CODES).map(String),
  },
} as const satisfies Record<string, CounterOptions>;

const RECEIVED = "bowline_messages_received_total";
const SENT = "bowline_messages_sent_total";
const DURATION = "bowline_request_duration_seconds";
/** In milliseconds: what a person notices, what a tool takes, and what a client waits for. */
const DURATION_BOUNDS = [
  ...[5, 10, 25, 50, 100, 250, 500],
  ...[1_000, 2_500, 5_000, 10_000, 30_000, 60_000, 300_000],
];

/** Counts what a handler does. A label is one of a few words that are known beforehand. */
export class ServerMetrics implements SessionMeter, TransportMeter {
  /** See {@linkcode TransportMeter}. */
  readonly message: TransportMeter["message"];
  /** What has passed through the sockets. */
  readonly traffic: LinkTraffic = { received: 0, sent: 0 };
  /** What was compressed. */
  readonly compressed: CompressionTotals = noCompression();
  readonly #sink: MetricsSink | undefined;
  readonly #counters: Readonly<Record<keyof typeof COUNTERS, Counter>>;
  readonly #durations: Histogram = new Histogram({
    name: DURATION,
    help:
      "Time from a request's arrival to its answer; subscriptions and cancelled ones are not in it.",
    bounds: DURATION_BOUNDS,
    scale: 1_000,
  });

  /** @param sink Told of everything, too. */
  constructor(sink: MetricsSink | undefined) {
    this.#sink = sink;
    const counter = (options: CounterOptions) => new Counter(options, sink);
    this.#counters = {
      opened: counter(COUNTERS.opened),
      closed: counter(COUNTERS.closed),
      upgradesRefused: counter(COUNTERS.upgradesRefused),
      connectionsRefused: counter(COUNTERS.connectionsRefused),
      sessionsOpened: counter(COUNTERS.sessionsOpened),
      sessionsResumed: counter(COUNTERS.sessionsResumed),
      sessionsEnded: counter(COUNTERS.sessionsEnded),
      errors: counter(COUNTERS.errors),
    };
    this.message = sink && ((direction) => {
      guard(() => sink.add(direction === "in" ? RECEIVED : SENT, 1, NO_LABELS), ignore);
    });
  }

  /** Notes that a request did not become a WebSocket. */
  upgradeRefused(cause: HandshakeRefusal): void {
    this.#counters.upgradesRefused.add(cause);
  }

  /** See {@linkcode SessionMeter}. */
  connectionRefused(reason: SessionRefusal): void {
    this.#counters.connectionsRefused.add(reason);
  }

  /** See {@linkcode SessionMeter}. */
  connectionOpened(protocol: "plain" | "session"): void {
    this.#counters.opened.add(protocol);
  }

  /** See {@linkcode SessionMeter}. */
  connectionClosed(code: number): void {
    // Deno tells 0 where other runtimes tell 1006.
    this.#counters.closed.add(String(code || 1006));
  }

  /** See {@linkcode SessionMeter}. */
  sessionOpened(): void {
    this.#counters.sessionsOpened.add();
  }

  /** See {@linkcode SessionMeter}. */
  sessionResumed(): void {
    this.#counters.sessionsResumed.add();
  }

  /** See {@linkcode SessionMeter}. */
  sessionEnded(ending: SessionEnding): void {
    this.#counters.sessionsEnded.add(ending);
  }

  /** See {@linkcode TransportMeter}. */
  answered(duration: number): void {
    // The wall clock may be set back meanwhile.
    const ms = Math.max(duration, 0);
    this.#durations.record(ms);
    const sink = this.#sink;
    if (sink !== undefined) guard(() => sink.record(DURATION, ms / 1_000, NO_LABELS), ignore);
  }

  /** See {@linkcode TransportMeter}. */
  failed(code: number): void {
    this.#counters.errors.add(String(code));
  }

  /**
   * Everything, in the text format of Prometheus.
   *
   * @param levels What is not counted here.
   * @returns The text.
   */
  text(levels: MetricLevels): string {
    const counters = Object.values(this.#counters).map((counter) => counter.family());
    const traffic = [...trafficFamilies(this.traffic), ...compressionFamilies(this.compressed)];
    return exposition([
      ...levelFamilies(levels),
      ...traffic,
      ...counters,
      this.#durations.family(),
    ]);
  }
}

function levelFamilies(levels: MetricLevels): MetricFamily[] {
  const { attachedSessions: attached, detachedSessions: detached } = levels;
  return [
    single("gauge", "bowline_ready", "Whether new connections are taken.", Number(levels.isReady)),
    single("gauge", "bowline_uptime_seconds", "Time since the start.", levels.uptime / 1_000),
    split("gauge", "bowline_connections", "Connections that are open.", "protocol", {
      plain: levels.plainConnections,
      session: attached,
      undecided: levels.undecidedConnections,
    }),
    split("gauge", "bowline_sessions", "Sessions, with a connection and without.", "state", {
      attached,
      detached,
    }),
    single("counter", RECEIVED, "Messages that came in.", levels.messagesIn),
    single("counter", SENT, "Messages that went out.", levels.messagesOut),
    single(
      "gauge",
      "bowline_requests_in_flight",
      "Requests that wait for their answer; subscriptions are not in it.",
      levels.running,
    ),
    split(
      "gauge",
      "bowline_buffered_bytes",
      "Bytes held for clients: by sessions until they are acknowledged, by sockets until they are written.",
      "where",
      { sessions: levels.sessionBytes, sockets: levels.socketBytes },
    ),
    split("counter", FAILURES, "Failures that were reported, by whose they are.", "side", {
      server: levels.failures,
      peer: levels.faults,
    }),
  ];
}

function trafficFamilies({ received, sent }: LinkTraffic): MetricFamily[] {
  const unit = "in UTF-16 units: bytes, where all is ASCII or compressed";
  return [
    single("counter", "bowline_received_characters_total", `Text that came in, ${unit}.`, received),
    single("counter", "bowline_sent_characters_total", `Text that was written, ${unit}.`, sent),
  ];
}

function compressionFamilies(totals: CompressionTotals): MetricFamily[] {
  const [frames, saved] = [
    "bowline_compressed_frames_total",
    "bowline_compression_saved_bytes_total",
  ];
  return [
    split("counter", frames, "Frames that passed compressed.", "direction", {
      received: totals.framesReceived,
      sent: totals.framesSent,
    }),
    split("counter", saved, "Bytes that did not have to pass because of it.", "direction", {
      received: totals.bytesSavedReceiving,
      sent: totals.bytesSavedSending,
    }),
  ];
}

function single(
  type: "counter" | "gauge",
  name: string,
  help: string,
  value: number,
): MetricFamily {
  return { name, type, help, samples: [{ value }] };
}

function split(
  type: "counter" | "gauge",
  name: string,
  help: string,
  label: string,
  values: Readonly<Record<string, number>>,
): MetricFamily {
  const samples = Object.entries(values).map(([kind, value]) => ({
    labels: { [label]: kind },
    value,
  }));
  return { name, type, help, samples };
}

function ignore(): void {}
