import { assert, assertEquals, assertMatch, assertRejects, assertThrows } from "@std/assert";
import { gatherCredentials } from "../../client/credentials.ts";
import {
  canSendHeaders,
  isOffline,
  lookUpName,
  openSocket,
  readVariable,
  watchNetwork,
} from "../../client/runtime.ts";
import { MCPError } from "../../protocol/errors.ts";
import { hideGlobals, setGlobal } from "../support/globals.ts";

const REQUEST = {
  url: "ws://127.0.0.1:1/",
  protocols: ["mcp"],
  headers: new Headers(),
  httpClient: undefined,
};

Deno.test("canSendHeaders() in Deno and Node, not in browsers", () => {
  assert(canSendHeaders());
  {
    using _node = hideGlobals("Deno");
    assert(canSendHeaders());
  }
  using _browser = hideGlobals("Deno", "process");
  assertEquals(canSendHeaders(), false);
});

Deno.test("openSocket() says so where there is no WebSocket", () => {
  using _old = hideGlobals("WebSocket");
  assertThrows(() => openSocket(REQUEST), TypeError, "this runtime has no WebSocket");
});

Deno.test("openSocket() refuses headers where the runtime sends none, without telling them", () => {
  using _browser = hideGlobals("Deno", "process");
  const headers = new Headers({ "x-key": "canary" });
  const error = assertThrows(() => openSocket({ ...REQUEST, headers }), TypeError);
  assertEquals(error.message, "Cannot connect: this runtime sends no headers with a WebSocket");
});

Deno.test("openSocket() passes URL and protocols alone where nothing else is needed", () => {
  const made: unknown[][] = [];
  using _fake = setGlobal(
    "WebSocket",
    class {
      constructor(...args: unknown[]) {
        made.push(args);
      }
    },
  );
  openSocket(REQUEST);
  const headers = new Headers({ "X-Key": "1" });
  openSocket({ ...REQUEST, headers });
  openSocket({ ...REQUEST, httpClient: "client" });
  assertEquals(made, [
    [REQUEST.url, ["mcp"]],
    [REQUEST.url, { protocols: ["mcp"], headers: { "x-key": "1" } }],
    [REQUEST.url, { protocols: ["mcp"], headers: {}, client: "client" }],
  ]);
});

Deno.test("gatherCredentials() puts the token among the subprotocols where headers cannot be sent", async () => {
  using _browser = hideGlobals("Deno", "process");
  const options = { headers: undefined, token: "abc-123_", protocols: ["mcp"] };
  const { headers, protocols } = await gatherCredentials(options);
  assertEquals([...headers], []);
  assertEquals(protocols, ["mcp", "mcp.auth.abc-123_"]);
});

Deno.test("gatherCredentials() encodes a token that is no subprotocol", async () => {
  using _browser = hideGlobals("Deno", "process");
  const options = { headers: undefined, token: "a/b+c=", protocols: ["mcp"] };
  const { protocols } = await gatherCredentials(options);
  assertEquals(protocols, ["mcp", "mcp.auth.YS9iK2M9"]);
});

Deno.test("gatherCredentials() refuses what no token is made of, without telling it", async () => {
  using _browser = hideGlobals("Deno", "process");
  for (const token of ["canary, canary", "canary\u2713", "canary\n", "", "c".repeat(8_193)]) {
    const options = { headers: undefined, token, protocols: ["mcp"] };
    const error = await assertRejects(() => gatherCredentials(options), MCPError);
    assertEquals(error.message, "Cannot gather credentials: a header or token is malformed");
    assertEquals(error.cause, undefined);
  }
});

Deno.test("readVariable() asks nobody for a permission", () => {
  const asked: string[] = [];
  const ask = (name: string) => void asked.push(name);
  using _deno = setGlobal("Deno", {
    env: { get: ask },
    permissions: { querySync: () => ({ state: "prompt" }) },
  });
  assertEquals([readVariable("PATH"), asked], [undefined, []]);
});

Deno.test("lookUpName() tells the addresses that the system knows", async () => {
  const addresses = await lookUpName("localhost", 80);
  assert(addresses !== undefined && addresses.length > 0);
  for (const address of addresses) assertMatch(address, /^127\.|^::1$/);
  await assertRejects(() => lookUpName("nonexistent.invalid", 80), Error, "ENOTFOUND");
});

Deno.test("lookUpName() tells nothing where it may not or cannot", async () => {
  {
    using _browser = hideGlobals("Deno", "process");
    assertEquals(await lookUpName("localhost", 80), undefined);
  }
  {
    const unable = Object.assign(new Error("not implemented"), {
      code: "ERR_METHOD_NOT_IMPLEMENTED",
    });
    const lookup = () => {
      throw unable;
    };
    using _edge = setGlobal("process", { getBuiltinModule: () => ({ lookup }) });
    assertEquals(await lookUpName("localhost", 80), undefined);
  }
  const { querySync } = Deno.permissions;
  const asked: unknown[] = [];
  Deno.permissions.querySync = (descriptor) => {
    asked.push(descriptor);
    return { ...querySync.call(Deno.permissions, descriptor), state: "prompt" } as never;
  };
  try {
    assertEquals(await lookUpName("localhost", 8_080), undefined);
  } finally {
    Deno.permissions.querySync = querySync;
  }
  assertEquals(asked, [{ name: "net", host: "localhost:8080" }]);
});

Deno.test("readVariable() asks Node's environment where there is no Deno", () => {
  using _process = setGlobal("process", { env: { BOWLINE_TEST: "node" } });
  using _deno = hideGlobals("Deno");
  assertEquals(readVariable("BOWLINE_TEST"), "node");
  assertEquals(readVariable("BOWLINE_NONE"), undefined);
});

Deno.test("readVariable() knows nothing in a browser", () => {
  using _browser = hideGlobals("Deno", "process");
  assertEquals(readVariable("PATH"), undefined);
});

Deno.test("isOffline() believes the runtime only when it says no", () => {
  for (const [onLine, offline] of [[true, false], [false, true], [undefined, false]] as const) {
    using _navigator = setGlobal("navigator", { onLine });
    assertEquals(isOffline(), offline);
  }
  using _none = hideGlobals("navigator");
  assertEquals(isOffline(), false);
});

Deno.test("watchNetwork() hears both ways until it is stopped", () => {
  const heard: string[] = [];
  const stop = watchNetwork(() => heard.push("online"), () => heard.push("offline"));
  const tell = () => {
    globalThis.dispatchEvent(new Event("offline"));
    globalThis.dispatchEvent(new Event("online"));
  };
  tell();
  stop();
  tell();
  stop();
  assertEquals(heard, ["offline", "online"]);
});
