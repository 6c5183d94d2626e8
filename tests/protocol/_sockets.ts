/** A client's and a server's end of one WebSocket, both open. */
export interface SocketPair extends AsyncDisposable {
  readonly client: WebSocket;
  readonly server: WebSocket;
}

/** A client's WebSocket whose peer does nothing that the test does not do itself. */
export interface RawPair extends AsyncDisposable {
  readonly client: WebSocket;
  readonly connection: Deno.TcpConn;
}

/** What RFC 6455, 1.3, adds to the client's key. */
const HANDSHAKE_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

export async function openPair(): Promise<SocketPair> {
  const accepted = Promise.withResolvers<WebSocket>();
  const http = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    (request) => {
      const { socket, response } = Deno.upgradeWebSocket(request);
      socket.addEventListener("open", () => accepted.resolve(socket));
      return response;
    },
  );
  const client = new WebSocket(`ws://127.0.0.1:${http.addr.port}`);
  await nextEvent(client, "open");
  const server = await accepted.promise;
  const closed = [nextEvent(client, "close"), nextEvent(server, "close")];
  return {
    client,
    server,
    async [Symbol.asyncDispose]() {
      client.close();
      await Promise.all(closed);
      await http.shutdown();
    },
  };
}

export async function openRawPair(): Promise<RawPair> {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  const client = new WebSocket(`ws://127.0.0.1:${port}`);
  const connection = await listener.accept();
  await shakeHands(connection);
  await nextEvent(client, "open");
  const closed = nextEvent(client, "close");
  let isOpen = true;
  return {
    client,
    connection,
    async [Symbol.asyncDispose]() {
      if (isOpen) connection.close();
      isOpen = false;
      await closed;
    },
  };
}

/** Reads and forgets what the client sends, until the connection ends. */
export async function swallow(connection: Deno.TcpConn): Promise<void> {
  const buffer = new Uint8Array(1024 * 1024);
  try {
    while (await connection.read(buffer) !== null);
  } catch {
    // Closed from this side.
  }
}

export function nextEvent(
  target: EventTarget,
  type: "open" | "close" | "message",
): Promise<Event> {
  return new Promise((resolve) => target.addEventListener(type, resolve, { once: true }));
}

async function shakeHands(connection: Deno.TcpConn): Promise<void> {
  const buffer = new Uint8Array(4096);
  let request = "";
  while (!request.endsWith("\r\n\r\n")) {
    const length = await connection.read(buffer) ?? 0;
    request += new TextDecoder().decode(buffer.subarray(0, length));
  }
  const key = /^sec-websocket-key: (.+)\r$/im.exec(request)?.[1] ?? "";
  const digest = await crypto.subtle.digest(
    "SHA-1",
    new TextEncoder().encode(key + HANDSHAKE_GUID),
  );
  const response = [
    "HTTP/1.1 101 Switching Protocols",
    "Upgrade: websocket",
    "Connection: Upgrade",
    `Sec-WebSocket-Accept: ${new Uint8Array(digest).toBase64()}`,
    "\r\n",
  ].join("\r\n");
  await connection.write(new TextEncoder().encode(response));
}
