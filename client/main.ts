// deno-lint-ignore-file no-console -- this file is the command
/**
 * The commands of the client side.
 *
 * ```sh
 * deno run --allow-net=127.0.0.1:8787 jsr:@bowline/mcp-websocket/cli bridge ws://127.0.0.1:8787/mcp
 * deno run -A jsr:@bowline/mcp-websocket/cli --help
 * ```
 *
 * @module
 */

import { ConsoleHandler } from "@std/log/console-handler";
import { getLogger } from "@std/log/get-logger";
import { setup } from "@std/log/setup";
import config from "../deno.json" with { type: "json" };
import { MCPConnectionError, toError } from "../protocol/errors.ts";
import type { Logger } from "../protocol/transport.ts";
import { bridge, BRIDGE_RECONNECT } from "./bridge.ts";
import { BRIDGE_HELP, type BridgeCommand, parseBridgeArgs } from "./bridge_options.ts";
import { examineAndReport } from "./doctor.ts";
import { DOCTOR_HELP, type DoctorCommand, parseDoctorArgs } from "./doctor_options.ts";
import { WebSocketClientTransport } from "./transport.ts";

/** One command. */
interface Command {
  /** What it does, for `--help`. */
  readonly summary: string;
  /** Runs it with the arguments after its name; returns the exit status. */
  run(args: readonly string[]): Promise<number>;
}

/** Holds the bearer token: arguments can be seen by others on this machine. */
const TOKEN_VARIABLE = "MCP_API_KEY";

const COMMANDS: ReadonlyMap<string, Command> = new Map([
  ["bridge", { summary: "Lets a host that speaks stdio use a WebSocket server", run: runBridge }],
  ["doctor", { summary: "Finds out why a server cannot be reached", run: runDoctor }],
]);

/** Writes the log to the standard error: the standard output belongs to the host. */
class StderrHandler extends ConsoleHandler {
  override log(text: string): void {
    console.error(text);
  }
}

async function main(args: readonly string[]): Promise<number> {
  const [name = "", ...rest] = args;
  const command = COMMANDS.get(name);
  if (command !== undefined) return await command.run(rest);
  if (name === "--help" || name === "-h") {
    console.log(help());
    return 0;
  }
  if (name === "--version") {
    console.log(config.version);
    return 0;
  }
  const reason = name === "" ? "A command is missing" : `Unknown command "${name}"`;
  return refuse("cli", reason);
}

function help(): string {
  const lines = Array.from(COMMANDS, ([name, { summary }]) => `  ${name.padEnd(10)}${summary}`);
  return `Uses MCP servers over WebSocket.

Usage:
  cli <command> [options]

where "cli" stands for: deno run -A jsr:@bowline/mcp-websocket/cli

Commands:
${lines.join("\n")}

Options:
  --help    Print this, or after a command, its options.
  --version Print the version.
`;
}

async function runBridge(args: readonly string[]): Promise<number> {
  const command = parseBridgeArgs(args);
  switch (command.type) {
    case "help":
      console.log(BRIDGE_HELP);
      return 0;
    case "invalid":
      return refuse("bridge", command.reason);
    case "bridge":
      return await carry(command, setUpLog(command.verbose));
  }
}

async function carry(
  { url, headers, urlPolicy }: Extract<BridgeCommand, { type: "bridge" }>,
  logger: Logger,
): Promise<number> {
  const token = readToken();
  try {
    const transport = new WebSocketClientTransport(url, {
      headers,
      token,
      urlPolicy,
      logger,
      reconnect: BRIDGE_RECONNECT,
    });
    const { readable: input } = Deno.stdin;
    const { writable: output } = Deno.stdout;
    await bridge(transport, { input, output, logger, signal: interruption() });
    return 0;
  } catch (thrown) {
    const error = toError(thrown);
    const isLockedOut = error instanceof MCPConnectionError && error.status === 401;
    const hint = isLockedOut && token === undefined
      ? ". Set MCP_API_KEY, and run with --allow-env=MCP_API_KEY"
      : "";
    console.error(`bridge: ${error.message}${hint}`);
    return 1;
  }
}

async function runDoctor(args: readonly string[]): Promise<number> {
  const command = parseDoctorArgs(args);
  switch (command.type) {
    case "help":
      console.log(DOCTOR_HELP);
      return 0;
    case "invalid":
      return refuse("doctor", command.reason);
    case "doctor":
      return await examine(command);
  }
}

async function examine(command: Extract<DoctorCommand, { type: "doctor" }>): Promise<number> {
  const { url, tokenVariable, json, timeout } = command;
  const token = readToken(tokenVariable);
  if (token === undefined && tokenVariable !== undefined) {
    const hint = `set it, and run with --allow-env=${tokenVariable}`;
    return refuse("doctor", `Variable "${tokenVariable}" is empty or may not be read: ${hint}`);
  }
  const colors = !Deno.noColor && Deno.stdout.isTerminal();
  const write = (text: string) => console.log(text);
  return await examineAndReport(url, { token, timeout }, { json, colors }, write);
}

/** Nobody is asked for the permission: the terminal, if there is one, may be a host's. */
function readToken(variable = TOKEN_VARIABLE): string | undefined {
  const { state } = Deno.permissions.querySync({ name: "env", variable });
  const token = state === "granted" ? Deno.env.get(variable)?.trim() : undefined;
  return token === "" ? undefined : token;
}

/** Aborted when somebody ends the process. Windows has no SIGTERM to listen to. */
function interruption(): AbortSignal {
  const controller = new AbortController();
  const signals: Deno.Signal[] = Deno.build.os === "windows" ? ["SIGINT"] : ["SIGINT", "SIGTERM"];
  for (const signal of signals) {
    Deno.addSignalListener(signal, () => controller.abort());
  }
  return controller.signal;
}

function setUpLog(verbose: boolean): Logger {
  const level = verbose ? "DEBUG" : "WARN";
  const handler = new StderrHandler(level, {
    formatter: ({ datetime, levelName, msg }) => `${datetime.toISOString()} ${levelName} ${msg}`,
    useColors: Deno.stderr.isTerminal(),
  });
  setup({ handlers: { handler }, loggers: { bridge: { level, handlers: ["handler"] } } });
  return getLogger("bridge");
}

function refuse(command: string, reason: string): number {
  console.error(`${command}: ${reason}. Try --help`);
  return 2;
}

// Sockets whose peers are silent stay open for ever: nothing but this ends the process.
if (import.meta.main) Deno.exit(await main(Deno.args));
