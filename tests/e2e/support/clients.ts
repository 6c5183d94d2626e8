import { Client, type VersionNegotiationMode } from "@modelcontextprotocol/client";
import { MCPWebSocketClient, WebSocketClientTransport } from "../../../client/mod.ts";
import { GROWING } from "./scene.ts";
import type { ConnectOptions, TestClient } from "./test_client.ts";
import {
  ClientV1,
  CreateMessageRequestSchema,
  ElicitRequestSchema,
  LoggingMessageNotificationSchema,
  ResourceUpdatedNotificationSchema,
  TransportV1,
} from "./sdk_v1.ts";

/** What a client is made with, and how it opens MCP. */
export type ClientKind =
  | "v1"
  | "v1, own transport"
  | "v2"
  | "v2, auto"
  | "v2, pinned"
  | "ours, legacy"
  | "ours, auto";

type Connect = (url: string, options: ConnectOptions) => Promise<TestClient>;

const INFO = { name: "test", version: "1.0.0" };
const CAPABILITIES = { sampling: {}, elicitation: {} };

const CONNECT: { readonly [Kind in ClientKind]: Connect } = {
  "v1": (url, options) => connectV1(new WebSocketClientTransport(url, options.transport), options),
  "v1, own transport": (url, options) => connectV1(new TransportV1(new URL(url)), options),
  "v2": (url, options) => connectV2(url, options, "legacy"),
  "v2, auto": (url, options) => connectV2(url, options, "auto"),
  "v2, pinned": (url, options) => connectV2(url, options, { pin: "2026-07-28" }),
  "ours, legacy": (url, options) => connectOurs(url, options, "legacy"),
  "ours, auto": (url, options) => connectOurs(url, options, "auto"),
};

/** All clients. */
export const CLIENT_KINDS: readonly ClientKind[] = Object.keys(CONNECT) as ClientKind[];
/** The clients that open MCP with `initialize`, whatever the server speaks. */
export const LEGACY_KINDS: readonly ClientKind[] = [
  "v1",
  "v1, own transport",
  "v2",
  "ours, legacy",
];

/** Connects a client. */
export function connectClient(
  kind: ClientKind,
  url: string,
  options: ConnectOptions = {},
): Promise<TestClient> {
  return CONNECT[kind](url, options);
}

async function connectV1(
  transport: TransportV1 | WebSocketClientTransport,
  { uri = GROWING, ask = () => "Ada", hear, onlost, onclose, onerror }: ConnectOptions,
): Promise<TestClient> {
  if (onlost && "addEventListener" in transport) transport.addEventListener("lost", onlost);
  const client = new ClientV1(INFO, { capabilities: CAPABILITIES });
  client.setRequestHandler(ElicitRequestSchema, async (_, { signal }) => {
    return { action: "accept", content: { name: await ask(signal) } };
  });
  client.setRequestHandler(CreateMessageRequestSchema, () => sampled());
  for (const schema of [ResourceUpdatedNotificationSchema, LoggingMessageNotificationSchema]) {
    client.setNotificationHandler(schema, ({ method }) => hear?.(method));
  }
  Object.assign(client, { onclose, onerror });
  await client.connect(transport);
  return {
    era: "legacy",
    listTools: async () => (await client.listTools()).tools.map(({ name }) => name),
    async call(name, args = {}, { signal, timeout, onProgress } = {}) {
      const result = await client.callTool({ name, arguments: args }, undefined, {
        ...(signal && { signal }),
        ...(timeout && { timeout }),
        ...(onProgress && { onprogress: ({ progress }) => onProgress(progress) }),
      });
      return textOf(result);
    },
    read: async () => textOf({ content: (await client.readResource({ uri })).contents }),
    subscribe: () => client.subscribeResource({ uri }),
    setLevel: () => client.setLoggingLevel("info"),
    [Symbol.asyncDispose]: () => client.close(),
  };
}

async function connectV2(
  url: string,
  {
    transport: settings,
    probeTimeout,
    uri = GROWING,
    ask = () => "Ada",
    hear,
    onlost,
    onclose,
    onerror,
  }: ConnectOptions,
  mode: VersionNegotiationMode,
): Promise<TestClient> {
  const probe = { timeoutMs: probeTimeout ?? 5_000 };
  const versionNegotiation = { mode, probe };
  const client = new Client(INFO, { capabilities: CAPABILITIES, versionNegotiation });
  client.setRequestHandler("elicitation/create", async (_, { mcpReq }) => {
    return { action: "accept", content: { name: await ask(mcpReq.signal) } };
  });
  client.setRequestHandler("sampling/createMessage", () => sampled());
  for (const method of ["notifications/resources/updated", "notifications/message"] as const) {
    client.setNotificationHandler(method, () => hear?.(method));
  }
  Object.assign(client, { onclose, onerror });
  const transport = new WebSocketClientTransport(url, settings);
  if (onlost) transport.addEventListener("lost", onlost);
  await client.connect(transport);
  return {
    era: client.getProtocolEra(),
    listTools: async () => (await client.listTools()).tools.map(({ name }) => name),
    async call(name, args = {}, { signal, timeout, onProgress } = {}) {
      const result = await client.callTool({ name, arguments: args }, {
        ...(signal && { signal }),
        ...(timeout && { timeout }),
        ...(onProgress && { onprogress: ({ progress }) => onProgress(progress) }),
      });
      return textOf(result);
    },
    read: async () => textOf({ content: (await client.readResource({ uri })).contents }),
    subscribe: () => {
      return client.getProtocolEra() === "modern"
        ? client.listen({ resourceSubscriptions: [uri] })
        : client.subscribeResource({ uri });
    },
    setLevel: () => client.setLoggingLevel("info"),
    [Symbol.asyncDispose]: () => client.close(),
  };
}

async function connectOurs(
  url: string,
  { transport, probeTimeout, uri = GROWING, ask = () => "Ada", hear, onlost, onclose, onerror }:
    ConnectOptions,
  era: "legacy" | "auto",
): Promise<TestClient> {
  const capabilities = CAPABILITIES;
  const client = new MCPWebSocketClient(url, { ...transport, probeTimeout, era, capabilities });
  client.handle("elicitation/create", async (_, { signal }) => {
    return { action: "accept", content: { name: await ask(signal) } };
  });
  client.handle("sampling/createMessage", () => sampled());
  client.onAnyNotification(({ method }) => hear?.(method));
  client.addEventListener("statechange", ({ detail }) => {
    if (detail.state.status === "failed") onclose?.();
  });
  client.addEventListener("lost", () => onlost?.());
  client.addEventListener("error", ({ detail }) => onerror?.(detail.error));
  await client.connect();
  return {
    era: client.era,
    listTools: async () => (await client.request("tools/list")).tools.map(({ name }) => name),
    async call(name, args = {}, { signal, timeout, onProgress } = {}) {
      const result = await client.request("tools/call", { name, arguments: args }, {
        signal,
        timeout,
        onProgress: onProgress && (({ progress }) => onProgress(progress)),
      });
      return textOf(result);
    },
    read: async () => {
      return textOf({
        content: (await client.request("resources/read", { uri })).contents,
      });
    },
    subscribe: () => {
      return client.era === "modern"
        ? listen(client, uri)
        : client.request("resources/subscribe", { uri });
    },
    setLevel: () => client.request("logging/setLevel", { level: "info" }),
    [Symbol.asyncDispose]: () => client.disconnect(),
  };
}

/** Subscribes in the modern era: the request stays open, and is rejected in the end. */
async function listen(client: MCPWebSocketClient, uri: string): Promise<void> {
  const acknowledged = Promise.withResolvers<unknown>();
  client.onNotification("notifications/subscriptions/acknowledged", acknowledged.resolve);
  const notifications = { resourceSubscriptions: [uri] };
  client.request("subscriptions/listen", { notifications }).catch(acknowledged.reject);
  await acknowledged.promise;
}

function sampled(): {
  role: "assistant";
  model: string;
  content: { type: "text"; text: string };
} {
  return { role: "assistant", model: "test", content: { type: "text", text: "42" } };
}

/** The first text of a result. */
function textOf(result: Record<string, unknown>): string {
  const { content } = result;
  const [first] = Array.isArray(content) ? content : [];
  if (result.isError !== true) return String(first?.text);
  throw new Error(String(first?.text));
}
