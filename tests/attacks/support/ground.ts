import { MCPWebSocketServer, type MCPWebSocketServerOptions } from "../../../server/mod.ts";
import { parseMetrics } from "../../server/_prometheus.ts";
import { Capture } from "./capture.ts";

/** Everything that rises and falls: what `health()` and the gauges say. */
export type Levels = Readonly<Record<string, number>>;

/** A server under attack, in this process or in one of its own. */
export interface Ground extends AsyncDisposable {
  /** Where it listens. */
  readonly port: number;
  /** Whatever it told anybody. */
  readonly capture: Capture;
  /** Everything that rises and falls, as it is now. */
  levels(): Promise<Levels>;
  /** What it counts, in Prometheus' format. */
  metrics(): Promise<string>;
}

/** How to lay out a server. */
export interface GroundOptions {
  /** Changes to the server. */
  readonly server?: Partial<MCPWebSocketServerOptions>;
  /** Adds handlers to the server, before it starts. */
  readonly define?: (server: MCPWebSocketServer) => void;
}

/** Sessions of attackers must not outlive a test by much, in milliseconds. */
export const WINDOW = 500;
/** Gauges that tell no level. */
const NO_LEVELS: ReadonlySet<string> = new Set(["bowline_ready", "bowline_uptime_seconds"]);

/** A server in this process. */
export class LocalGround implements Ground {
  readonly capture: Capture;
  readonly server: MCPWebSocketServer;
  readonly port: number;

  private constructor(server: MCPWebSocketServer, port: number, capture: Capture) {
    this.server = server;
    this.port = port;
    this.capture = capture;
  }

  static async open(options: GroundOptions): Promise<LocalGround> {
    const capture = new Capture();
    const server = makeServer(capture, options);
    const { port } = await server.start({ port: 0 });
    return new LocalGround(server, port, capture);
  }

  levels(): Promise<Levels> {
    return Promise.resolve(levelsOf(this.server));
  }

  metrics(): Promise<string> {
    return Promise.resolve(this.server.metrics());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server.stop({ timeout: 0 });
  }
}

/** A server with a canary tool that tells everything to the capture. */
export function makeServer(
  { logger, onError, sink: metrics }: Capture,
  { server: changes, define }: GroundOptions,
): MCPWebSocketServer {
  const server = new MCPWebSocketServer({
    name: "arena",
    version: "1.0.0",
    logger,
    onError,
    metrics,
    session: { window: WINDOW },
    ...changes,
  });
  server.handle("tools/list", () => ({
    tools: [{ name: "canary", inputSchema: { type: "object" } }],
  }));
  server.handle("tools/call", ({ name, arguments: args }) => ({
    content: [{ type: "text", text: name === "big" ? filler(args?.bytes) : `alive ${args?.i}` }],
  }));
  define?.(server);
  return server;
}

/** A text of a size that the caller chooses, as attackers like to. */
function filler(bytes: unknown): string {
  return "x".repeat(Number(bytes));
}

/** Everything that rises and falls in a server. */
export function levelsOf(server: MCPWebSocketServer): Levels {
  const { activeConnections, detachedSessions, bufferedBytes } = server.health();
  const gauges = [...parseMetrics(server.metrics())]
    .filter(([name, { type }]) => type === "gauge" && !NO_LEVELS.has(name))
    .flatMap(([, { samples }]) => [...samples]);
  return { activeConnections, detachedSessions, bufferedBytes, ...Object.fromEntries(gauges) };
}
