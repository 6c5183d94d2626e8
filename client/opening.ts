import { MCPConnectionError, MCPError } from "../protocol/errors.ts";
import {
  chooseModernVersion,
  DISCOVER,
  type Era,
  type Identity,
  INITIALIZE,
  INITIALIZED,
  initializeParams,
  LEGACY_VERSIONS,
  MODERN_VERSIONS,
  probeErrorVersion,
  serverInfoOf,
  stampRequest,
} from "../protocol/mcp.ts";
import type {
  Capabilities,
  DiscoverResult,
  Implementation,
  InitializeResult,
} from "../protocol/mcp_types.ts";
import type { JsonRpcPeer } from "../protocol/peer.ts";

/** What the opening of a conversation settled. */
export interface Opening {
  /** The family of revisions that is spoken. */
  readonly era: Era;
  /** The revision that is spoken. */
  readonly version: string;
  /** Who the server is, if it says so. */
  readonly serverInfo: Implementation | undefined;
  /** What the server can do. */
  readonly capabilities: Capabilities;
  /** How to use the server. */
  readonly instructions: string | undefined;
}

/** Options of {@linkcode openConversation}. */
export interface OpeningOptions {
  /** Who this client is. */
  readonly identity: Identity;
  /** The era to open in; `auto` asks the server first. */
  readonly era: Era | "auto";
  /** How long a server may take to answer which era it is of, in milliseconds. */
  readonly probeTimeout: number;
  /** Gives up. */
  readonly signal: AbortSignal | undefined;
}

/**
 * Opens MCP over a connected peer, in either era.
 *
 * @throws {MCPError} If no revision is spoken by both, or the server refuses.
 */
export async function openConversation(
  peer: JsonRpcPeer,
  options: OpeningOptions,
): Promise<Opening> {
  if (options.era === "legacy") return await initialize(peer, options);
  try {
    return await discover(peer, options, MODERN_VERSIONS[0] ?? "");
  } catch (error) {
    if (isFinal(error, options)) throw error;
    const version = probeErrorVersion(error);
    if (version !== undefined) return await discover(peer, options, version);
    if (options.era === "modern") throw error;
    // Any other answer, and silence too, is a legacy server's (MCP 2026-07-28, versioning).
    return await initialize(peer, options);
  }
}

/** A lost connection or an impatient caller says nothing about the era. */
function isFinal(error: unknown, { signal }: OpeningOptions): boolean {
  return error instanceof MCPConnectionError || signal?.aborted === true;
}

async function discover(
  peer: JsonRpcPeer,
  { identity, probeTimeout, signal }: OpeningOptions,
  version: string,
): Promise<Opening> {
  const params = stampRequest(undefined, identity, version);
  const result = await peer.request<DiscoverResult>(DISCOVER, params, {
    timeout: probeTimeout,
    signal,
  });
  const chosen = chooseModernVersion(result.supportedVersions);
  if (chosen === undefined) {
    throw versionError(result.supportedVersions, MODERN_VERSIONS);
  }
  return {
    era: "modern",
    version: chosen,
    serverInfo: serverInfoOf(result),
    capabilities: result.capabilities ?? {},
    instructions: result.instructions,
  };
}

async function initialize(
  peer: JsonRpcPeer,
  { identity, signal }: OpeningOptions,
): Promise<Opening> {
  const params = { ...initializeParams(identity) };
  const result = await peer.request<InitializeResult>(INITIALIZE, params, {
    signal,
  });
  if (!LEGACY_VERSIONS.includes(result.protocolVersion)) {
    throw versionError(result.protocolVersion, LEGACY_VERSIONS);
  }
  await peer.notify(INITIALIZED);
  return {
    era: "legacy",
    version: result.protocolVersion,
    serverInfo: result.serverInfo,
    capabilities: result.capabilities ?? {},
    instructions: result.instructions,
  };
}

function versionError(theirs: unknown, ours: readonly string[]): MCPError {
  const text = `Cannot open conversation: the server speaks ${JSON.stringify(theirs)}, ` +
    `this client ${JSON.stringify(ours)}`;
  return new MCPError("protocol", text);
}
