import { assert, assertEquals, assertRejects } from "@std/assert";
import { MCPWebSocketClient, type MCPWebSocketClientOptions } from "@bowline/mcp-websocket/client";
import { MCPWebSocketServer } from "@bowline/mcp-websocket/server";
import { ChaosLink } from "../support/chaos_link.ts";
import { until } from "../support/until.ts";

const MIB = 2 ** 20;
/** More than a bare socket of Deno takes in one frame. */
const HUGE = 70 * MIB;
/** Many times what a socket is given at once. */
const LARGE = 16 * MIB;
/** Room for the largest of them. */
const ROOM = 128 * MIB;

/** A server that takes and gives large messages, and what its handlers have heard, in order. */
async function serve(): Promise<{ server: MCPWebSocketServer; port: number; heard: string[] }> {
  const heard: string[] = [];
  const server = new MCPWebSocketServer({
    name: "large",
    version: "1.0.0",
    maxMessageBytes: ROOM,
    maxSendBytes: ROOM,
    session: { maxWaitingBytes: ROOM },
  });
  server.handle("x/up", ({ data }) => {
    heard.push("up");
    return { units: String(data).length };
  });
  server.handle("x/down", ({ units }) => ({ data: "x".repeat(Number(units)) }));
  server.handle("x/small", () => {
    heard.push("small");
    return {};
  });
  server.handle("x/wait", (_params, { signal }) => {
    heard.push("wait");
    return new Promise((resolve) => {
      signal.addEventListener("abort", () => {
        heard.push("cancelled");
        resolve({});
      }, { once: true });
    });
  });
  const { port } = new URL((await server.start({ port: 0 })).url);
  return { server, port: Number(port), heard };
}

/** A client in a session, on its first connection or a later one. */
async function connect(
  port: number,
  options: MCPWebSocketClientOptions = {},
): Promise<MCPWebSocketClient> {
  const client = new MCPWebSocketClient(`ws://127.0.0.1:${port}/mcp`, {
    era: "legacy",
    require: "bowline.v1",
    maxSendBytes: ROOM,
    maxReceiveBytes: ROOM,
    ...options,
  });
  await client.connect();
  return client;
}

/** Sends data; gives how much the server got, in UTF-16 units. */
async function upload(client: MCPWebSocketClient, data: string): Promise<unknown> {
  const result = await client.request("x/up", { data });
  return (result as { units: unknown }).units;
}

/** Gets so much data. */
async function download(client: MCPWebSocketClient, units: number): Promise<string> {
  const result = await client.request("x/down", { units });
  return String((result as { data: unknown }).data);
}

/** Asks for everything at once; gives the names in the order of the answers. */
async function raceOf(calls: Record<string, () => Promise<unknown>>): Promise<string[]> {
  const order: string[] = [];
  const running = Object.entries(calls).map(([name, call]) => call().then(() => order.push(name)));
  await Promise.all(running);
  return order;
}

Deno.test("a session carries messages above 64 MiB, both ways, and holds nothing afterwards", async () => {
  const { server, port } = await serve();
  await using _server = server;
  await using client = await connect(port);
  const units = await upload(client, "x".repeat(HUGE));
  assertEquals(units, HUGE);
  assert(await download(client, HUGE) === "x".repeat(HUGE));
  await until(() => server.health().bufferedBytes === 0);
  assertEquals(client.getStats().reconnects, 0);
});

Deno.test("a session carries large text of any characters", async () => {
  const { server, port } = await serve();
  await using _server = server;
  await using client = await connect(port);
  const data = "a€😀é".repeat(MIB / 4);
  const units = await upload(client, data);
  assertEquals(units, data.length);
});

Deno.test("request() is refused when it is larger than one end allows, with size and limit", async () => {
  const { server, port } = await serve();
  await using _server = server;
  await using strict = await connect(port, { maxSendBytes: MIB });
  const data = "x".repeat(MIB);
  await assertRejects(() => strict.request("x/up", { data }), RangeError, "must be <= 1048576");
  await using client = await connect(port, { maxSendBytes: 2 * ROOM });
  const beyond = { data: "x".repeat(ROOM) };
  const told = `the server takes ${ROOM} bytes: current size is ${ROOM + 61}`;
  await assertRejects(() => client.request("x/up", beyond), RangeError, told);
  assertEquals(await client.request("x/small"), {});
});

Deno.test("small requests, pings and cancels overtake a large request", async () => {
  const { server, port, heard } = await serve();
  await using _server = server;
  await using client = await connect(port);
  const controller = new AbortController();
  const waiting = client.request("x/wait", {}, { signal: controller.signal });
  await until(() => heard.length === 1);
  const large = { data: "x".repeat(LARGE) };
  const race = raceOf({
    large: () => client.request("x/up", large),
    small: () => client.request("x/small"),
    ping: () => client.request("ping"),
  });
  controller.abort();
  await assertRejects(() => waiting, DOMException);
  assertEquals(await race, ["small", "ping", "large"]);
  assertEquals(heard, ["wait", "small", "cancelled", "up"]);
});

Deno.test("small answers overtake a large result", async () => {
  const { server, port } = await serve();
  await using _server = server;
  await using client = await connect(port);
  const order = await raceOf({
    large: () => client.request("x/down", { units: LARGE }),
    small: () => client.request("x/small"),
    ping: () => client.request("ping"),
  });
  assertEquals(order, ["small", "ping", "large"]);
});

Deno.test("a large message that is cut off starts over, and arrives once", async () => {
  const { server, port, heard } = await serve();
  await using _server = server;
  const plan = (index: number) => index === 0 ? { cut: { up: LARGE / 4 } } : {};
  await using link = ChaosLink.open(port, { plan });
  await using client = await connect(link.port, {
    reconnect: { minDelay: 1, maxDelay: 20, immediate: [] },
  });
  const units = await upload(client, "x".repeat(LARGE));
  assertEquals([units, heard], [LARGE, ["up"]]);
  assertEquals([link.stats.cuts, client.getStats().reconnects], [1, 1]);
});

Deno.test("a large result that is cut off starts over, and arrives once", async () => {
  const { server, port } = await serve();
  await using _server = server;
  const plan = (index: number) => index === 0 ? { cut: { down: LARGE / 4 } } : {};
  await using link = ChaosLink.open(port, { plan });
  await using client = await connect(link.port, {
    reconnect: { minDelay: 1, maxDelay: 20, immediate: [] },
  });
  assertEquals((await download(client, LARGE)).length, LARGE);
  assertEquals([link.stats.cuts, client.getStats().reconnects], [1, 1]);
});

Deno.test("a large request that is cancelled on the way stops there", async () => {
  const { server, port, heard } = await serve();
  await using _server = server;
  await using link = ChaosLink.open(port);
  await using client = await connect(link.port);
  const controller = new AbortController();
  const params = { data: "x".repeat(HUGE) };
  const large = client.request("x/up", params, { signal: controller.signal });
  await until(() => link.stats.up > MIB);
  controller.abort();
  await assertRejects(() => large, DOMException);
  assertEquals(await client.request("x/small"), {});
  assertEquals(heard, ["small"]);
  assert(link.stats.up < HUGE, `${link.stats.up} bytes went up`);
});
