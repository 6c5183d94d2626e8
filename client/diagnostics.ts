import { checkTime, resolveOptions } from "./resolved_options.ts";
import type { MCPWebSocketClientOptions } from "./client_options.ts";
import { Examination } from "./diagnostics/examination.ts";
import type { DiagnosticStep } from "./diagnostics/step.ts";

export type { DiagnosticName, DiagnosticStatus, DiagnosticStep } from "./diagnostics/step.ts";

/** Options of {@linkcode diagnose}; what is not here makes no difference to a diagnosis. */
export interface DiagnoseOptions extends
  Pick<
    MCPWebSocketClientOptions,
    | "headers"
    | "token"
    | "protocols"
    | "require"
    | "httpClient"
    | "urlPolicy"
    | "clientInfo"
    | "capabilities"
    | "era"
    | "clock"
  > {
  /**
   * How long each wait may take, in milliseconds.
   *
   * @default {5_000}
   */
  readonly timeout?: number | undefined;
  /** Gives up; whoever waits for the next step gets the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Finds out why a server cannot be reached, or that it can: from the URL to the
 * answer to a request, step by step. What fails is told in the step it fails in,
 * with what to do about it; the steps after it are skipped.
 *
 * All steps come, in the order of {@linkcode DiagnosticName}. Nothing is tried
 * twice, nothing stays open, and nothing is asked for that could change
 * something at the server. Steps below the WebSocket need sockets, which
 * browsers do not have: there, and behind proxies, they are a part of `upgrade`.
 *
 * @example See what a client would see
 * ```ts
 * import { diagnose } from "@bowline/mcp-websocket/client";
 * import { MCPWebSocketServer } from "@bowline/mcp-websocket/server";
 * import { assertEquals } from "@std/assert";
 *
 * await using server = new MCPWebSocketServer({ name: "example", version: "1.0.0" });
 * server.handle("tools/list", () => ({ tools: [] }));
 * const { url } = await server.start({ port: 0 });
 *
 * const steps = await Array.fromAsync(diagnose(url));
 * assertEquals(steps.filter(({ status }) => status === "failed"), []);
 *
 * for await (const { name, status, hint } of diagnose(url.replace("/mcp", "/elsewhere"))) {
 *   if (status === "failed") assertEquals([name, hint?.startsWith("Check the path")], ["upgrade", true]);
 * }
 * ```
 *
 * @param url Where to, `ws:` or `wss:`.
 * @param options Credentials, bounds, a signal.
 * @returns The steps, each as soon as it was taken. Leaving the loop ends it.
 * @throws {RangeError} If `timeout` is no time.
 * @throws {TypeError} If an option has the wrong type or shape.
 */
export function diagnose(
  url: string | URL,
  options: DiagnoseOptions = {},
): AsyncIterable<DiagnosticStep> {
  const { timeout = 5_000, signal = new AbortController().signal } = options;
  const { clientInfo, capabilities = {}, era = "auto" } = options;
  checkTime("timeout", timeout);
  const { headers, token, protocols, require, httpClient, urlPolicy, clock } = options;
  const examination = new Examination(url, {
    resolved: resolveOptions({
      headers,
      token,
      protocols,
      require,
      httpClient,
      urlPolicy,
      clock,
      connectTimeout: timeout,
      heartbeat: false,
    }),
    opening: {
      identity: { info: clientInfo ?? { name: "bowline", version: "0.1.0" }, capabilities },
      era,
    },
    signal,
  });
  return examination.run();
}
