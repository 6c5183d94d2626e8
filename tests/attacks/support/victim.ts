// A server in a process of its own: see victim_process.ts for what it is told and tells.
import { startGuard } from "../../../guard/mod.ts";
import { Capture, describe } from "./capture.ts";
import { levelsOf, makeServer, WINDOW } from "./ground.ts";

const encoder = new TextEncoder();

/** Writes one line: what it is about, and the rest as JSON. */
function tell(kind: string, content: unknown): void {
  Deno.stdout.writeSync(encoder.encode(`${kind} ${JSON.stringify(content)}\n`));
}

const capture = new Capture();
const at = (level: string) => (text: string) => tell("log", `${level} ${text}`);
const logger = { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
const onError = (error: Error) => tell("text", describe(error));
const { server: changes = {}, guard } = JSON.parse(Deno.args[0] ?? "{}");
const session = { window: WINDOW, ...changes.session };
const server = makeServer(capture, { server: { logger, onError, ...changes, session } });
const listener = guard === undefined
  ? await server.start({ port: 0 })
  : startGuard({ port: 0, logger, ...guard }, server.fetch);
tell("port", listener.port);

for await (const text of Deno.stdin.readable.pipeThrough(new TextDecoderStream())) {
  for (const question of text.trim().split("\n")) {
    if (question === "levels") tell("levels", levelsOf(server));
    if (question === "metrics") tell("metrics", server.metrics());
  }
}
await server.stop({ timeout: 0 });
Deno.exit();
