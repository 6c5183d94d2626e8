/**
 * What must compile and what must not. The compiler runs these: a line marked
 * `@ts-expect-error` that compiles fails the test run.
 *
 * @module
 */

import type { JsonRpcParams } from "../../protocol/jsonrpc.ts";
import type {
  CallToolParams,
  CallToolResult,
  ListToolsResult,
  McpClientMethods,
  McpMethods,
  McpResult,
  Meta,
} from "../../protocol/mcp_types.ts";
import type {
  CustomMethod,
  HandlerParams,
  MethodTable,
  RequestArguments,
  ResultOf,
} from "../../protocol/methods.ts";
import type { RequestOptions } from "../../protocol/peer_options.ts";

interface Caller<Methods extends MethodTable<Methods>> {
  request<Name extends keyof Methods & string>(
    method: Name,
    ...args: RequestArguments<Methods[Name]>
  ): Promise<ResultOf<Methods[Name]>>;
  request<Name extends string>(
    method: Name & CustomMethod<Name, Methods>,
    params?: JsonRpcParams,
    options?: RequestOptions,
  ): Promise<unknown>;
}

interface MyMethods {
  "math/add": { params: { a: number; b: number }; result: { sum: number } };
  "math/reset": { result: { done: boolean } };
  "math/scale": { params?: { by: number }; result: { by: number } };
}

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? true
  : false;

/** Compiles only if the types are the same. */
function assertSame<_IsSame extends true>(): void {}

export async function knownMethods(caller: Caller<McpMethods>): Promise<void> {
  const { content } = await caller.request("tools/call", { name: "echo" });
  assertSame<Same<typeof content, CallToolResult["content"]>>();
  await caller.request("tools/call", { name: "x", arguments: { a: 1 } }, {
    timeout: 5,
  });
  await caller.request("tools/list");
  await caller.request("tools/list", { cursor: "c" });
  await caller.request("ping", undefined, { timeout: 5 });
  await caller.request("ping", { _meta: { progressToken: 1 } });

  // @ts-expect-error Required parameters are missing.
  await caller.request("tools/call");
  // @ts-expect-error A required member is missing.
  await caller.request("tools/call", {});
  // @ts-expect-error A member has the wrong type.
  await caller.request("tools/call", { name: 1 });
  // @ts-expect-error Undefined is no parameters.
  await caller.request("resources/read", undefined);
  // @ts-expect-error A member is unknown.
  await caller.request("resources/read", { uri: "a:b", url: "a:b" });
  // @ts-expect-error An optional member has the wrong type.
  await caller.request("tools/list", { cursor: 1 });
  // @ts-expect-error Options have members of their own.
  await caller.request("tools/list", {}, { timeOut: 5 });
  // @ts-expect-error A list of tools is no number.
  (await caller.request("tools/list")).tools.toFixed();
}

export async function customMethods(
  caller: Caller<McpMethods>,
  anyMethod: string,
): Promise<void> {
  const result = await caller.request("x/echo", { text: "hi" });
  assertSame<Same<typeof result, unknown>>();
  await caller.request("x/echo");
  await caller.request(anyMethod, {}, { retry: true });

  // @ts-expect-error Parameters are an object.
  await caller.request("x/echo", ["hi"]);
  // @ts-expect-error A result that nobody described has no members.
  (await caller.request("x/echo")).text;
}

export async function ownMethods(caller: Caller<MyMethods>): Promise<void> {
  const { sum } = await caller.request("math/add", { a: 1, b: 2 });
  assertSame<Same<typeof sum, number>>();
  const { done } = await caller.request("math/reset");
  assertSame<Same<typeof done, boolean>>();
  await caller.request("math/reset", undefined, { timeout: 5 });
  await caller.request("math/scale");
  await caller.request("math/scale", { by: 2 });
  await caller.request("tools/call");

  // @ts-expect-error A required member is missing.
  await caller.request("math/add", { a: 1 });
  // @ts-expect-error The method takes no parameters.
  await caller.request("math/reset", { hard: true });
}

export async function clientMethods(
  caller: Caller<McpClientMethods>,
): Promise<void> {
  const { roots } = await caller.request("roots/list");
  assertSame<Same<typeof roots, { uri: string; name?: string }[]>>();

  // @ts-expect-error A required member is missing.
  await caller.request("sampling/createMessage", { messages: [] });
  const content = { type: "text", text: "Hello" };
  const role = "system" as const;
  const messages = [{ role, content }];
  // @ts-expect-error There is no such role.
  await caller.request("sampling/createMessage", { messages, maxTokens: 1 });
}

export function handlers(
  call: HandlerParams<McpMethods["tools/call"]>,
  list: HandlerParams<McpMethods["tools/list"]>,
  reset: HandlerParams<MyMethods["math/reset"]>,
): void {
  assertSame<Same<typeof call, CallToolParams>>();
  const cursor: string | undefined = list.cursor;
  const unknown: unknown = reset.anything ?? cursor;
  // @ts-expect-error A handler without declared parameters knows nothing of them.
  const text: string = reset.anything ?? unknown;
  void text;
}

export function results(
  listed: ResultOf<McpMethods["tools/list"]>,
  ponged: ResultOf<McpMethods["ping"]>,
  none: ResultOf<{ params: object }>,
  meta: Meta,
): void {
  assertSame<Same<typeof listed, ListToolsResult>>();
  assertSame<Same<typeof ponged, McpResult>>();
  assertSame<Same<typeof none, never>>();
  assertSame<Same<CustomMethod<"tools/call", McpMethods>, never>>();
  assertSame<Same<CustomMethod<"x/echo", McpMethods>, unknown>>();
  // @ts-expect-error A progress token is a string or a number.
  meta.progressToken = null;
}

// @ts-expect-error A method without a result is no method.
export type NoTable = Caller<{ "x/lost": { params: object } }>;
