import { MCPRpcError } from "../protocol/errors.ts";
import { ERROR_CODES, isObject } from "../protocol/jsonrpc.ts";
import type { Capabilities, SubscriptionFilter } from "../protocol/mcp_types.ts";

/** The lists of a server that may change. */
export type ListName = "tools" | "resources" | "prompts";

const MEMBER_OF_LIST = {
  tools: "toolsListChanged",
  resources: "resourcesListChanged",
  prompts: "promptsListChanged",
} as const;

/** All lists. */
export const LISTS: readonly ListName[] = ["tools", "resources", "prompts"];

/** Whether a server says that it tells of changes of a list, or of its resources. */
export function isDeclared(
  capabilities: Capabilities,
  group: ListName,
  member: "listChanged" | "subscribe",
): boolean {
  return capabilities[group]?.[member] === true;
}

/** Whether a filter asks for changes of a list. */
export function asksForList(filter: SubscriptionFilter, list: ListName): boolean {
  return filter[MEMBER_OF_LIST[list]] === true;
}

/**
 * The part of a filter that a server can honour.
 *
 * @param filter What the client asked for; its types are not checked yet.
 * @param capabilities What the server says it tells of.
 * @param isAllowed Whether this client may subscribe to a resource.
 * @returns What is acknowledged; each resource once.
 * @throws {MCPRpcError} If the filter is none (-32602).
 */
export function honour(
  filter: SubscriptionFilter,
  capabilities: Capabilities,
  isAllowed: (uri: string) => boolean,
): SubscriptionFilter {
  const honoured: SubscriptionFilter = {};
  for (const list of LISTS) {
    if (!asksForList(filter, list) || !isDeclared(capabilities, list, "listChanged")) continue;
    honoured[MEMBER_OF_LIST[list]] = true;
  }
  const asked = checkUris(filter);
  if (!isDeclared(capabilities, "resources", "subscribe")) return honoured;
  const uris = [...new Set(asked)].filter(isAllowed);
  if (uris.length > 0) honoured.resourceSubscriptions = uris;
  return honoured;
}

function checkUris(filter: SubscriptionFilter): readonly string[] {
  const uris: unknown = isObject(filter) ? filter.resourceSubscriptions : undefined;
  if (uris === undefined) return [];
  if (Array.isArray(uris) && uris.every((uri) => typeof uri === "string")) return uris;
  throw new MCPRpcError(
    ERROR_CODES.INVALID_PARAMS,
    'Member "notifications.resourceSubscriptions" must be a list of URIs',
  );
}
