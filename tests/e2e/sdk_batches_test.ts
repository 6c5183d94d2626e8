import { assert, assertEquals, assertRejects } from "@std/assert";
import type { JsonRpcMessage } from "../../protocol/jsonrpc.ts";
import type { Json } from "../support/json_socket.ts";
import { createScene } from "./support/scene.ts";
import { ClientV1, type TransportTypeV1 } from "./support/sdk_v1.ts";
import { serve, type ServerKind } from "./support/serving.ts";

/** A transport for SDK v1 that speaks 2025-03-26, and joins what is sent in one turn to a batch. */
class BatchingTransport implements TransportTypeV1 {
  onclose?: () => void;
  onerror?: (error: Error) => void;
  onmessage?: TransportTypeV1["onmessage"];
  readonly sent: Json[] = [];
  readonly received: Json[] = [];
  readonly #socket: WebSocket;
  #waiting: JsonRpcMessage[] = [];

  constructor(url: string) {
    this.#socket = new WebSocket(url, "mcp");
  }

  start(): Promise<void> {
    const socket = this.#socket;
    socket.onclose = () => this.onclose?.();
    socket.onmessage = ({ data }) => {
      const frame = JSON.parse(data);
      this.received.push(frame);
      for (const message of [frame].flat()) this.onmessage?.(message);
    };
    return new Promise((resolve) => socket.onopen = () => resolve());
  }

  send(message: JsonRpcMessage): Promise<void> {
    if (this.#waiting.push(message) === 1) setTimeout(() => this.#flush(), 0);
    return Promise.resolve();
  }

  close(): Promise<void> {
    const closed = new Promise<void>((resolve) => {
      this.#socket.onclose = () => {
        this.onclose?.();
        resolve();
      };
    });
    this.#socket.close();
    return closed;
  }

  #flush(): void {
    const messages: Json[] = this.#waiting;
    this.#waiting = [];
    for (const { method, params } of messages) {
      if (method === "initialize") params.protocolVersion = "2025-03-26";
    }
    const frame = messages.length === 1 ? messages[0] : messages;
    this.sent.push(frame);
    this.#socket.send(JSON.stringify(frame));
  }
}

for (const kind of ["own", "v1", "v2"] as const satisfies ServerKind[]) {
  Deno.test(`a client of SDK v1 that speaks 2025-03-26 sends batches to a server of ${kind}, and gets one answer to each`, async () => {
    await using served = await serve(kind, { ...createScene(), holds: true });
    const transport = new BatchingTransport(served.url);
    const client = new ClientV1({ name: "v1", version: "1.0.0" });
    await client.connect(transport);
    const giveUp = new AbortController();
    const echo = (text: string) => client.callTool({ name: "echo", arguments: { text } });
    const look = client.callTool({ name: "look" }, undefined, { signal: giveUp.signal });
    const echoes = Promise.all([echo("a"), echo("b")]);
    const failed = assertRejects(() => client.getPrompt({ name: "none" }));
    const cancelled = assertRejects(() => look);
    const batched = () => transport.sent.findLast(Array.isArray);
    while (batched() === undefined) await new Promise((resolve) => setTimeout(resolve, 1));
    giveUp.abort("Not needed");
    const texts = (await echoes).map(({ content }: Json) => content[0].text);
    assertEquals(texts, ["a", "b"]);
    await Promise.all([failed, cancelled]);
    assertEquals(batched()?.filter(({ id }: Json) => id !== undefined).length, 4);
    const answers = transport.received.filter((frame) => Array.isArray(frame));
    assertEquals(answers.map(({ length }) => length), [3]);
    assert(answers.flat().every(({ id }) => id !== undefined));
    await client.close();
  });
}
