import type { Capabilities, Implementation } from "../protocol/mcp_types.ts";
import type { MaySubscribe } from "./subscriptions.ts";
import { checkPositive, type WebSocketHandlerOptions } from "./options.ts";

/** Options of {@linkcode MCPWebSocketServer}. */
export interface MCPWebSocketServerOptions extends WebSocketHandlerOptions {
  /** The server's name, for programs. */
  name: string;
  /** Its version. */
  version: string;
  /** Its name, for people. */
  title?: string | undefined;
  /** What it can do. By default, what its handlers say: `tools` for `tools/list`, and so on. */
  capabilities?: Capabilities | undefined;
  /** How to use it, for models. */
  instructions?: string | undefined;
  /**
   * Decides whether a client may subscribe to a resource, in both eras; without
   * it, every client may to every URI. What it throws fails the request. It is
   * not asked where a handler of `resources/subscribe` or `subscriptions/listen`
   * answers instead.
   */
  maySubscribe?: MaySubscribe | undefined;
  /**
   * Time without progress that a request to a client may take, in milliseconds.
   *
   * @default {60_000}
   */
  requestTimeout?: number | undefined;
  /**
   * Time that a request to a client may take in all, in milliseconds.
   *
   * @default {600_000}
   */
  maxRequestTimeout?: number | undefined;
}

/**
 * Checks what {@linkcode MCPWebSocketServer} adds to the options of its handler.
 *
 * @param options What the caller asked for.
 * @returns Who the server is.
 * @throws {TypeError} If it has no name or version.
 * @throws {RangeError} If a number is out of range.
 */
export function checkServerOptions(options: MCPWebSocketServerOptions): Implementation {
  const { name, version, title } = options;
  for (const [option, value] of Object.entries({ name, version })) {
    if (typeof value === "string" && value !== "") continue;
    throw new TypeError(
      `Cannot create server as "${option}" must be a text: current value is ${
        JSON.stringify(value)
      }`,
    );
  }
  checkPositive("requestTimeout", options.requestTimeout);
  checkPositive("maxRequestTimeout", options.maxRequestTimeout);
  return { name, version, ...(title === undefined ? {} : { title }) };
}
