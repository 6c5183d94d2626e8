/** Connections with `--stdio`, by default: each has a process, and takes its memory. */
export const MAX_CHILDREN: number = 100;

/** What `--help` prints. */
export const SERVE_HELP: string = `Serves MCP over WebSocket.

Usage:
  serve [options]                          a small demo server
  serve [options] --stdio "<command>"      any stdio MCP server
  serve [options] -- <command> [args...]   the same, without quoting
  serve [options] --module <file.ts>       what a module exports

where "serve" stands for: deno run -A jsr:@bowline/mcp-websocket/serve

What is served:
  --stdio "<command>"     Run one process of this command for each connection.
                          Quotes work as in a shell, but no shell is run.
  --module <file.ts>      Load a module. Its default export is a function that
                          gets each connection (a WebSocketServerTransport), or
                          an MCPWebSocketServer, whose own options then hold.

Where:
  --host <name>           Interface to listen on. [default: 127.0.0.1]
  --port <number>         Port; 0 takes any that is free. [default: 8787]
  --path <path>           Path that clients connect to. [default: /mcp]
  --cert <file.pem>       Certificate chain; with --key, wss: is served.
  --key <file.pem>        Private key of the certificate.

To whom:
  --auth                  Ask clients for the token in the environment variable
                          MCP_API_KEY: at least 16 characters.
  --allow-strangers       Let everybody who can reach the host use the server.
                          Hosts other than this machine's need it, or --auth.
  --allow-host <host>     Be reached under this name, too: behind a proxy, say.
                          This machine's own names and the host always work.
                          Can be given more than once.
  --allow-origin <origin> Let web pages of this origin connect, instead of those
                          from this machine. Can be given more than once.
  --guard                 Stand a guard before the listener, for servers that
                          strangers can reach: it bounds slow handshakes, long
                          messages and clients that do not read. See
                          docs/guard.md.
  --max-connections <n>   Refuse further connections.
                          [default: 10000; ${MAX_CHILDREN} with --stdio]

  --metrics               Answer /metrics, as Prometheus reads it, to programs
                          on this machine.
  --public-metrics        Answer it to everybody who can reach the host, but not
                          to web pages.
  --verbose               Log details, such as why a request was refused.
  --version               Print the version.
  -h, --help              Print this.

/healthz says whether the server is alive, /readyz whether it takes connections
(503 if not).

The address is printed to the standard output, everything else to the standard
error. SIGINT and SIGTERM let running requests finish for up to 10 seconds; the
second one does not wait. The exit status is 2 if the arguments are wrong.

Least permissions of Deno, instead of -A:
  --allow-net=127.0.0.1:8787   always; with the host and port in use
  --allow-net=127.0.0.1        with --guard, besides
  --allow-run=<command>        with --stdio
  --allow-env=MCP_API_KEY      with --auth
  --allow-read=<file>,<file>   for --cert, --key, and --module with its imports
`;
