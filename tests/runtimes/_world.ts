import {
  MCPConnectionError,
  MCPError,
  MCPRpcError,
  MCPWebSocketClient,
  type MCPWebSocketClientOptions,
} from "../../client/mod.ts";

/** The two families of MCP's revisions. */
export type Era = "legacy" | "modern";

/** What the scenario is played with. */
export interface Places {
  /** The MCP server's WebSocket URL. */
  readonly server: string;
  /** The same server, behind a link that can be cut. */
  readonly frail: string;
  /** Where to ask for signals to the server's process; an HTTP URL without a slash at its end. */
  readonly control: string;
  /** Where endpoints refuse and misbehave; a WebSocket URL without a slash at its end. */
  readonly hostile: string;
  /** A WebSocket URL where nobody listens. */
  readonly refused: string;
  /** A WebSocket URL where nobody answers. */
  readonly silent: string;
  /** A WebSocket URL whose certificate nobody trusts. */
  readonly untrusted: string;
}

/** One thing to try; resolves with what was seen, fit for JSON. */
export type Step = (places: Places) => Promise<unknown>;

/** Steps by their names. */
export type Steps = Readonly<Record<string, Step>>;

/** What can be said of an error on every runtime. */
export interface ErrorFacts {
  readonly name: string;
  readonly kind?: string;
  readonly cause?: string | undefined;
  readonly retryable?: boolean;
  readonly status?: number | undefined;
  readonly outcome?: string | undefined;
  readonly code?: number | undefined;
}

/** Impatient, so that the scenario is short. */
export const IMPATIENT: MCPWebSocketClientOptions = {
  reconnect: { attempts: 100, minDelay: 50, maxDelay: 250 },
  dialLimit: false,
};

/** Connects a client, uses it, and disconnects it whatever happens. */
export async function withClient<T>(
  url: string,
  options: MCPWebSocketClientOptions,
  use: (client: MCPWebSocketClient) => Promise<T>,
): Promise<T> {
  const client = new MCPWebSocketClient(url, { ...IMPATIENT, ...options });
  try {
    await client.connect();
    return await use(client);
  } finally {
    await client.disconnect();
  }
}

/** What a promise rejects with; throws if it does not. */
export async function rejection(promise: Promise<unknown>): Promise<unknown> {
  const [outcome] = await Promise.allSettled([promise]);
  if (outcome.status === "rejected") return outcome.reason;
  throw new TypeError(`Nothing failed: the result is ${JSON.stringify(outcome.value)}`);
}

/** What can be said of an error. */
export function factsOf(error: unknown): ErrorFacts {
  if (error instanceof MCPConnectionError) {
    const { name, kind, verdict, retryable, status, outcome } = error;
    return { name, kind, cause: verdict?.cause, retryable, status, outcome };
  }
  if (error instanceof MCPRpcError) return { name: error.name, code: error.code };
  if (error instanceof MCPError) {
    const { name, kind, retryable } = error;
    return { name, kind, retryable };
  }
  return { name: error instanceof Error ? error.name : String(error) };
}

/** Calls a tool and gives its text. */
export async function callTool(
  client: MCPWebSocketClient,
  name: string,
  args: Record<string, unknown> = {},
  options: Parameters<MCPWebSocketClient["request"]>[2] = {},
): Promise<string> {
  const { content } = await client.request("tools/call", { name, arguments: args }, options);
  const [block] = content ?? [];
  return typeof block?.text === "string" ? block.text : "";
}

/** What happens to the server's process. */
export type ServerSignal = "SIGKILL" | "SIGTERM" | "SIGSTOP" | "SIGCONT";

/**
 * Sends the server's process a signal. After one that ends it, another process
 * listens in its place when this resolves.
 */
export async function signalServer({ control }: Places, signal: ServerSignal): Promise<void> {
  const response = await fetch(`${control}/signal/${signal}`, { method: "POST" });
  await response.body?.cancel();
  if (!response.ok) throw new TypeError(`Cannot signal server: status ${response.status}`);
}

/** Cuts all connections of the frail place that there are. */
export async function cutConnections({ control }: Places): Promise<void> {
  const response = await fetch(`${control}/cut`, { method: "POST" });
  await response.body?.cancel();
}

/** What the server saw of a client's handshake. */
export async function readHandshake(client: MCPWebSocketClient): Promise<unknown> {
  const { authorization, custom, protocols } = await client.request<Record<string, unknown>>(
    "x/handshake",
  );
  return { authorization, custom, protocols };
}

/** What the server's process has seen since it was started. */
export interface Journal {
  readonly pid: number;
  readonly started: readonly string[];
  readonly aborted: readonly string[];
  /** What notifications have told. */
  readonly notes: readonly unknown[];
}

/** Reads the server's journal; everything sent before on this connection is in it. */
export async function readJournal(client: MCPWebSocketClient): Promise<Journal> {
  return await client.request<Journal>("x/journal", {}, { retry: true });
}
