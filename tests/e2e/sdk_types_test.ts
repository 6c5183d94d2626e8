import type { Transport as TransportOfClientV2 } from "@modelcontextprotocol/client";
import type { Transport as TransportOfServerV2 } from "@modelcontextprotocol/server";
import { assertEquals } from "@std/assert";
import { type adopt, WebSocketClientTransport } from "../../client/mod.ts";
import type { SocketTransport } from "../../client/mod.ts";
import type { WebSocketServerTransport } from "../../server/mod.ts";
import type { TransportTypeV1 } from "./support/sdk_v1.ts";

type IsAny<T> = 0 extends 1 & T ? true : false;
type Fits<Ours, Theirs> = IsAny<Theirs> extends true ? "untyped"
  : Ours extends Theirs ? "fits"
  : "does not fit";

Deno.test("transports are assignable to the Transport of each SDK", () => {
  // Checked by the compiler, under exactOptionalPropertyTypes.
  const fits: [
    Fits<WebSocketClientTransport, TransportTypeV1>,
    Fits<WebSocketClientTransport, TransportOfClientV2>,
    Fits<WebSocketClientTransport, TransportOfServerV2>,
    Fits<WebSocketServerTransport, TransportTypeV1>,
    Fits<WebSocketServerTransport, TransportOfClientV2>,
    Fits<WebSocketServerTransport, TransportOfServerV2>,
    Fits<SocketTransport, TransportTypeV1>,
    Fits<SocketTransport, TransportOfClientV2>,
    Fits<SocketTransport, TransportOfServerV2>,
    Fits<ReturnType<typeof adopt>, TransportTypeV1>,
  ] = ["fits", "fits", "fits", "fits", "fits", "fits", "fits", "fits", "fits", "fits"];
  assertEquals(new Set(fits), new Set(["fits"]));
});

Deno.test("a transport's slots can be written, as the SDKs do", () => {
  const transport: TransportTypeV1 & TransportOfClientV2 = new WebSocketClientTransport(
    "ws://127.0.0.1:9/mcp",
  );
  const start = () => Promise.resolve();
  transport.start = start;
  transport.onmessage = () => {};
  transport.onerror = () => {};
  transport.onclose = () => {};
  assertEquals(transport.start, start);
  assertEquals(Object.isExtensible(transport), true);
});

Deno.test("a transport has none of the members that mean Streamable HTTP", () => {
  const transport: TransportOfClientV2 = new WebSocketClientTransport("ws://127.0.0.1:9/mcp");
  assertEquals(transport.hasPerRequestStream, undefined);
  assertEquals(transport.setSupportedProtocolVersions, undefined);
  assertEquals(transport.sessionId, undefined);
});
