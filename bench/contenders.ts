import {
  MCPWebSocketClient,
  type MCPWebSocketClientOptions,
  type WebSocketClientOptions,
  WebSocketClientTransport,
} from "@bowline/mcp-websocket/client";
import { FloorClient } from "./floor.ts";
import { ECHO, echoParams, type Filler, NOTE } from "./messages.ts";
import { ServerProcess } from "./server_process.ts";
import type { Stage } from "./stage.ts";

/** One side of a comparison, with a connection that is open. */
export interface Contender extends AsyncDisposable {
  /** Sends a request that gives back its parameters. */
  request(params: Filler): Promise<unknown>;
  /** Sends a notification; a promise says when there is room for more. */
  notify(params: Filler): void | Promise<void>;
  /** Hears every notification of the other end. */
  hear(listener: () => void): void;
}

/** All that are compared, each connected when it is first asked for. */
export interface Contenders {
  /** Where they dial. */
  readonly server: () => Promise<ServerProcess>;
  /** This package, in a session. */
  readonly ours: () => Promise<Contender>;
  /** This package over plain `mcp`. */
  readonly plain: () => Promise<Contender>;
  /** The bare socket. */
  readonly floor: () => Promise<Contender>;
}

/**
 * What is compared, and a server process of its own.
 *
 * @param stage Where they stay.
 * @param options Of our clients.
 * @returns All of them, to be asked for.
 */
export function createContenders(
  stage: Stage,
  options: MCPWebSocketClientOptions = {},
): Contenders {
  const server = stage.lazy(() => ServerProcess.start());
  const addresses = async () => (await server()).addresses;
  return {
    server,
    ours: stage.lazy(async () => await openOurs((await addresses()).ours, "bowline.v1", options)),
    plain: stage.lazy(async () => await openOurs((await addresses()).ours, "mcp", options)),
    floor: stage.lazy(async () => await openFloor((await addresses()).floor)),
  };
}

/** Opens something at a URL. */
export type Open = (url: string) => Promise<AsyncDisposable>;

/** What this package speaks. */
export type Subprotocol = "bowline.v1" | "mcp";

/** A client of this package in the legacy era, over either subprotocol. */
export async function openOurs(
  url: string,
  protocol: Subprotocol = "bowline.v1",
  options: MCPWebSocketClientOptions = {},
): Promise<Contender> {
  const client = await openSession(url, protocol, options);
  return {
    request: (params) => client.request(ECHO, params),
    notify: (params) => client.notify(NOTE, params),
    hear: (listener) => client.onNotification(NOTE, listener),
    [Symbol.asyncDispose]: () => client.disconnect(),
  };
}

/** The same over plain `mcp`. */
export function openPlain(url: string): Promise<Contender> {
  return openOurs(url, "mcp");
}

/** A bare socket. */
export async function openFloor(url: string): Promise<Contender> {
  return contend(await FloorClient.open(url));
}

/** A bare socket over a unix socket. */
export async function openUnixFloor(path: string): Promise<Contender> {
  const client = Deno.createHttpClient({ proxy: { transport: "unix", path } });
  const contender = contend(await FloorClient.open("ws://localhost/", { client }));
  return {
    ...contender,
    async [Symbol.asyncDispose](): Promise<void> {
      await contender[Symbol.asyncDispose]();
      client.close();
    },
  };
}

function contend(client: FloorClient): Contender {
  return {
    request: (params) => client.request(ECHO, params),
    notify: (params) => client.notify(params),
    hear: (listener) => void (client.onnote = listener),
    [Symbol.asyncDispose]: () => client[Symbol.asyncDispose](),
  };
}

/** A transport that can carry the first message, without MCP's own opening. */
export async function openTransport(
  url: string,
  protocol: Subprotocol = "bowline.v1",
): Promise<WebSocketClientTransport> {
  const transport = new WebSocketClientTransport(url, offerOf(protocol));
  await transport.start();
  return transport;
}

/** A client on which MCP has been opened: `initialize` was answered. */
export async function openSession(
  url: string,
  protocol: Subprotocol = "bowline.v1",
  options: MCPWebSocketClientOptions = {},
): Promise<MCPWebSocketClient> {
  const client = new MCPWebSocketClient(url, { era: "legacy", ...offerOf(protocol), ...options });
  await client.connect();
  return client;
}

/** What makes sure that a figure measures what it says. */
function offerOf(
  protocol: Subprotocol,
): Pick<WebSocketClientOptions, "protocols" | "require"> {
  return protocol === "mcp" ? { protocols: ["mcp"] } : { require: protocol };
}

/** Opens, and waits for the answer to one request. */
export function openAndAsk(open: (url: string) => Promise<Contender>): Open {
  const params = echoParams(100);
  return async (url) => {
    const contender = await open(url);
    await contender.request(params);
    return contender;
  };
}
