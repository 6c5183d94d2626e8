import { MCPWebSocketServer } from "../../../server/mod.ts";

const server: MCPWebSocketServer = new MCPWebSocketServer({
  name: "module",
  version: "1.0.0",
  path: "/own",
});
server.handle("tools/list", () => ({ tools: [] }));

export default server;
