import { MCPWebSocketClient, WebSocketClientTransport } from "@bowline/mcp-websocket/client";
import { FloorClient } from "./floor.ts";
import { ECHO, echoParams, type Filler, NOTE } from "./messages.ts";

/** One side of a comparison, with a connection that is open. */
export interface Contender extends AsyncDisposable {
  /** Sends a request that gives back its parameters. */
  request(params: Filler): Promise<unknown>;
  /** Sends a notification; a promise says when there is room for more. */
  notify(params: Filler): void | Promise<void>;
}

/** Both sides, connected. */
export interface Contenders {
  /** This package. */
  readonly ours: Contender;
  /** The bare socket. */
  readonly floor: Contender;
}

/** Opens something at a URL. */
export type Open = (url: string) => Promise<AsyncDisposable>;

/** A usable session of this package's client, in the legacy era. */
export async function openOurs(url: string): Promise<Contender> {
  const client = await openSession(url);
  return {
    request: (params) => client.request(ECHO, params),
    notify: (params) => client.notify(NOTE, params),
    [Symbol.asyncDispose]: () => client.disconnect(),
  };
}

/** A bare socket. */
export async function openFloor(url: string): Promise<Contender> {
  const client = await FloorClient.open(url);
  return {
    request: (params) => client.request(ECHO, params),
    notify: (params) => client.notify(params),
    [Symbol.asyncDispose]: () => client[Symbol.asyncDispose](),
  };
}

/** A transport that can carry the first message, without MCP's own opening. */
export async function openTransport(url: string): Promise<WebSocketClientTransport> {
  const transport = new WebSocketClientTransport(url);
  await transport.start();
  return transport;
}

/** A client on which MCP has been opened: `initialize` was answered. */
export async function openSession(url: string): Promise<MCPWebSocketClient> {
  const client = new MCPWebSocketClient(url, { era: "legacy" });
  await client.connect();
  return client;
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
