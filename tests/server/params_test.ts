import { assertEquals } from "@std/assert";
import type { JsonRpcParams } from "../../protocol/jsonrpc.ts";
import { findParamsFault } from "../../server/params.ts";

Deno.test("findParamsFault() finds what handlers could not cope with", () => {
  const table: [method: string, params: JsonRpcParams, fault: string | undefined][] = [
    ["tools/call", { name: "a" }, undefined],
    ["tools/call", { name: "a", arguments: {} }, undefined],
    ["tools/call", {}, 'Member "name" must be a string'],
    ["tools/call", { name: 1 }, 'Member "name" must be a string'],
    ["tools/call", { name: "a", arguments: [] }, 'Member "arguments" must be an object'],
    ["tools/call", { name: "a", arguments: null }, 'Member "arguments" must be an object'],
    ["prompts/get", { name: "a", arguments: "b" }, 'Member "arguments" must be an object'],
    ["prompts/get", {}, 'Member "name" must be a string'],
    ["resources/read", { uri: "a:b" }, undefined],
    ["resources/read", { uri: null }, 'Member "uri" must be a string'],
    ["resources/subscribe", {}, 'Member "uri" must be a string'],
    ["resources/unsubscribe", {}, 'Member "uri" must be a string'],
    ["logging/setLevel", {}, 'Member "level" must be a string'],
    ["completion/complete", { ref: {}, argument: {} }, undefined],
    ["completion/complete", { ref: {} }, 'Member "argument" must be an object'],
    ["completion/complete", { ref: [] }, 'Member "ref" must be an object'],
    ["subscriptions/listen", {}, 'Member "notifications" must be an object'],
    ["tools/list", {}, undefined],
    ["x/anything", { name: 1, arguments: 2 }, undefined],
  ];
  for (const [method, params, fault] of table) {
    assertEquals(findParamsFault(method, params), fault, `${method} ${JSON.stringify(params)}`);
  }
});
