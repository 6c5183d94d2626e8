import { ChaosLink } from "../support/chaos_link.ts";
import { Control } from "./_control.ts";
import type { Places } from "./scenario.ts";
import { ServerProcess } from "./_server_process.ts";

/** Everything that the scenario is played with, on loopback ports that were free. */
export class Stage implements AsyncDisposable {
  /** The path of the scenario's bundle. */
  readonly bundle: string;
  /** What the scenario is told. */
  readonly places: Places;
  readonly #control: Control;
  readonly #link: ChaosLink;
  readonly #silent: Deno.TcpListener;
  readonly #untrusted: Deno.HttpServer<Deno.NetAddr>;
  #server: ServerProcess;

  private constructor(bundle: string, server: ServerProcess) {
    this.bundle = bundle;
    this.#server = server;
    this.#link = ChaosLink.open(server.port);
    this.#control = new Control(bundle, {
      signal: (signal) => this.#signal(signal),
      cut: () => void this.#link.cut(),
    });
    // Connections are made by the system; nobody accepts, so nobody answers.
    this.#silent = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    this.#untrusted = serveUntrusted();
    this.places = {
      server: `ws://127.0.0.1:${server.port}/mcp`,
      frail: this.#link.url(),
      control: this.#control.url,
      hostile: this.#control.url.replace("http:", "ws:"),
      refused: `ws://127.0.0.1:${findClosedPort()}/mcp`,
      silent: `ws://127.0.0.1:${(this.#silent.addr as Deno.NetAddr).port}/mcp`,
      untrusted: `wss://127.0.0.1:${this.#untrusted.addr.port}/mcp`,
    };
  }

  /** Opens one, with the bundle at the given path. */
  static async open(bundle: string): Promise<Stage> {
    return new Stage(bundle, await ServerProcess.start());
  }

  /** Leaves nothing behind. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#silent.close();
    await this.#link.close();
    await this.#control[Symbol.asyncDispose]();
    await this.#untrusted.shutdown();
    await this.#server[Symbol.asyncDispose]();
  }

  async #signal(signal: Deno.Signal): Promise<void> {
    if (signal === "SIGSTOP" || signal === "SIGCONT") return this.#server.signal(signal);
    const { port } = this.#server;
    await this.#server.end(signal);
    this.#server = await ServerProcess.start(port);
  }
}

/** A server with the tests' own certificate, which no runtime knows. */
function serveUntrusted(): Deno.HttpServer<Deno.NetAddr> {
  const read = (name: string) =>
    Deno.readTextFileSync(new URL(`../support/tls/${name}.pem`, import.meta.url));
  return Deno.serve({
    hostname: "127.0.0.1",
    port: 0,
    cert: read("server_cert"),
    key: read("server_key"),
    onListen() {},
  }, () => new Response(null, { status: 404 }));
}

function findClosedPort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

/** Bundles the scenario as it would be for a web page. Returns the bundle's path. */
export async function bundleScenario(folder: string): Promise<string> {
  const bundle = `${folder}/scenario.mjs`;
  const source = new URL("scenario.ts", import.meta.url).pathname;
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["bundle", "--quiet", "--platform", "browser", "--output", bundle, source],
    stdout: "null",
    stderr: "piped",
  }).output();
  if (success) return bundle;
  throw new TypeError(`Cannot bundle scenario: ${new TextDecoder().decode(stderr)}`);
}
