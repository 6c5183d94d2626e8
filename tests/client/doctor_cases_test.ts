import { assertEquals, assertMatch } from "@std/assert";
import type { DiagnosticName } from "../../client/diagnostics.ts";
import type { DoctorReport } from "../../client/doctor.ts";
import {
  bearerTokens,
  MCPWebSocketServer,
  ProtectedResource,
  type WebSocketHandlerOptions,
} from "../../server/mod.ts";
import { RunningCommand } from "../support/running_command.ts";
import { playLegacy, ScriptedServer } from "../support/scripted_server.ts";

const TOKEN = "the-only-token-there-is";

/** A server, and where it is. */
interface Served extends AsyncDisposable {
  readonly url: string;
}

/** One situation, and what the report says about it. */
interface Case {
  readonly about: string;
  readonly serve: () => Promise<Served> | Served;
  readonly env?: Record<string, string>;
  /** The step that fails; none if all is well. */
  readonly fails?: DiagnosticName;
  /** What was found in that step, or what a sound server says in which step. */
  readonly detail: RegExp;
  /** What to do about it. */
  readonly hint?: RegExp;
  /** The steps that are skipped though nothing failed. */
  readonly skips?: readonly string[];
}

/** A port on which nothing listens any more. */
function serveNothing(): Served {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const url = `ws://127.0.0.1:${listener.addr.port}/mcp`;
  listener.close();
  return { url, [Symbol.asyncDispose]: () => Promise.resolve() };
}

function serveHttp(): Served {
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, () => {
    return new Response("<html>Hello</html>");
  });
  return {
    url: `ws://127.0.0.1:${server.addr.port}/mcp`,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

async function serveMcp(
  options: WebSocketHandlerOptions = {},
  path = "/mcp",
): Promise<Served> {
  const server = new MCPWebSocketServer({ name: "example", version: "1.0.0", ...options });
  server.handle("tools/list", () => ({ tools: [] }));
  const { url } = await server.start({ port: 0 });
  return {
    url: url.replace("/mcp", path),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

/** Lets nobody in but with the token; says what it wants, and where to get it. */
function serveLocked(): Promise<Served> {
  const resource = new ProtectedResource({
    resource: "http://127.0.0.1/mcp",
    authorizationServers: ["http://127.0.0.1:1"],
  });
  const authenticate = bearerTokens([{ token: TOKEN, principal: { id: "ada" } }]);
  return serveMcp({ auth: { authenticate, resource } });
}

async function serveUnknownCa(): Promise<Served> {
  const read = (name: string) =>
    Deno.readTextFile(new URL(`../support/tls/${name}`, import.meta.url));
  const [cert, key] = await Promise.all([read("server_cert.pem"), read("server_key.pem")]);
  const listener = Deno.listenTls({ hostname: "127.0.0.1", port: 0, cert, key });
  return new ScriptedServer((visit) => playLegacy(visit), { listener, scheme: "wss" });
}

const CASES: readonly Case[] = [
  {
    about: "nothing listens",
    serve: serveNothing,
    fails: "tcp",
    detail: /^Nothing listens on 127\.0\.0\.1:\d+$/,
    hint: /^Start the server, or check host and port/,
  },
  {
    about: "the path is wrong",
    serve: () => serveMcp({}, "/elsewhere"),
    fails: "upgrade",
    detail: /status 404: nothing is served at "\/elsewhere"$/,
    hint: /^Check the path: most servers use "\/mcp"$/,
  },
  {
    about: "the server speaks plain HTTP",
    serve: serveHttp,
    fails: "upgrade",
    detail: /status 200: it speaks HTTP, but no WebSocket here$/,
    hint: /^Check the port, and the path/,
  },
  {
    about: "a token is wanted, and none was given",
    serve: serveLocked,
    fails: "upgrade",
    detail: /status 401: it wants a token, and none was sent$/,
    hint: /^Give one: option "token", or MCP_API_KEY/,
  },
  {
    about: "the token is wrong",
    serve: serveLocked,
    env: { MCP_API_KEY: "another-token" },
    fails: "upgrade",
    detail: /status 401: it does not accept the token$/,
    hint: /^Check that the token is meant for this server and has not expired$/,
  },
  {
    about: "the token is right",
    serve: serveLocked,
    env: { MCP_API_KEY: TOKEN },
    detail: /^"example" 1\.0\.0 speaks MCP 2026-07-28 and offers tools$/,
    skips: ["dns", "tls"],
  },
  {
    about: "the certificate is of an unknown authority",
    serve: serveUnknownCa,
    fails: "tls",
    detail: /^The certificate was not issued by an authority that is known here$/,
    hint: /^Make the authority known: deno --cert <file>/,
  },
  {
    about: "the server speaks plain mcp",
    serve: () => serveMcp({ session: false }),
    detail: /^The server selected "mcp"$/,
    skips: ["dns", "tls", "session", "ping"],
  },
  {
    about: "the server speaks bowline.v1",
    serve: () => serveMcp(),
    detail: /^Open; kept for 120 s after a loss$/,
    skips: ["dns", "tls"],
  },
];

/** Runs the command to its end. */
async function examine(
  url: string,
  env: Record<string, string>,
): Promise<{ status: number; report: DoctorReport }> {
  const args = ["doctor", url, "--json"];
  await using command = new RunningCommand("client/main.ts", args, { env });
  const status = await command.exit();
  const text = command.stdout.join("\n");
  assertEquals(/the-only-token|another-token/.test(text + command.stderr.join()), false);
  return { status, report: JSON.parse(text) };
}

/** The names of the steps with a status. */
function namesOf({ steps }: DoctorReport, status: string): string[] {
  return steps.filter((step) => step.status === status).map(({ name }) => name);
}

for (const { about, serve, env = {}, fails, detail, hint, skips = [] } of CASES) {
  const outcome = fails === undefined ? "passes every step" : `fails at "${fails}"`;
  Deno.test(`doctor ${outcome} when ${about}`, async () => {
    await using server = await serve();
    const { status, report } = await examine(server.url, { MCP_API_KEY: "", ...env });
    assertEquals(namesOf(report, "failed"), fails === undefined ? [] : [fails]);
    assertEquals([status, report.ok], fails === undefined ? [0, true] : [1, false]);
    const said = report.steps.find((step) => detail.test(step.detail));
    assertEquals(said === undefined ? report.steps : [], []);
    if (fails === undefined) return assertEquals(namesOf(report, "skipped"), skips);
    assertEquals(said?.name, fails);
    assertMatch(said?.hint ?? "", hint ?? /^$/);
    const at = report.steps.findIndex(({ name }) => name === fails);
    const after = report.steps.slice(at + 1);
    assertEquals(after.map((step) => step.status), after.map(() => "skipped"));
  });
}
