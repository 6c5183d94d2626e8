/**
 * Everything that depends on the revision of MCP. Revisions up to 2025-11-25
 * ("legacy") open with `initialize`; from 2026-07-28 on ("modern") every
 * request says its revision in `_meta` and the connection means nothing.
 *
 * @module
 */

import { MCPRpcError } from "./errors.ts";
import {
  ERROR_CODES,
  isObject,
  type JsonRpcNotification,
  type JsonRpcParams,
  type RequestId,
} from "./jsonrpc.ts";
import type {
  Capabilities,
  Implementation,
  InitializeParams,
  InitializeResult,
} from "./mcp_types.ts";

/** The two families of revisions. */
export type Era = "legacy" | "modern";

/** The legacy revisions spoken here, the newest first. */
export const LEGACY_VERSIONS: readonly string[] = [
  "2025-11-25",
  "2025-06-18",
  "2025-03-26",
  "2024-11-05",
];

/** The modern revisions spoken here, the newest first. */
export const MODERN_VERSIONS: readonly string[] = ["2026-07-28"];

/** The only revision with JSON-RPC batches: the next one has removed them. */
export const BATCH_VERSION = "2025-03-26";

/** The notification that asks the peer to stop working on a request. */
export const CANCELLED = "notifications/cancelled";
/** The notification that tells how far a request has come. */
export const PROGRESS = "notifications/progress";
/** The request that opens a legacy session. */
export const INITIALIZE = "initialize";
/** The notification that completes the opening. */
export const INITIALIZED = "notifications/initialized";
/** The legacy request that any living peer answers. */
export const PING = "ping";
/** The request of this protocol's own with which a client shows a token in a message. */
export const AUTHENTICATE = "authenticate";
/** The modern request that tells who the server is. */
export const DISCOVER = "server/discover";
/** The modern request that stays open and carries subscriptions. */
export const LISTEN = "subscriptions/listen";
/** The first notification of a modern subscription. */
export const SUBSCRIPTIONS_ACKNOWLEDGED = "notifications/subscriptions/acknowledged";
/** The notification that a resource has changed. */
export const RESOURCE_UPDATED = "notifications/resources/updated";
/** The legacy request that starts a subscription. */
export const SUBSCRIBE = "resources/subscribe";
/** The legacy request that ends a subscription. */
export const UNSUBSCRIBE = "resources/unsubscribe";
/** The legacy request that sets the level of log messages. */
export const SET_LEVEL = "logging/setLevel";
/** The request that lists tools and what is safe about them. */
export const LIST_TOOLS = "tools/list";
/** The request that calls a tool. */
export const CALL_TOOL = "tools/call";

const META_PREFIX = "io.modelcontextprotocol/";
const META_VERSION = `${META_PREFIX}protocolVersion`;
const META_CAPABILITIES = `${META_PREFIX}clientCapabilities`;
const META_CLIENT = `${META_PREFIX}clientInfo`;
const META_SERVER = `${META_PREFIX}serverInfo`;
/** The member of `_meta` that names the modern subscription a notification belongs to. */
export const SUBSCRIPTION_ID: string = `${META_PREFIX}subscriptionId`;

/** Methods whose modern results have to say how long and by whom they may be kept. */
const CACHEABLE_METHODS: ReadonlySet<string> = new Set([
  DISCOVER,
  LIST_TOOLS,
  "prompts/list",
  "resources/list",
  "resources/templates/list",
  "resources/read",
]);

/** Who this end is and what it can do. */
export interface Identity {
  /** Name and version. */
  readonly info: Implementation;
  /** What it can do. */
  readonly capabilities: Capabilities;
}

/** Methods that may be sent again without harm: they only read, or say who is there. */
const SAFE_METHODS: ReadonlySet<string> = new Set([
  INITIALIZE,
  PING,
  DISCOVER,
  LIST_TOOLS,
  LISTEN,
  "resources/list",
  "resources/templates/list",
  "resources/read",
  "prompts/list",
  "prompts/get",
  "completion/complete",
  "roots/list",
  "tasks/list",
  "tasks/get",
]);

/**
 * Whether a request may be sent again although it may have been acted on.
 *
 * @param method The request's method.
 * @param params Its parameters.
 * @param safeTools The tools that say of themselves that repeating does no harm.
 */
export function isSafeToRepeat(
  method: string,
  params: JsonRpcParams | undefined,
  safeTools: ReadonlySet<string>,
): boolean {
  if (method !== CALL_TOOL) return SAFE_METHODS.has(method);
  return typeof params?.name === "string" && safeTools.has(params.name);
}

/** A tool of a `tools/list` result, with whether calling it twice does no harm. */
export interface ToolSafety {
  /** The tool. */
  readonly name: string;
  /** Whether it is read-only or idempotent, as it says itself. */
  readonly safe: boolean;
}

/** What the result of `tools/list` says about repeating calls; empty if it is none. */
export function listToolSafety(result: JsonRpcParams): ToolSafety[] {
  if (!Array.isArray(result.tools)) return [];
  return result.tools.filter(isObject).flatMap((tool) => {
    if (typeof tool.name !== "string") return [];
    const hints = isObject(tool.annotations) ? tool.annotations : {};
    const safe = hints.readOnlyHint === true || hints.idempotentHint === true;
    return [{ name: tool.name, safe }];
  });
}

/** The notification that cancels a request. */
export function cancelNotification(
  requestId: RequestId,
  reason: string,
): JsonRpcNotification {
  return { jsonrpc: "2.0", method: CANCELLED, params: { requestId, reason } };
}

/** Parameters of `initialize`. */
export function initializeParams(
  identity: Identity,
  version?: string,
): InitializeParams {
  return {
    protocolVersion: version ?? LEGACY_VERSIONS[0] ?? "",
    capabilities: identity.capabilities,
    clientInfo: identity.info,
  };
}

/**
 * What a server answers to `initialize`.
 *
 * @param params The client's parameters.
 * @param identity Who the server is.
 * @param instructions How to use the server.
 * @throws {MCPRpcError} If the parameters are not those of `initialize`.
 */
export function initializeResult(
  params: JsonRpcParams,
  identity: Identity,
  instructions?: string,
): InitializeResult {
  const { protocolVersion } = params;
  if (typeof protocolVersion !== "string" || !isObject(params.capabilities)) {
    throw new MCPRpcError(
      ERROR_CODES.INVALID_PARAMS,
      'Members "protocolVersion" and "capabilities" are required',
    );
  }
  return {
    protocolVersion: LEGACY_VERSIONS.includes(protocolVersion)
      ? protocolVersion
      : LEGACY_VERSIONS[0] ?? "",
    capabilities: identity.capabilities,
    serverInfo: identity.info,
    ...(instructions === undefined ? {} : { instructions }),
  };
}

/**
 * Why a session opened again is not the one that was lost.
 *
 * @param before The result of the first `initialize`.
 * @param after The result of the one that was replayed.
 * @returns The reason, or `undefined` if the client can go on.
 */
export function findReopenFault(
  before: JsonRpcParams,
  after: JsonRpcParams,
): string | undefined {
  if (after.protocolVersion !== before.protocolVersion) {
    return `the server now speaks "${after.protocolVersion}" instead of "${before.protocolVersion}"`;
  }
  const had = isObject(before.capabilities) ? before.capabilities : {};
  const has = isObject(after.capabilities) ? after.capabilities : {};
  const missing = Object.keys(had).filter((name) => !Object.hasOwn(has, name));
  return missing.length === 0 ? undefined : `the server no longer offers "${missing.join(", ")}"`;
}

/** The revision a request says it is of, or `undefined` for a legacy one. */
export function requestVersion(
  params: JsonRpcParams | undefined,
): string | undefined {
  const meta = params?._meta;
  const version = isObject(meta) ? meta[META_VERSION] : undefined;
  return typeof version === "string" ? version : undefined;
}

/** The parameters with the `_meta` that every modern request carries. */
export function stampRequest(
  params: JsonRpcParams | undefined,
  identity: Identity,
  version: string,
): JsonRpcParams {
  const meta = isObject(params?._meta) ? params._meta : {};
  return {
    ...params,
    _meta: {
      [META_VERSION]: version,
      [META_CAPABILITIES]: identity.capabilities,
      [META_CLIENT]: identity.info,
      ...meta,
    },
  };
}

/**
 * Checks the `_meta` of a modern request.
 *
 * @throws {MCPRpcError} If the revision is not spoken here (-32022) or a field is missing (-32602).
 */
export function checkModernRequest(params: JsonRpcParams | undefined): void {
  const requested = requestVersion(params);
  const meta = isObject(params?._meta) ? params._meta : {};
  if (requested === undefined) {
    throw new MCPRpcError(
      ERROR_CODES.INVALID_PARAMS,
      `Member "_meta" must hold "${META_VERSION}"`,
    );
  }
  if (!MODERN_VERSIONS.includes(requested)) {
    throw new MCPRpcError(
      ERROR_CODES.UNSUPPORTED_PROTOCOL_VERSION,
      `Unsupported protocol version "${requested}"`,
      { data: { supported: [...MODERN_VERSIONS], requested } },
    );
  }
  if (!isObject(meta[META_CAPABILITIES])) {
    throw new MCPRpcError(
      ERROR_CODES.INVALID_PARAMS,
      `Member "_meta" must hold "${META_CAPABILITIES}"`,
    );
  }
}

/**
 * What a modern server answers with: the result, complete, and signed.
 *
 * @param result What the handler returned; what it says itself is kept.
 * @param identity Who the server is.
 * @param method What is answered. Where clients insist on being told, the
 * result says that it must not be kept.
 * @default {""} method
 */
export function stampResult(
  result: JsonRpcParams,
  identity: Identity,
  method = "",
): JsonRpcParams {
  const meta = isObject(result._meta) ? result._meta : {};
  const { resultType = "complete" } = result;
  const isCacheable = resultType === "complete" && CACHEABLE_METHODS.has(method);
  return {
    resultType,
    ...(isCacheable ? { ttlMs: 0, cacheScope: "private" } : {}),
    ...result,
    _meta: { [META_SERVER]: identity.info, ...meta },
  };
}

/** What a server answers to `server/discover`. */
export function discoverResult(
  identity: Identity,
  instructions?: string,
): JsonRpcParams {
  return {
    supportedVersions: [...MODERN_VERSIONS],
    capabilities: identity.capabilities,
    ttlMs: 0,
    cacheScope: "private",
    ...(instructions === undefined ? {} : { instructions }),
  };
}

/** Who a modern server says it is, if it does. */
export function serverInfoOf(
  result: JsonRpcParams,
): Implementation | undefined {
  const info = isObject(result._meta) ? result._meta[META_SERVER] : undefined;
  if (
    !isObject(info) || typeof info.name !== "string" ||
    typeof info.version !== "string"
  ) {
    return undefined;
  }
  return { ...info, name: info.name, version: info.version };
}

/**
 * The modern revision to speak with a server, from its list.
 *
 * @param supported What the server says it speaks.
 * @returns The newest one spoken by both, `undefined` if there is none.
 */
export function chooseModernVersion(supported: unknown): string | undefined {
  if (!Array.isArray(supported)) return undefined;
  return MODERN_VERSIONS.find((version) => supported.includes(version));
}

/**
 * What a failed `server/discover` says about the server's era: only the error
 * that lists modern revisions is a modern server's.
 */
export function probeErrorVersion(error: unknown): string | undefined {
  if (!(error instanceof MCPRpcError)) return undefined;
  if (error.code !== ERROR_CODES.UNSUPPORTED_PROTOCOL_VERSION) return undefined;
  return isObject(error.data) ? chooseModernVersion(error.data.supported) : undefined;
}
