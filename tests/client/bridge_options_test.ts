import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { BRIDGE_HELP, parseBridgeArgs } from "../../client/bridge_options.ts";

/** What the environment says. */
const OPEN = { allowedAddresses: undefined, unencrypted: undefined };

Deno.test("parseBridgeArgs() reads the URL and every option", () => {
  assertEquals(parseBridgeArgs(["ws://host/mcp"]), {
    type: "bridge",
    url: "ws://host/mcp",
    headers: {},
    urlPolicy: OPEN,
    verbose: false,
  });
  const args = ["--header", "X-One: 1: 2 ", "--verbose", "wss://host/mcp", "--header=x-two:"];
  assertEquals(parseBridgeArgs(args), {
    type: "bridge",
    url: "wss://host/mcp",
    headers: { "X-One": "1: 2 ", "x-two": "" },
    urlPolicy: OPEN,
    verbose: true,
  });
  assertEquals(parseBridgeArgs(["-h"]), { type: "help" });
});

Deno.test("parseBridgeArgs() reads which addresses may be dialled", () => {
  const ranges = ["--allow-address", "loopback", "--allow-address=10.20.0.0/16"];
  const command = parseBridgeArgs([...ranges, "--allow-unencrypted", "ws://host/mcp"]);
  assert(command.type === "bridge");
  assertEquals(command.urlPolicy, {
    allowedAddresses: ["loopback", "10.20.0.0/16"],
    unencrypted: "anywhere",
  });
});

Deno.test("parseBridgeArgs() refuses what it does not understand, and repeats no secret", () => {
  const table: [string[], string][] = [
    [[], "A URL is missing"],
    [["ws://a", "ws://b"], 'Unexpected argument "ws://b"'],
    [["--nope", "ws://a"], "Unknown option '--nope'"],
    [["http://host"], 'its scheme must be "ws:" or "wss:"'],
    [["host:"], "scheme must be"],
    [["nonsense"], "Cannot use URL: it is malformed"],
    [["ws://user:secret@host"], 'credentials belong into option "token"'],
    [["--allow-address", "inside", "ws://a"], 'current entry is "inside"'],
    [["--allow-address", "10.0.0.0/33", "ws://a"], "10.0.0.0/33"],
    [["--header", "secret", "ws://a"], '--header must be "<name>: <value>"'],
    [["--header", "a b: secret", "ws://a"], '--header must be "<name>: <value>"'],
    [["--header", "a: secret\nb: c", "ws://a"], '--header must be "<name>: <value>"'],
  ];
  for (const [args, expected] of table) {
    const command = parseBridgeArgs(args);
    assert(command.type === "invalid", args.join(" "));
    assertStringIncludes(command.reason, expected);
    assertEquals(/secret|\n/.test(command.reason), false);
  }
});

Deno.test("BRIDGE_HELP names every option, in lines that fit a terminal", () => {
  for (
    const option of [
      "--header ",
      "--allow-address ",
      "--allow-unencrypted ",
      "--verbose ",
      "--help ",
      "MCP_API_KEY ",
    ]
  ) {
    assertStringIncludes(BRIDGE_HELP, option);
  }
  assertEquals(BRIDGE_HELP.split("\n").filter((line) => line.length > 80), []);
});
