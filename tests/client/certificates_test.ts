import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import type { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { createServer, type TLSSocket } from "node:tls";
import type { WebSocketClientOptions } from "../../client/options.ts";
import { WebSocketClientTransport } from "../../client/transport.ts";
import { MCPConnectionError } from "../../protocol/errors.ts";
import { playLegacy, ScriptedServer } from "../support/scripted_server.ts";

const TLS = new URL("../support/tls/", import.meta.url);
const readTls = (name: string) => Deno.readTextFile(new URL(name, TLS));

/** Reconnects at once, also the first time. */
const EAGER = { initial: true, attempts: 5, minDelay: 1, maxDelay: 1 };

/** A server whose certificate no authority has issued that the system knows. */
async function serveTls(): Promise<ScriptedServer> {
  const cert = await readTls("server_cert.pem");
  const key = await readTls("server_key.pem");
  const listener = Deno.listenTls({ hostname: "127.0.0.1", port: 0, cert, key });
  return new ScriptedServer((visit) => playLegacy(visit), { listener, scheme: "wss" });
}

Deno.test("a certificate of an unknown authority ends it at once, even if it may retry", async () => {
  await using server = await serveTls();
  await using transport = new WebSocketClientTransport(server.url, { reconnect: EAGER });
  const error = await assertRejects(() => transport.start(), MCPConnectionError);
  assertEquals([error.verdict, error.retryable], [{ cause: "tls", pace: "never" }, false]);
  assertEquals(transport.getStats().attempts, 1);
});

Deno.test("a certificate of an authority that caCerts names is taken", async () => {
  await using server = await serveTls();
  using httpClient = Deno.createHttpClient({ caCerts: [await readTls("ca_cert.pem")] });
  await using transport = new WebSocketClientTransport(server.url, { httpClient });
  await transport.start();
  assertEquals(transport.state.status, "connected");
});

Deno.test("an HTTP client is no way around the URL policy", () => {
  using httpClient = Deno.createHttpClient({});
  const options: WebSocketClientOptions = {
    httpClient,
    urlPolicy: { environment: "production" },
  };
  assertThrows(
    () => new WebSocketClientTransport("wss://127.0.0.1/", options),
    Error,
    "loopback",
  );
});

/** A server that lets in who has a certificate, and says whose it is. */
class Doorkeeper implements AsyncDisposable {
  readonly guests: string[] = [];
  readonly #sockets = new Set<TLSSocket>();
  readonly #server;

  private constructor(server: ReturnType<typeof createServer>) {
    this.#server = server;
    server.on("secureConnection", (socket) => this.#welcome(socket));
    // Who has none is told by the handshake.
    server.on("tlsClientError", () => {});
  }

  static async open(): Promise<Doorkeeper> {
    const [cert, key, ca] = await Promise.all(
      ["server_cert.pem", "server_key.pem", "client_ca_cert.pem"].map(readTls),
    );
    const server = createServer({
      cert: cert ?? "",
      key: key ?? "",
      ca: ca ?? "",
      requestCert: true,
      rejectUnauthorized: true,
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return new Doorkeeper(server);
  }

  get url(): string {
    return `wss://127.0.0.1:${(this.#server.address() as AddressInfo).port}/mcp`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    const closed = once(this.#server, "close");
    this.#server.close();
    await closed;
  }

  #welcome(socket: TLSSocket): void {
    this.#sockets.add(socket);
    socket.on("error", () => {});
    let request = "";
    socket.on("data", (data: Buffer) => {
      request += data.toString("latin1");
      if (!request.endsWith("\r\n\r\n")) return;
      const [, key = ""] = /^sec-websocket-key: (.*)\r$/im.exec(request) ?? [];
      request = "";
      this.guests.push(String(socket.getPeerCertificate().subject.CN));
      const accept = createHash("sha1")
        .update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
      socket.write(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
          `Sec-WebSocket-Accept: ${accept}\r\nSec-WebSocket-Protocol: mcp\r\n\r\n`,
      );
    });
  }
}

Deno.test("a client certificate is shown to a server that asks for one", async () => {
  await using door = await Doorkeeper.open();
  const caCerts = [await readTls("ca_cert.pem")];
  {
    using httpClient = Deno.createHttpClient({ caCerts });
    await using nobody = new WebSocketClientTransport(door.url, { httpClient });
    await assertRejects(() => nobody.start(), MCPConnectionError);
  }
  const cert = await readTls("client_cert.pem");
  const key = await readTls("client_key.pem");
  using httpClient = Deno.createHttpClient({ caCerts, cert, key });
  await using transport = new WebSocketClientTransport(door.url, { httpClient });
  await transport.start();
  assertEquals(door.guests, ["Bowline test client"]);
});

Deno.test("an option that would switch certificate checks off is refused, and told what to do", () => {
  const options = [
    { rejectUnauthorized: false },
    { checkServerIdentity: () => undefined },
    { insecure: true },
    { strictSSL: false },
    { unsafelyIgnoreCertificateErrors: true },
  ];
  for (const given of options) {
    const error = assertThrows(
      () => new WebSocketClientTransport("wss://example.com/", given as WebSocketClientOptions),
      TypeError,
    );
    const [name] = Object.keys(given);
    const start = `Cannot use option "${name}" as certificates are always checked: `;
    assert(error.message.startsWith(start), error.message);
    assert(error.message.includes("caCerts"), error.message);
  }
});
