// Socket.IO with acknowledgements, as its guide has it; WebSocket from the start, not after polling.

const { createServer } = await import("node:http");
const { Server } = await import("socket.io");
const { io } = await import("socket.io-client");

export async function serve() {
  const http = createServer();
  const server = new Server(http);
  server.on("connection", (socket) => {
    socket.on("echo", (params, callback) => callback(params));
  });
  await new Promise((resolve) => http.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${http.address().port}`;
}

export async function connect(url) {
  const socket = io(url, { transports: ["websocket"] });
  await new Promise((resolve) => socket.on("connect", resolve));
  return (params) => socket.emitWithAck("echo", params);
}
