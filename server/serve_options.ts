import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { MCPError, toError } from "../protocol/errors.ts";
import { resolveStartOptions } from "./address.ts";
import { splitCommand } from "./command_line.ts";
import type { OperationsOptions } from "./operations.ts";
import { isHost } from "./host_check.ts";
import { isOrigin } from "./origin.ts";
import { MAX_CHILDREN } from "./serve_help.ts";

/** What is served. */
export type ServeTarget =
  | { readonly type: "demo" }
  | { readonly type: "stdio"; readonly command: readonly string[] }
  | { readonly type: "module"; readonly specifier: string };

/** Where and to whom it is served. */
export interface ServeOptions {
  /** The name or address of the interface. */
  readonly hostname: string;
  /** The port; 0 takes any that is free. */
  readonly port: number;
  /** The path, if it was given. */
  readonly path: string | undefined;
  /** The file of the certificate chain. */
  readonly cert: string | undefined;
  /** The file of the private key. */
  readonly key: string | undefined;
  /** How many connections there may be, if it was given. */
  readonly maxConnections: number | undefined;
  /** Which web pages may connect, if it was given. */
  readonly allowedOrigins: readonly string[] | undefined;
  /** Under which hosts it may be reached, if it was given. */
  readonly allowedHosts: readonly string[] | undefined;
  /** Whether clients need the token. */
  readonly needsToken: boolean;
  /** Whether everybody who can reach it may use it. */
  readonly allowStrangers: boolean;
  /** Whether a guard stands before the listener. */
  readonly isGuarded: boolean;
  /** What is answered besides. */
  readonly operations: OperationsOptions;
  /** Whether details are logged. */
  readonly verbose: boolean;
}

/** What the arguments ask for. */
export type ServeCommand =
  | { readonly type: "help" }
  | { readonly type: "version" }
  | { readonly type: "invalid"; readonly reason: string }
  | { readonly type: "serve"; readonly target: ServeTarget; readonly options: ServeOptions };

const OPTIONS = {
  "stdio": { type: "string" },
  "module": { type: "string" },
  "host": { type: "string", default: "127.0.0.1" },
  "port": { type: "string", default: "8787" },
  "path": { type: "string" },
  "cert": { type: "string" },
  "key": { type: "string" },
  "max-connections": { type: "string" },
  "allow-origin": { type: "string", multiple: true },
  "allow-host": { type: "string", multiple: true },
  "auth": { type: "boolean", default: false },
  "allow-strangers": { type: "boolean", default: false },
  "guard": { type: "boolean", default: false },
  "metrics": { type: "boolean", default: false },
  "public-metrics": { type: "boolean", default: false },
  "verbose": { type: "boolean", default: false },
  "help": { type: "boolean", short: "h", default: false },
  "version": { type: "boolean", default: false },
} as const;

/** Where the metrics are, if they are asked for. */
const METRICS_PATH = "/metrics";
/** Paths that clients cannot connect to. */
const OPERATIONS_PATHS = ["/healthz", "/readyz", METRICS_PATH];

/** More than one letter: `c:` is a drive. */
const URL_REGEXP = /^[a-z]{2,}:/i;

/**
 * Reads the arguments of the command that serves.
 *
 * @param args The arguments.
 * @returns What they ask for.
 */
export function parseServeArgs(args: readonly string[]): ServeCommand {
  try {
    const { values, tokens } = parseArgs({
      args: [...args],
      options: OPTIONS,
      allowPositionals: true,
      tokens: true,
    });
    if (values.help) return { type: "help" };
    if (values.version) return { type: "version" };
    const end = tokens.find(({ kind }) => kind === "option-terminator")?.index;
    const command = end === undefined ? undefined : args.slice(end + 1);
    const stray = tokens.find(({ kind, index }) =>
      kind === "positional" && index < (end ?? args.length)
    );
    if (stray !== undefined) return invalid(`Unexpected argument "${args[stray.index]}"`);
    return serveCommand(values, command);
  } catch (thrown) {
    return invalid(faultOf(thrown));
  }
}

type Values = ReturnType<typeof parseArgs<{ options: typeof OPTIONS }>>["values"];

function serveCommand(values: Values, command: readonly string[] | undefined): ServeCommand {
  const target = targetOf(values, command);
  const children = target.type === "stdio" ? MAX_CHILDREN : undefined;
  const options: ServeOptions = {
    hostname: values.host,
    port: readCount("port", values.port, 0, 65_535),
    path: values.path,
    cert: values.cert,
    key: values.key,
    maxConnections: values["max-connections"] === undefined
      ? children
      : readCount("max-connections", values["max-connections"], 1, 1_000_000),
    allowedOrigins: values["allow-origin"],
    allowedHosts: values["allow-host"],
    needsToken: values.auth,
    allowStrangers: values["allow-strangers"],
    isGuarded: values.guard,
    operations: operationsOf(values),
    verbose: values.verbose,
  };
  checkServing(options);
  return { type: "serve", target, options };
}

/** Whether it lives is no secret: whoever watches the server may be on another machine. */
function operationsOf(values: Values): OperationsOptions {
  if (values["public-metrics"]) return { metrics: METRICS_PATH, mayRead: everybody };
  return { metrics: values.metrics && METRICS_PATH };
}

/** Reads the metrics, if they are public. */
export function everybody(): boolean {
  return true;
}

function checkServing(options: ServeOptions): void {
  const { path = "/", cert, key, allowedOrigins = [], allowedHosts = [] } = options;
  if (URL.parse(path, "http://host")?.pathname !== path) {
    throw new SyntaxError(`--path must be a path that starts with "/", not "${path}"`);
  }
  if (OPERATIONS_PATHS.includes(path)) {
    throw new SyntaxError(`--path must not be "${path}": something else is answered there`);
  }
  if ((cert === undefined) !== (key === undefined)) {
    throw new SyntaxError("--cert and --key need each other");
  }
  const stray = allowedOrigins.find((origin) => !isOrigin(origin));
  if (stray !== undefined) {
    throw new SyntaxError(
      `--allow-origin must be an origin such as "https://app.example.com", not "${stray}"`,
    );
  }
  const unknown = allowedHosts.find((host) => !isHost(host));
  if (unknown !== undefined) {
    throw new SyntaxError(
      `--allow-host must be a host such as "mcp.example.com", not "${unknown}"`,
    );
  }
  // It throws if strangers could reach the host.
  resolveStartOptions(options, options.needsToken);
}

function targetOf(
  { stdio, module }: Values,
  command: readonly string[] | undefined,
): ServeTarget {
  const given = [stdio, module, command].filter((value) => value !== undefined);
  if (given.length > 1) {
    throw new SyntaxError("--stdio, --module and a command after -- exclude each other");
  }
  if (stdio !== undefined) return { type: "stdio", command: splitCommand(stdio) };
  if (module !== undefined) return { type: "module", specifier: moduleUrl(module) };
  if (command === undefined) return { type: "demo" };
  if (command[0]) return { type: "stdio", command };
  throw new SyntaxError("A command must follow --");
}

/** A path of a file is relative to the working directory. */
function moduleUrl(module: string): string {
  return URL_REGEXP.test(module) ? module : pathToFileURL(module).href;
}

function readCount(name: string, text: string, min: number, max: number): number {
  const value = /^\d+$/.test(text) ? Number(text) : NaN;
  if (value >= min && value <= max) return value;
  throw new RangeError(`--${name} must be a number from ${min} to ${max}, not "${text}"`);
}

function invalid(reason: string): ServeCommand {
  return { type: "invalid", reason };
}

function faultOf(thrown: unknown): string {
  if (thrown instanceof MCPError && thrown.kind === "policy") {
    return "This host lets everybody who can reach it use the server: " +
      "add --auth to ask for a token, --allow-strangers if they may, or leave --host out";
  }
  const { message } = toError(thrown);
  // Node's hints on quoting take several sentences.
  return message.split(/\. |\.?\n/, 1)[0] ?? message;
}
