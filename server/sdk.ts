import type { JsonRpcMessage } from "../protocol/jsonrpc.ts";
import type { MessageExtra } from "../protocol/transport.ts";
import type { WebSocketServerTransport } from "./transport.ts";

/** What an SDK's `serveStdio` gives to the server it has made. */
export interface SdkChannel {
  /** The session, as handlers see it. */
  sessionId?: string | undefined;
  /** Set by the server when it is connected. */
  onmessage?:
    | ((message: JsonRpcMessage, extra?: MessageExtra) => void)
    | undefined;
}

/** A server as the SDKs make it; what it connects to is the SDK's business. */
export interface SdkServer {
  /** Attaches the server to a channel. */
  connect(channel: never): Promise<void>;
}

/**
 * Lets the handlers of an SDK server see the connection they serve. SDK v2
 * speaks the modern era only through `serveStdio`, and `serveStdio` keeps the
 * connection's session id, request and principal to itself.
 *
 * @example Both eras with SDK v2
 * ```ts ignore
 * import { serveStdio } from "@modelcontextprotocol/server/stdio";
 *
 * const handler = createWebSocketHandler((session) => {
 *   serveStdio(withSession(buildServer, session), { transport: session });
 * });
 * ```
 *
 * @typeParam Args What the SDK gives to the factory.
 * @typeParam Server The SDK's server.
 * @param factory Makes a server for one connection.
 * @param transport The connection.
 * @returns A factory for `serveStdio`.
 */
export function withSession<Args extends unknown[], Server extends SdkServer>(
  factory: (...args: Args) => Server | Promise<Server>,
  transport: WebSocketServerTransport,
): (...args: Args) => Promise<Server> {
  return async (...args) => {
    const server = await factory(...args);
    const connect = server.connect.bind(server) as (
      channel: SdkChannel,
    ) => Promise<void>;
    server.connect = async (channel: SdkChannel) => {
      channel.sessionId = transport.id;
      await connect(channel);
      // Set by `connect`; the SDK delivers nothing before `connect` has ended.
      const deliver = channel.onmessage;
      channel.onmessage = (message, extra) => deliver?.(message, { ...transport.extra, ...extra });
    };
    return server;
  };
}
