import { assert, assertEquals } from "@std/assert";
import { MCPConnectionError, MCPRpcError } from "../../protocol/errors.ts";
import { summarize } from "../../client/error_summary.ts";

Deno.test("summarize() tells the message of this package's own errors", () => {
  const summary = summarize(new MCPConnectionError("Connection lost"), "dial", 5);
  assertEquals(summary, {
    name: "MCPConnectionError",
    message: "Connection lost",
    context: "dial",
    at: 5,
  });
  assert(Object.isFrozen(summary));
});

Deno.test("summarize() keeps to itself what the application or the peer says", () => {
  const errors = [new TypeError("secret"), new MCPRpcError(-32602, "secret")];
  assertEquals(
    errors.map((error) => summarize(error, "onmessage", 5)).map(({ name, message }) => [
      name,
      message,
    ]),
    [["TypeError", undefined], ["MCPRpcError -32602", undefined]],
  );
});
