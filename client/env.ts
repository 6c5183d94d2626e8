import { readVariable } from "./runtime.ts";

/** What the environment says about the connection to make. */
export interface ClientEnvironment {
  /** `MCP_SERVER_URL`: where to. */
  readonly url: string | undefined;
  /** `MCP_API_KEY`: the bearer token. A secret. */
  readonly token: string | undefined;
  /**
   * `ENABLE_MCP_INTEGRATION`: whether to connect at all; `false`, `0`, `no` and
   * `off` say no.
   */
  readonly isEnabled: boolean;
  /** `DENO_ENV` or `NODE_ENV`: `production` only if one of them says so. */
  readonly mode: "production" | "development";
}

const NO: ReadonlySet<string> = new Set(["false", "0", "no", "off"]);

/**
 * Reads the environment. What may not be read counts as absent.
 *
 * @example Connect where the environment says
 * ```ts
 * import { MCPWebSocketClient, readEnvironment } from "@bowline/mcp-websocket/client";
 *
 * const { url, token, isEnabled } = readEnvironment();
 * if (isEnabled && url !== undefined) {
 *   await using client = new MCPWebSocketClient(url, { token });
 *   await client.connect();
 * }
 * ```
 *
 * @param read How to read one variable.
 * @returns What it says; an empty variable counts as absent.
 */
export function readEnvironment(
  read: (name: string) => string | undefined = readVariable,
): ClientEnvironment {
  const value = (name: string) => read(name)?.trim() || undefined;
  const mode = value("DENO_ENV") ?? value("NODE_ENV");
  return {
    url: value("MCP_SERVER_URL"),
    token: value("MCP_API_KEY"),
    isEnabled: !NO.has(
      value("ENABLE_MCP_INTEGRATION")?.toLowerCase() ?? "true",
    ),
    mode: mode === "production" ? "production" : "development",
  };
}
