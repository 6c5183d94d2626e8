import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { SERVE_HELP } from "../../server/serve_help.ts";
import { parseServeArgs } from "../../server/serve_options.ts";

const DEFAULTS = {
  hostname: "127.0.0.1",
  port: 8787,
  path: undefined,
  cert: undefined,
  key: undefined,
  maxConnections: undefined,
  allowedOrigins: undefined,
  allowedHosts: undefined,
  needsToken: false,
  allowStrangers: false,
  isGuarded: false,
  operations: { metrics: false },
  verbose: false,
};

Deno.test("parseServeArgs() finds out what is served", () => {
  const stdio = (...command: string[]) => ({ type: "stdio", command } as const);
  const table: [string[], unknown, object][] = [
    [[], { type: "demo" }, {}],
    [["--stdio", "npx -y 'a b'"], stdio("npx", "-y", "a b"), { maxConnections: 100 }],
    [["--", "npx", "-y", "a b"], stdio("npx", "-y", "a b"), { maxConnections: 100 }],
    [["--port", "0", "--", "cmd", "--port", "--", "x"], stdio("cmd", "--port", "--", "x"), {
      port: 0,
      maxConnections: 100,
    }],
    [["--max-connections", "7", "--", "cmd", "--help"], stdio("cmd", "--help"), {
      maxConnections: 7,
    }],
    [["--module", "https://example.com/a.ts"], {
      type: "module",
      specifier: "https://example.com/a.ts",
    }, {}],
    [["--module", "/tmp/a b.ts"], { type: "module", specifier: "file:///tmp/a%20b.ts" }, {}],
  ];
  for (const [args, target, options] of table) {
    assertEquals(parseServeArgs(args), {
      type: "serve",
      target,
      options: { ...DEFAULTS, ...options },
    } as ReturnType<typeof parseServeArgs>);
  }
});

Deno.test("parseServeArgs() reads every option", () => {
  const args = "--host 0.0.0.0 --port=1 --path /x --cert c --key k --max-connections 5 " +
    "--allow-strangers --allow-origin https://a --allow-origin https://b:1 --metrics --verbose " +
    "--auth --guard --allow-host mcp.example.com --allow-host 10.0.0.1:81";
  assertEquals(parseServeArgs(args.split(" ")), {
    type: "serve",
    target: { type: "demo" },
    options: {
      hostname: "0.0.0.0",
      port: 1,
      path: "/x",
      cert: "c",
      key: "k",
      maxConnections: 5,
      allowedOrigins: ["https://a", "https://b:1"],
      allowedHosts: ["mcp.example.com", "10.0.0.1:81"],
      needsToken: true,
      allowStrangers: true,
      isGuarded: true,
      operations: { metrics: "/metrics" },
      verbose: true,
    },
  });
});

Deno.test("parseServeArgs() answers --help and --version before anything else", () => {
  assertEquals(parseServeArgs(["--help"]), { type: "help" });
  assertEquals(parseServeArgs(["-h", "--port", "nonsense"]), { type: "help" });
  assertEquals(parseServeArgs(["--version"]), { type: "version" });
});

Deno.test("parseServeArgs() refuses what it does not understand, in one line", () => {
  const table: [string[], string][] = [
    [["--nope"], "Unknown option '--nope'"],
    [["demo"], 'Unexpected argument "demo"'],
    [["demo", "--", "cmd"], 'Unexpected argument "demo"'],
    [["--"], "A command must follow --"],
    [["--", ""], "A command must follow --"],
    [["--stdio", "a", "--", "b"], "--stdio, --module and a command after -- exclude each other"],
    [["--stdio", "a", "--module", "b"], "exclude each other"],
    [["--stdio", "a 'b"], "Cannot split command: a quote is not closed"],
    [["--stdio", " "], "Cannot split command: it names no program"],
    [["--port"], "Option '--port <value>' argument missing"],
    [["--port", "-1"], "Option '--port' argument is ambiguous"],
    [["--port", "65536"], '--port must be a number from 0 to 65535, not "65536"'],
    [["--port", "1e3"], '--port must be a number from 0 to 65535, not "1e3"'],
    [["--max-connections", "0"], '--max-connections must be a number from 1 to 1000000, not "0"'],
    [["--path", "mcp"], '--path must be a path that starts with "/", not "mcp"'],
    [["--path", "/a?b"], '--path must be a path that starts with "/", not "/a?b"'],
    [["--path", "/healthz"], '--path must not be "/healthz": something else is answered there'],
    [["--cert", "a"], "--cert and --key need each other"],
    [["--key", "a"], "--cert and --key need each other"],
    [["--allow-host", "http://a"], '--allow-host must be a host such as "mcp.example.com"'],
    [["--allow-origin", "a"], "--allow-origin must be an origin such as"],
    [["--allow-strangers=yes"], "Option '--allow-strangers' does not take an argument"],
    [["--host", "0.0.0.0"], "This host lets everybody who can reach it use the server"],
    [["--host", "::", "--port", "0"], "add --auth to ask for a token, --allow-strangers if they"],
  ];
  for (const [args, expected] of table) {
    const command = parseServeArgs(args);
    assert(command.type === "invalid", args.join(" "));
    assertStringIncludes(command.reason, expected);
    assertEquals(command.reason.includes("\n"), false);
  }
});

Deno.test("SERVE_HELP names every option, in lines that fit a terminal", () => {
  const options = "stdio module host port path cert key max-connections allow-origin " +
    "allow-host auth allow-strangers guard metrics public-metrics verbose help version";
  for (const option of options.split(" ")) assertStringIncludes(SERVE_HELP, `--${option} `);
  const tooLong = SERVE_HELP.split("\n").filter((line) => line.length > 80);
  assertEquals(tooLong, []);
});
