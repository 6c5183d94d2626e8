import { parseArgs } from "node:util";
import { toError } from "../protocol/errors.ts";

/** What the arguments of `doctor` ask for. */
export type DoctorCommand =
  | { readonly type: "help" }
  | { readonly type: "invalid"; readonly reason: string }
  | {
    readonly type: "doctor";
    /** Where to; what is wrong with it is a finding. */
    readonly url: string;
    /** The variable that holds the token, if it was given. */
    readonly tokenVariable: string | undefined;
    /** Whether the report is for programs. */
    readonly json: boolean;
    /** How long each wait may take, in milliseconds. */
    readonly timeout: number;
  };

const OPTIONS = {
  "token-env": { type: "string" },
  "json": { type: "boolean", default: false },
  "timeout": { type: "string", default: "5000" },
  "help": { type: "boolean", short: "h", default: false },
} as const;

/** What `doctor --help` prints. */
export const DOCTOR_HELP: string = `Finds out why an MCP server cannot be reached over WebSocket.

Usage:
  cli doctor [options] <url>

where "cli" stands for: deno run -A jsr:@bowline/mcp-websocket/cli

Options:
  --token-env <name>  The variable that holds the bearer token.
                      By default MCP_API_KEY.
  --json              Print one JSON object instead of lines.
  --timeout <ms>      How long each wait may take, in milliseconds.
                      By default 5000.
  -h, --help          Print this.

Environment:
  MCP_API_KEY         Sent as bearer token.
  DENO_ENV, NODE_ENV  With "production" the stricter URL policy holds.
  NO_COLOR            Keeps the report without colors.

Each step is printed as soon as it was taken: URL, DNS, TCP, TLS, upgrade,
subprotocol, session, the opening of MCP, a ping, and a request that only reads.
What failed comes with a hint. The report holds no secrets. The exit status is 0
if nothing failed, 1 if something did, and 2 if the arguments are wrong.

Least permissions of Deno, instead of -A:
  --allow-net=<host>:<port>   always
  --allow-env=MCP_API_KEY     with a token
`;

/** What the environments of all systems take. */
const VARIABLE_REGEXP = /^[A-Za-z_][A-Za-z0-9_]*$/;
const TIMEOUT_REGEXP = /^[1-9]\d{0,6}$/;

/**
 * Reads the arguments of `doctor`.
 *
 * @param args The arguments, without the name of the command.
 * @returns What they ask for.
 */
export function parseDoctorArgs(args: readonly string[]): DoctorCommand {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      options: OPTIONS,
      allowPositionals: true,
    });
    if (values.help) return { type: "help" };
    const [url, stray] = positionals;
    if (url === undefined) return invalid("A URL is missing");
    // It may be a token.
    if (stray !== undefined) return invalid("There is an argument too many");
    const { "token-env": tokenVariable, json } = values;
    if (tokenVariable !== undefined && !VARIABLE_REGEXP.test(tokenVariable)) {
      return invalid("--token-env must be the name of a variable");
    }
    if (!TIMEOUT_REGEXP.test(values.timeout)) {
      return invalid("--timeout must be a whole number of milliseconds");
    }
    return { type: "doctor", url, tokenVariable, json, timeout: Number(values.timeout) };
  } catch (thrown) {
    // Node's hints on quoting take several sentences.
    return invalid(toError(thrown).message.split(/\. |\.?\n/, 1)[0] ?? "");
  }
}

function invalid(reason: string): DoctorCommand {
  return { type: "invalid", reason };
}
