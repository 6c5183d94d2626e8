/** Does what is asked with the server's process, and the way to it. */
export interface ControlEvents {
  /** Signals the process. */
  signal(signal: Deno.Signal): Promise<void>;
  /** Cuts all connections on the way. */
  cut(): void;
}

const PAGE =
  '<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>Scenario</title></html>\n';

/**
 * What is around the MCP server: the page for browsers, a handle that signals
 * the server's process, and endpoints that refuse or misbehave.
 */
export class Control implements AsyncDisposable {
  /** Its URL, without a slash at the end. */
  readonly url: string;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  readonly #bundle: string;
  readonly #events: ControlEvents;
  /** Endpoints that have opened once. */
  readonly #used = new Set<string>();

  /**
   * @param bundle The path of the scenario's bundle.
   * @param events Does what is asked.
   */
  constructor(bundle: string, events: ControlEvents) {
    this.#bundle = bundle;
    this.#events = events;
    this.#server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen() {} },
      (request) => this.#answer(request),
    );
    this.url = `http://127.0.0.1:${this.#server.addr.port}`;
  }

  /** Stops it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }

  async #answer(request: Request): Promise<Response> {
    const { pathname } = new URL(request.url);
    const [, route, detail = ""] = pathname.split("/");
    switch (route) {
      case "":
        return respond(PAGE, "text/html");
      case "scenario.js":
        return respond(await Deno.readTextFile(this.#bundle), "text/javascript");
      case "signal":
        await this.#events.signal(detail as Deno.Signal);
        return new Response(null, { status: 204 });
      case "cut":
        this.#events.cut();
        return new Response(null, { status: 204 });
      case "status":
        return refuse(Number(detail));
      case "subprotocol":
        return acceptWith(request, detail);
      case "binary":
        return sendBinary(request);
      case "hang-up":
        return acceptAndHangUp(request, Number(detail));
      case "once":
        return this.#acceptOnce(request, detail);
      default:
        return new Response(null, { status: 404 });
    }
  }

  #acceptOnce(request: Request, key: string): Response {
    if (this.#used.has(key)) return refuse(404);
    this.#used.add(key);
    return acceptAndHangUp(request, 1011);
  }
}

function respond(body: string, type: string): Response {
  return new Response(body, { headers: { "Content-Type": `${type}; charset=utf-8` } });
}

function refuse(status: number): Response {
  const headers = { "Location": "/status/401", "Retry-After": "1" };
  return new Response(null, { status, headers });
}

/** Hangs up at the first message. */
function acceptAndHangUp(request: Request, code: number): Response {
  const { socket, response } = Deno.upgradeWebSocket(request, { protocol: "mcp" });
  socket.onmessage = () => socket.close(code, "Hanging up");
  return response;
}

function sendBinary(request: Request): Response {
  const { socket, response } = Deno.upgradeWebSocket(request, { protocol: "mcp" });
  socket.onopen = () => socket.send(new Uint8Array([123, 125]));
  return response;
}

/** Selects a subprotocol that the client may not have offered. */
function acceptWith(request: Request, protocol: string): Response {
  const { socket, response } = Deno.upgradeWebSocket(request);
  response.headers.set("Sec-WebSocket-Protocol", protocol);
  // Clients that notice leave in the middle.
  socket.onerror = () => {};
  return response;
}
