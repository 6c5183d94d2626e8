import { WebSocketClientTransport } from "@bowline/mcp-websocket/client";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { measureLatency, measureThroughput } from "./blocks.ts";
import type { Scale } from "./figures.ts";
import { atLeast, atMost, type Figure } from "./ratios.ts";
import { TOOL } from "./sdk_server.ts";
import type { Addresses } from "./server_process.ts";

/** Both clients of the SDK, connected. */
export interface SdkClients extends AsyncDisposable {
  /** Over this package's transport. */
  readonly ours: Client;
  /** Over the SDK's Streamable HTTP. */
  readonly http: Client;
}

/** Connects one client of the SDK over each transport, both in the SDK's default era. */
export async function openSdkClients({ sdk, sdkHttp }: Addresses): Promise<SdkClients> {
  const ours = new Client({ name: "bench", version: "1.0.0" });
  const http = new Client({ name: "bench", version: "1.0.0" });
  await ours.connect(new WebSocketClientTransport(sdk, { require: "bowline.v1" }));
  await http.connect(new StreamableHTTPClientTransport(new URL(sdkHttp)));
  return {
    ours,
    http,
    async [Symbol.asyncDispose](): Promise<void> {
      await ours.close();
      await http.close();
    },
  };
}

/**
 * `tools/call` of the same SDK over both transports: a session, and Streamable HTTP.
 *
 * @param clients Both, connected.
 * @param scale How much is measured.
 * @returns The figures.
 */
export function sdkFigures(clients: SdkClients, { pairs, calls: share }: Scale): Figure[] {
  const call = (client: Client) => () =>
    client.callTool({ name: TOOL, arguments: { text: "hello" } });
  const ours = call(clients.ours);
  const http = call(clients.http);
  const one = Math.max(1, Math.round(100 * share));
  const many = Math.max(1, Math.round(256 * share));
  const few = Math.ceil(pairs / 2);
  const sides = { over: "bowline.v1", against: "SDK's HTTP" } as const;
  return [
    {
      name: "SDK tools/call p50",
      unit: "ms",
      ...sides,
      goals: [atMost(0.25)],
      pairs: few,
      warmUps: 3,
      ours: () => measureLatency(ours, one),
      floor: () => measureLatency(http, one),
    },
    {
      name: "SDK tools/call, 64 in flight",
      unit: "/s",
      ...sides,
      goals: [atLeast(10)],
      pairs: few,
      warmUps: 3,
      ours: () => measureThroughput(ours, many * 8, 64),
      floor: () => measureThroughput(http, many, 64),
    },
  ];
}
