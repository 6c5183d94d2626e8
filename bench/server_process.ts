/** Where the server process listens. */
export interface Addresses {
  /** This package's server. */
  readonly ours: string;
  /** The bare socket. */
  readonly floor: string;
  /** An SDK's server behind this package's transport. */
  readonly sdk: string;
  /** The same over the SDK's Streamable HTTP. */
  readonly sdkHttp: string;
}

/** The server, in a process of its own: it shares no event loop with what measures it. */
export class ServerProcess implements AsyncDisposable {
  /** Where it listens. */
  readonly addresses: Addresses;
  readonly #child: Deno.ChildProcess;

  private constructor(child: Deno.ChildProcess, addresses: Addresses) {
    this.#child = child;
    this.addresses = addresses;
  }

  /**
   * Starts it.
   *
   * @returns The process, as soon as it listens.
   * @throws {Error} If it does not say where.
   */
  static async start(): Promise<ServerProcess> {
    const script = new URL("./server.ts", import.meta.url);
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", script.href],
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    return new ServerProcess(child, JSON.parse(await readLine(child.stdout)));
  }

  /** Lets this process end although the server still runs; the server ends then, too. */
  unref(): void {
    this.#child.unref();
  }

  /** Ends the server. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#child.stdin.close();
    await this.#child.status;
  }
}

async function readLine(stream: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<string> {
  let text = "";
  for await (const chunk of stream.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    if (text.includes("\n")) return text;
  }
  throw new Error("Cannot start server: it ended without a word");
}
