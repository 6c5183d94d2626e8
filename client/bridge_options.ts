import { parseArgs } from "node:util";
import { toError } from "../protocol/errors.ts";
import { parseEndpoint } from "./endpoint.ts";
import { resolveUrlPolicy, type UrlPolicyOptions } from "./url_policy_options.ts";

/** What the arguments of `bridge` ask for. */
export type BridgeCommand =
  | { readonly type: "help" }
  | { readonly type: "invalid"; readonly reason: string }
  | {
    readonly type: "bridge";
    readonly url: string;
    readonly headers: Record<string, string>;
    readonly urlPolicy: UrlPolicyOptions;
    readonly verbose: boolean;
  };

const OPTIONS = {
  "header": { type: "string", multiple: true },
  "allow-address": { type: "string", multiple: true },
  "allow-unencrypted": { type: "boolean", default: false },
  "verbose": { type: "boolean", default: false },
  "help": { type: "boolean", short: "h", default: false },
} as const;

/** What `bridge --help` prints. */
export const BRIDGE_HELP: string = `Lets a host that speaks stdio use an MCP server over WebSocket.

Usage:
  cli bridge [options] <url>

where "cli" stands for: deno run -A jsr:@bowline/mcp-websocket/cli

Options:
  --header "<name>: <value>"  Send this header with every dial. Can be given
                              more than once. Others on this machine can see it:
                              a secret belongs into MCP_API_KEY.
  --allow-address <range>     Dial addresses of this range, and of no other that
                              is not public: "loopback", "private", or a block
                              such as 10.20.0.0/16. Can be given more than once.
  --allow-unencrypted         Let "ws:" go anywhere, also in production.
  --verbose                   Log every change of the connection.
  -h, --help                  Print this.

Environment:
  MCP_API_KEY                 Sent as bearer token.
  DENO_ENV, NODE_ENV          With "production" the stricter URL policy holds:
                              "wss:" to public addresses.

The bridge connects again after every loss, and waits for a server that starts
late, until the host closes its input. Requests whose answers were lost are sent
again if they only read, and else answered with an error. It gives up, with exit
status 1, when dialling again cannot help: a wrong path, a refused token, a
certificate. The log goes to the standard error. The exit status is 2 if the
arguments are wrong.

Least permissions of Deno, instead of -A:
  --allow-net=<host>:<port>   always
  --allow-env=MCP_API_KEY     with a token

In the configuration of a host:
  "command": "deno",
  "args": ["run", "--allow-net=127.0.0.1:8787",
           "jsr:@bowline/mcp-websocket/cli",
           "bridge", "ws://127.0.0.1:8787/mcp"]
`;

/** A name as HTTP has it, and a value without control characters. */
const HEADER_REGEXP = /^([!#$%&'*+.^_`|~0-9a-z-]+):[ \t]*([^\p{Cc}]*)$/iu;

/**
 * Reads the arguments of `bridge`.
 *
 * @param args The arguments, without the name of the command.
 * @returns What they ask for.
 */
export function parseBridgeArgs(args: readonly string[]): BridgeCommand {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      options: OPTIONS,
      allowPositionals: true,
    });
    if (values.help) return { type: "help" };
    const [url, stray] = positionals;
    if (url === undefined) return invalid("A URL is missing");
    if (stray !== undefined) return invalid(`Unexpected argument "${stray}"`);
    parseEndpoint(url);
    const headers = Object.fromEntries((values.header ?? []).map(parseHeader));
    const urlPolicy = readPolicy(values["allow-address"], values["allow-unencrypted"]);
    return { type: "bridge", url, headers, urlPolicy, verbose: values.verbose };
  } catch (thrown) {
    // Node's hints on quoting take several sentences.
    return invalid(toError(thrown).message.split(/\. |\.?\n/, 1)[0] ?? "");
  }
}

function readPolicy(addresses: string[] | undefined, isUnencrypted: boolean): UrlPolicyOptions {
  const urlPolicy: UrlPolicyOptions = {
    // Checked right below.
    allowedAddresses: addresses as UrlPolicyOptions["allowedAddresses"],
    unencrypted: isUnencrypted ? "anywhere" : undefined,
  };
  resolveUrlPolicy(urlPolicy, "production");
  return urlPolicy;
}

/** The text is not repeated where it is wrong: it may hold a secret. */
function parseHeader(text: string): [string, string] {
  const [, name, value] = HEADER_REGEXP.exec(text) ?? [];
  if (name !== undefined && value !== undefined) return [name, value];
  throw new SyntaxError('--header must be "<name>: <value>"');
}

function invalid(reason: string): BridgeCommand {
  return { type: "invalid", reason };
}
