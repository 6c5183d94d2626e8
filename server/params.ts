import { isObject, type JsonRpcParams } from "../protocol/jsonrpc.ts";
import { CALL_TOOL, LISTEN, SET_LEVEL, SUBSCRIBE, UNSUBSCRIBE } from "../protocol/mcp.ts";

/** A member that a method cannot do without. */
interface Member {
  readonly name: string;
  readonly type: "string" | "object";
}

const URI: readonly Member[] = [{ name: "uri", type: "string" }];
const NAME: readonly Member[] = [{ name: "name", type: "string" }];

/** What handlers of these methods rely on, because their types promise it. */
const REQUIRED: ReadonlyMap<string, readonly Member[]> = new Map([
  [CALL_TOOL, NAME],
  ["prompts/get", NAME],
  ["resources/read", URI],
  [SUBSCRIBE, URI],
  [UNSUBSCRIBE, URI],
  [SET_LEVEL, [{ name: "level", type: "string" }]],
  [LISTEN, [{ name: "notifications", type: "object" }]],
  ["completion/complete", [
    { name: "ref", type: "object" },
    { name: "argument", type: "object" },
  ]],
]);

/**
 * Why the parameters do not fit a method of MCP.
 *
 * @param method The method.
 * @param params What the peer sent.
 * @returns The reason, or `undefined` if they fit or the method is not MCP's.
 */
export function findParamsFault(
  method: string,
  params: JsonRpcParams,
): string | undefined {
  const missing = REQUIRED.get(method)?.find(({ name, type }) =>
    type === "string" ? typeof params[name] !== "string" : !isObject(params[name])
  );
  if (missing !== undefined) {
    const article = missing.type === "object" ? "an" : "a";
    return `Member "${missing.name}" must be ${article} ${missing.type}`;
  }
  const isCall = method === CALL_TOOL || method === "prompts/get";
  if (!isCall || params.arguments === undefined) return undefined;
  return isObject(params.arguments) ? undefined : 'Member "arguments" must be an object';
}
