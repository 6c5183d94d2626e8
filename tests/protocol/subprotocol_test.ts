import { assertEquals } from "@std/assert";
import {
  findSubprotocolFault,
  isSubprotocol,
  parseSubprotocols,
  selectSubprotocol,
} from "../../protocol/subprotocol.ts";

for (
  const [text, expected] of [
    ["mcp", true],
    ["bowline.v1", true],
    ["mcp.auth.eyJhbGciOiJIUzI1NiJ9.e30.x-_", true],
    ["!#$%&'*+-.^_`|~", true],
    ["", false],
    ["a b", false],
    ["a,b", false],
    ["a/b", false],
    ["abc=", false],
    ["a\n", false],
    ["mäcp", false],
  ] as const
) {
  Deno.test(`isSubprotocol() says ${expected} of ${JSON.stringify(text)}`, () => {
    assertEquals(isSubprotocol(text), expected);
  });
}

for (
  const [header, expected] of [
    [null, []],
    ["", []],
    [" , ,", []],
    ["mcp", ["mcp"]],
    ["mcp, bowline.v1", ["mcp", "bowline.v1"]],
    ["mcp,bowline.v1\t,\tx", ["mcp", "bowline.v1", "x"]],
  ] as const
) {
  Deno.test(`parseSubprotocols() reads ${JSON.stringify(header)}`, () => {
    assertEquals(parseSubprotocols(header), [...expected]);
  });
}

for (
  const [offered, expected] of [
    [[], undefined],
    [["mcp"], "mcp"],
    [["x", "mcp"], "mcp"],
    [["mcp.version.2025-06-18", "mcp"], "mcp"],
    [
      ["mcp.version.2025-06-18", "mcp.version.2024-11-05"],
      "mcp.version.2025-06-18",
    ],
    [["mcp.auth.secret"], undefined],
    [["mcp.auth.secret", "mcp.version.2025-06-18"], "mcp.version.2025-06-18"],
    [["MCP"], undefined],
    [["graphql-ws"], undefined],
  ] as const
) {
  Deno.test(`selectSubprotocol() answers [${offered}] with ${expected}`, () => {
    assertEquals(selectSubprotocol(offered), expected);
  });
}

for (
  const [selected, offered, expected] of [
    ["mcp", ["mcp"], undefined],
    ["", ["mcp"], undefined],
    ["", [], undefined],
    ["other", ["mcp"], "the server selected what was not offered"],
    ["mcp", [], "the server selected what was not offered"],
    [
      "mcp.auth.secret",
      ["mcp", "mcp.auth.secret"],
      "the server echoed a credential",
    ],
  ] as const
) {
  Deno.test(`findSubprotocolFault() of "${selected}" for [${offered}]: ${expected ?? "none"}`, () => {
    assertEquals(findSubprotocolFault(selected, offered), expected);
  });
}
