import {
  MCPWebSocketClient,
  type MCPWebSocketClientOptions,
  WebSocketClientTransport,
} from "../../client/mod.ts";
import {
  factsOf,
  type Places,
  readHandshake,
  rejection,
  type Steps,
  withClient,
} from "./_world.ts";

/** What a client does when it is not let in. Whoever hangs, breaks the step's deadline. */
export const REFUSALS: Steps = {
  "status 401": ({ hostile }) => refusedBy(`${hostile}/status/401`),
  "status 403": ({ hostile }) => refusedBy(`${hostile}/status/403`),
  "status 503": ({ hostile }) => refusedBy(`${hostile}/status/503`),
  "a redirect": ({ hostile }) => refusedBy(`${hostile}/status/302`),
  "a path the server does not serve": ({ server }) => refusedBy(`${server}/elsewhere`),
  "nobody listens": ({ refused }) => refusedBy(refused),
  "nobody answers": ({ silent }) => refusedBy(silent, { connectTimeout: 200 }),
  "a certificate that nobody trusts": ({ untrusted }) => refusedBy(untrusted),
  "the caller gives up": givesUp,
  "a subprotocol that was not offered": ({ hostile }) => refusedBy(`${hostile}/subprotocol/other`),
  "a subprotocol that carries a credential": ({ hostile }) =>
    refusedBy(`${hostile}/subprotocol/mcp.auth.c2VjcmV0`),
  "a binary frame": refusesBinary,
  "headers": sendsHeaders,
  "a runtime without WebSocket": lacksWebSocket,
};

/** The error, the state after it, and whether the client can be used for another attempt. */
async function refusedBy(
  url: string,
  options: MCPWebSocketClientOptions = {},
): Promise<unknown> {
  const client = new MCPWebSocketClient(url, options);
  const error = factsOf(await rejection(client.connect()));
  const { status } = client.state;
  const again = factsOf(await rejection(client.connect()));
  // It is not disconnected: what has failed must leave nothing behind by itself.
  return { error, status, again: again.name };
}

async function givesUp({ silent }: Places): Promise<unknown> {
  const client = new MCPWebSocketClient(silent);
  const controller = new AbortController();
  const connecting = rejection(client.connect({ signal: controller.signal }));
  setTimeout(() => controller.abort(new RangeError("Enough")), 50);
  const error = await connecting;
  return { isReason: error === controller.signal.reason, status: client.state.status };
}

/** Whatever the runtime makes of binary data, it is no message. */
async function refusesBinary({ hostile }: Places): Promise<unknown> {
  const transport = new WebSocketClientTransport(`${hostile}/binary`, { reconnect: false });
  const closed = new Promise<void>((resolve) => transport.onclose = resolve);
  await transport.start();
  await closed;
  const { state } = transport;
  return { status: state.status, error: state.status === "failed" && factsOf(state.error) };
}

/** Browsers cannot send any, and have to say so. */
async function sendsHeaders({ server }: Places): Promise<unknown> {
  try {
    return await withClient(server, { headers: { "x-custom": "value" } }, readHandshake);
  } catch (error) {
    return factsOf(error);
  }
}

async function lacksWebSocket({ server }: Places): Promise<unknown> {
  const { WebSocket } = globalThis;
  try {
    Reflect.deleteProperty(globalThis, "WebSocket");
    return factsOf(await rejection(new MCPWebSocketClient(server).connect()));
  } finally {
    Object.defineProperty(globalThis, "WebSocket", {
      value: WebSocket,
      configurable: true,
      writable: true,
    });
  }
}
