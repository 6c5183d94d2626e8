import { WebSocketClientTransport } from "@bowline/mcp-websocket/client";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { measureLatency, measureThroughput } from "./blocks.ts";
import { Child } from "./child.ts";
import { atLeast, atMost, type Goal } from "./goals.ts";
import { figureJob, type Job, type Scale, scaled } from "./jobs.ts";
import type { Figure } from "./ratios.ts";
import { ClientV1, HttpClientTransportV1, StdioClientTransportV1 } from "./sdk_v1.ts";
import type { Stage } from "./stage.ts";

/** The SDKs. */
const SDKS = ["v1", "v2"] as const;
type Sdk = typeof SDKS[number];

/** What their messages go over. */
type Way = "ours" | "http" | "stdio";

/** Where the server process listens, for each SDK. */
export type SdkAddresses = Readonly<Record<Sdk, Readonly<Record<"ours" | "http", string>>>>;

/** A client of an SDK, connected. */
interface SdkClient extends AsyncDisposable {
  /** `tools/call`. */
  call(): Promise<unknown>;
}

const INFO = { name: "bench", version: "1.0.0" };
const CALL = { name: "echo", arguments: { text: "hello" } };

/**
 * `tools/call` of the same SDK over a session of this package, over Streamable
 * HTTP and over stdio; client and server are of the same SDK, in its default era.
 *
 * @param stage Where the clients stay.
 * @param scale How much is measured.
 * @returns The figures.
 */
export function sdkFigures(stage: Stage, scale: Scale): Job[] {
  const server = stage.lazy(() => Child.startScript<SdkAddresses>("sdk_server.ts"));
  return SDKS.flatMap((sdk) => figuresOf(sdk)).map(figureJob);

  function figuresOf(sdk: Sdk): Figure[] {
    const lazy = (way: Way) =>
      stage.lazy(async () => await CONNECT[sdk](way, (await server()).hello[sdk]));
    const [ours, http, stdio] = [lazy("ours"), lazy("http"), lazy("stdio")];
    const sides = (other: typeof http, block: (client: SdkClient) => Promise<number>) => ({
      ours: async () => await block(await ours()),
      floor: async () => await block(await other()),
    });
    const one = (against: string, other: typeof http, goals: readonly Goal[]): Figure => ({
      name: `SDK ${sdk} tools/call p50`,
      unit: "ms",
      over: "bowline.v1",
      against,
      goals,
      pairs: Math.ceil(scale.pairs / 2),
      warmUps: 3,
      ...sides(other, ({ call }) => measureLatency(call, scaled(100, scale))),
    });
    const many = (against: string, other: typeof http, goals: readonly Goal[]): Figure => ({
      name: `SDK ${sdk} tools/call, 64 in flight`,
      unit: "/s",
      over: "bowline.v1",
      against,
      goals,
      pairs: Math.ceil(scale.pairs / 2),
      warmUps: 3,
      ...sides(other, ({ call }) => measureThroughput(call, scaled(512, scale), 64)),
    });
    return [
      one("SDK's HTTP", http, [atMost(0.25)]),
      many("SDK's HTTP", http, [atLeast(10)]),
      one("SDK's stdio", stdio, []),
      many("SDK's stdio", stdio, []),
    ];
  }
}

type Connect = (way: Way, addresses: SdkAddresses[Sdk]) => Promise<SdkClient>;

const CONNECT: Readonly<Record<Sdk, Connect>> = {
  async v1(way, { ours, http }) {
    const client = new ClientV1(INFO);
    const connect = {
      ours: () => client.connect(new WebSocketClientTransport(ours, { require: "bowline.v1" })),
      http: () => client.connect(new HttpClientTransportV1(new URL(http))),
      stdio: () => client.connect(new StdioClientTransportV1(stdioServer("v1"))),
    };
    await connect[way]();
    return { call: () => client.callTool(CALL), [Symbol.asyncDispose]: () => client.close() };
  },
  async v2(way, { ours, http }) {
    const client = new Client(INFO);
    const connect = {
      ours: () => client.connect(new WebSocketClientTransport(ours, { require: "bowline.v1" })),
      http: () => client.connect(new StreamableHTTPClientTransport(new URL(http))),
      stdio: () => client.connect(new StdioClientTransport(stdioServer("v2"))),
    };
    await connect[way]();
    return { call: () => client.callTool(CALL), [Symbol.asyncDispose]: () => client.close() };
  },
};

function stdioServer(sdk: Sdk): { command: string; args: string[] } {
  const script = new URL("sdk_server.ts", import.meta.url).pathname;
  return { command: Deno.execPath(), args: ["run", "-A", script, "stdio", sdk] };
}
