/**
 * A client in a process of its own: it says when it is connected, and how it
 * was lost. Its heartbeat may be switched off.
 */
import { MCPWebSocketClient } from "../../../client/mod.ts";

const [url = "", watches] = Deno.args;
const heartbeat = watches === "watching"
  ? { interval: 1_000, timeout: 500, maxMissed: 2 }
  : false as const;
const client = new MCPWebSocketClient(url, { era: "legacy", reconnect: false, heartbeat });
// deno-lint-ignore no-console -- what it prints is what the test reads
const say = (line: string) => console.log(line);
client.addEventListener("lost", ({ detail }) => say(`lost ${detail.loss.cause}`));
await client.connect();
say("connected");
