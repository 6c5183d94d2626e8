import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { type DoctorReport, formatStep } from "../../client/doctor.ts";
import { DOCTOR_HELP, parseDoctorArgs } from "../../client/doctor_options.ts";
import { MCPWebSocketServer } from "../../server/mod.ts";
import { RunningCommand, type RunningCommandOptions } from "../support/running_command.ts";

const MAIN = "client/main.ts";

/** Runs `doctor` to its end. */
async function doctor(
  args: readonly string[],
  options: RunningCommandOptions = {},
): Promise<{ status: number; stdout: string[]; stderr: string[] }> {
  await using command = new RunningCommand(MAIN, ["doctor", ...args], options);
  return { status: await command.exit(), stdout: command.stdout, stderr: command.stderr };
}

async function serve(): Promise<MCPWebSocketServer & { url: string }> {
  const server = new MCPWebSocketServer({ name: "example", version: "1.0.0" });
  server.handle("tools/list", () => ({ tools: [] }));
  const { url } = await server.start({ port: 0 });
  return Object.assign(server, { url });
}

/** Lets nobody in but with this token. */
function serveLocked(token: string): AsyncDisposable & { url: string } {
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, ({ headers }) => {
    const isKnown = headers.get("authorization") === `Bearer ${token}`;
    return new Response("No", { status: isKnown ? 418 : 401 });
  });
  return {
    url: `ws://127.0.0.1:${server.addr.port}/mcp`,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

Deno.test("doctor reports a line a step with the least permissions, and exits with 0", async () => {
  await using server = await serve();
  const { host } = new URL(server.url);
  const { status, stdout, stderr } = await doctor([server.url], {
    permissions: [`--allow-net=${host}`],
  });
  assertEquals([status, stderr], [0, []]);
  const [title, empty, ...lines] = stdout;
  assertEquals([title, empty], [`Diagnosis of ${server.url}`, ""]);
  const steps = lines.slice(0, 10);
  assertMatch(steps[0] ?? "", /^passed {3}url {9,}[\d.]+ ms {2}ws:/);
  assertEquals(steps[1], `skipped  dns${" ".repeat(20)}The URL holds an address`);
  assertEquals(steps.map((line) => line.slice(9, 22).trim()), [
    ..."url dns tcp tls upgrade subprotocol session discover ping round-trip".split(" "),
  ]);
  assertEquals(lines.slice(10), ["", "Everything works: 8 passed, 2 skipped"]);
});

Deno.test("doctor gives the hint below the step that failed, and exits with 1", async () => {
  await using server = await serve();
  const { status, stdout } = await doctor([server.url.replace("/mcp", "/elsewhere")]);
  assertEquals(status, 1);
  const at = stdout.findIndex((line) => line.startsWith("FAILED   upgrade"));
  assertStringIncludes(stdout[at] ?? "", "404");
  assertMatch(stdout[at + 1] ?? "", /^ {32}Hint: Check the path/);
  assertEquals(stdout.at(-1), 'Step "upgrade" failed: 2 passed, 7 skipped');
});

Deno.test("doctor --json prints one object, without secrets", async () => {
  await using server = await serve();
  const ok = await doctor(["--json", `${server.url}?ticket=the-secret`]);
  const report: DoctorReport = JSON.parse(ok.stdout.join("\n"));
  assertEquals([ok.status, ok.stderr, report.url, report.ok], [0, [], server.url, true]);
  assertEquals(Object.keys(report), ["url", "ok", "durationMs", "steps"]);
  assertEquals(report.steps.length, 10);
  for (const { name, status, durationMs, detail } of report.steps) {
    assert([name, status, detail].every((text) => typeof text === "string"));
    assert(durationMs >= 0 && durationMs <= report.durationMs);
  }
  assertEquals(JSON.stringify(report).includes("the-secret"), false);

  const malformed = await doctor(["--json", "the-secret"]);
  const { url, ok: isOk }: DoctorReport = JSON.parse(malformed.stdout.join("\n"));
  assertEquals([malformed.status, url, isOk], [1, "", false]);
  assertEquals(malformed.stdout.join().includes("the-secret"), false);
});

Deno.test("doctor sends the token of MCP_API_KEY, or of another variable", async () => {
  await using server = serveLocked("the-secret");
  const env = { MCP_API_KEY: "the-wrong-one", OTHER: "the-secret" };
  const wrong = await doctor([server.url], { env });
  assertStringIncludes(wrong.stdout.join("\n"), "does not accept the token");
  const right = await doctor(["--token-env", "OTHER", server.url], { env });
  assertStringIncludes(right.stdout.join("\n"), "status 418");
  const none = await doctor([server.url], { permissions: ["--allow-net"], env });
  assertStringIncludes(none.stdout.join("\n"), "none was sent");
  for (const { status, stdout } of [wrong, right, none]) {
    assertEquals([status, /the-secret|the-wrong-one/.test(stdout.join())], [1, false]);
  }
});

Deno.test("doctor refuses wrong arguments with one line and status 2", async () => {
  const table: [string[], RegExp][] = [
    [[], /^doctor: A URL is missing. Try --help$/],
    [["--timeout", "soon", "ws://a"], /^doctor: --timeout must be/],
    [
      ["--token-env", "NOT_SET", "ws://a"],
      /^doctor: Variable "NOT_SET" is empty .*--allow-env=NOT/,
    ],
  ];
  for (const [args, line] of table) {
    const { status, stdout, stderr } = await doctor(args, { permissions: [] });
    assertEquals([status, stdout, stderr.length], [2, [], 1]);
    assertMatch(stderr[0] ?? "", line);
  }
});

Deno.test("doctor --help prints its options, and exits with 0", async () => {
  const { status, stdout } = await doctor(["--help"], { permissions: [] });
  assertEquals([status, stdout.join("\n")], [0, DOCTOR_HELP]);
});

Deno.test("parseDoctorArgs() reads the URL and every option", () => {
  const plain = { type: "doctor", url: "ws://a", tokenVariable: undefined } as const;
  assertEquals(parseDoctorArgs(["ws://a"]), { ...plain, json: false, timeout: 5_000 });
  const args = ["--token-env=KEY", "ws://a", "--json", "--timeout", "250"];
  assertEquals(parseDoctorArgs(args), { ...plain, tokenVariable: "KEY", json: true, timeout: 250 });
  assertEquals(parseDoctorArgs(["-h"]), { type: "help" });
});

Deno.test("parseDoctorArgs() refuses what it does not understand, and repeats no secret", () => {
  const table: [string[], string][] = [
    [["ws://a", "secret"], "There is an argument too many"],
    [["--token-env", "my secret", "ws://a"], "--token-env must be the name of a variable"],
    [["--timeout", "0", "ws://a"], "--timeout must be a whole number"],
    [["--timeout", "1e9", "ws://a"], "--timeout must be a whole number"],
    [["--nope", "ws://a"], "Unknown option '--nope'"],
  ];
  for (const [args, reason] of table) {
    const command = parseDoctorArgs(args);
    assert(command.type === "invalid", args.join(" "));
    assertStringIncludes(command.reason, reason);
    assertEquals(/secret|\n/.test(command.reason), false);
  }
});

Deno.test("formatStep() colors the status alone, and only if asked to", () => {
  const step = {
    name: "dns",
    status: "failed",
    durationMs: 12.34,
    detail: "No",
    hint: "Do",
  } as const;
  const indent = " ".repeat(32);
  assertEquals(formatStep(step, false), `FAILED   dns             12 ms  No\n${indent}Hint: Do`);
  const colored = formatStep({ ...step, hint: undefined }, true);
  assertEquals(colored, "\x1b[31mFAILED   \x1b[0mdns             12 ms  No");
});

Deno.test("DOCTOR_HELP names every option, in lines that fit a terminal", () => {
  for (const option of ["--token-env ", "--json ", "--timeout ", "--help ", "MCP_API_KEY "]) {
    assertStringIncludes(DOCTOR_HELP, option);
  }
  assertEquals(DOCTOR_HELP.split("\n").filter((line) => line.length > 80), []);
});
