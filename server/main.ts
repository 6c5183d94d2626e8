// deno-lint-ignore-file no-console -- this file is the command
/**
 * The command that serves MCP over WebSocket: a demo server, any stdio MCP
 * server, or a module.
 *
 * ```sh
 * deno run --allow-net=127.0.0.1:8787 jsr:@bowline/mcp-websocket/serve
 * deno run -A jsr:@bowline/mcp-websocket/serve --stdio "npx -y @modelcontextprotocol/server-everything"
 * deno run -A jsr:@bowline/mcp-websocket/serve --help
 * ```
 *
 * @module
 */

import { ConsoleHandler } from "@std/log/console-handler";
import { getLogger } from "@std/log/get-logger";
import { setup } from "@std/log/setup";
import config from "../deno.json" with { type: "json" };
import { CLOSE_CODES } from "../protocol/close_codes.ts";
import { startGuard } from "../guard/guard.ts";
import { MCPError, toError } from "../protocol/errors.ts";
import type { Logger } from "../protocol/transport.ts";
import { SERVE_HELP } from "./serve_help.ts";
import { parseServeArgs, type ServeOptions, type ServeTarget } from "./serve_options.ts";
import { createService, type Service, type ServiceStartOptions } from "./service.ts";
import type { ShutdownOptions } from "./shutdown.ts";

/** How each signal ends the server. Windows has no SIGTERM to listen to. */
const SHUTDOWNS: ReadonlyMap<Deno.Signal, ShutdownOptions> = new Map<Deno.Signal, ShutdownOptions>([
  ["SIGINT", { code: CLOSE_CODES.GOING_AWAY, reason: "Server is shutting down" }],
  Deno.build.os === "windows"
    ? ["SIGBREAK", { code: CLOSE_CODES.GOING_AWAY, reason: "Server is shutting down" }]
    : ["SIGTERM", { code: CLOSE_CODES.RESTARTING, reason: "Server is restarting" }],
]);

/** Where the token is that clients have to show. */
const TOKEN_VARIABLE = "MCP_API_KEY";

/** Writes the log to the standard error: the standard output has the address. */
class StderrHandler extends ConsoleHandler {
  override log(text: string): void {
    console.error(text);
  }
}

async function main(args: readonly string[]): Promise<number> {
  const command = parseServeArgs(args);
  switch (command.type) {
    case "help":
      console.log(SERVE_HELP);
      return 0;
    case "version":
      console.log(config.version);
      return 0;
    case "invalid":
      console.error(`serve: ${command.reason}. Try --help`);
      return 2;
    case "serve":
      return await serve(command.target, command.options);
  }
}

async function serve(target: ServeTarget, options: ServeOptions): Promise<number> {
  try {
    const logger = setUpLog(options.verbose);
    const token = options.needsToken ? await readToken() : undefined;
    const service = await createService(target, options, logger, config.version, token);
    const { cert, key } = await readCertificate(options);
    const listen = options.isGuarded ? guardedBy(logger) : undefined;
    const { url } = await service.start({ ...options, cert, key, listen });
    const shutdown = awaitSignal(service);
    console.log(`Listening on ${url}`);
    await service.stop(await shutdown);
    return 0;
  } catch (thrown) {
    console.error(`serve: ${toError(thrown).message}`);
    return 1;
  }
}

function setUpLog(verbose: boolean): Logger {
  const level = verbose ? "DEBUG" : "INFO";
  const handler = new StderrHandler(level, {
    formatter: ({ datetime, levelName, msg }) => `${datetime.toISOString()} ${levelName} ${msg}`,
    useColors: Deno.stderr.isTerminal(),
  });
  setup({ handlers: { handler }, loggers: { serve: { level, handlers: ["handler"] } } });
  return getLogger("serve");
}

/** From the environment: every program on this machine can read arguments. */
async function readToken(): Promise<string> {
  const { state } = await Deno.permissions.request({ name: "env", variable: TOKEN_VARIABLE });
  const token = state === "granted" ? Deno.env.get(TOKEN_VARIABLE) : undefined;
  if (token) {
    // Whatever is served needs it least of all.
    Deno.env.delete(TOKEN_VARIABLE);
    return token;
  }
  throw new MCPError("policy", `--auth needs a token in the environment: set ${TOKEN_VARIABLE}`);
}

function guardedBy(logger: Logger): ServiceStartOptions["listen"] {
  return (fetch, where) => startGuard({ ...where, logger }, fetch);
}

async function readCertificate(
  { cert, key }: ServeOptions,
): Promise<{ cert: string | undefined; key: string | undefined }> {
  return { cert: await readFile("cert", cert), key: await readFile("key", key) };
}

async function readFile(option: string, path: string | undefined): Promise<string | undefined> {
  if (path === undefined) return undefined;
  try {
    return await Deno.readTextFile(path);
  } catch (cause) {
    const text = `Cannot read the file of --${option}: ${toError(cause).message}`;
    throw new MCPError("policy", text, { cause });
  }
}

/** Resolves at the first signal; the second one ends the process at once. */
function awaitSignal(service: Service): Promise<ShutdownOptions> {
  return new Promise((resolve) => {
    let isStopping = false;
    for (const [signal, shutdown] of SHUTDOWNS) {
      Deno.addSignalListener(signal, () => {
        if (isStopping) {
          service.kill?.();
          Deno.exit(1);
        }
        isStopping = true;
        resolve(shutdown);
      });
    }
  });
}

// Sockets whose peers are silent stay open for ever: nothing but this ends the process.
if (import.meta.main) Deno.exit(await main(Deno.args));
