import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { gatherCredentials } from "../../client/credentials.ts";
import {
  canSendHeaders,
  isOffline,
  openSocket,
  readVariable,
  watchNetwork,
} from "../../client/runtime.ts";
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

Deno.test("gatherCredentials() refuses a token that is no subprotocol, without telling it", async () => {
  using _browser = hideGlobals("Deno", "process");
  const options = { headers: undefined, token: "canary, canary", protocols: ["mcp"] };
  const error = await assertRejects(() => gatherCredentials(options), Error);
  assert(error.message.startsWith("Cannot send token: this runtime sends no headers"));
  assert(!`${error.message}${error.cause}`.includes("canary"));
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
