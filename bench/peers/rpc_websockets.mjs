// rpc-websockets, on top of ws, as its README has it.

const { Client, Server } = await import("rpc-websockets");

export async function serve() {
  const server = new Server({ port: 0, host: "127.0.0.1" });
  server.register("echo", (params) => params);
  await new Promise((resolve) => server.on("listening", resolve));
  return `ws://127.0.0.1:${server.wss.address().port}`;
}

export async function connect(url) {
  const client = new Client(url);
  await new Promise((resolve) => client.on("open", resolve));
  return (params) => client.call("echo", params);
}
