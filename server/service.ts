import { isObject } from "../protocol/jsonrpc.ts";
import { MCPError, toError } from "../protocol/errors.ts";
import type { Logger } from "../protocol/transport.ts";
import {
  resolveStartOptions,
  type ServerAddress,
  serverAddress,
  type StartOptions,
} from "./address.ts";
import { bearerTokens } from "./auth/bearer.ts";
import { createDemoServer } from "./demo.ts";
import { createWebSocketHandler, type SessionListener } from "./handler.ts";
import type { BoundAddress } from "./host_check.ts";
import { type FetchHandler, Listener, type ListenOptions } from "./listener.ts";
import type { WebSocketHandlerOptions } from "./options.ts";
import { Reporter } from "./reporter.ts";
import type { ServeOptions, ServeTarget } from "./serve_options.ts";
import type { ShutdownOptions } from "./shutdown.ts";
import { StdioGateway } from "./stdio_gateway.ts";

/** Who may use what is served, and who is told. */
type Access = WebSocketHandlerOptions & { readonly logger: Logger };

/** A port that is listened on. */
export interface Listening {
  /** The port. */
  readonly port: number;
  /** Stops listening. */
  close(): Promise<void>;
}

/** Where to listen, and how. */
export interface ServiceStartOptions extends StartOptions {
  /** Listens; by default Deno's own server does. */
  listen?: ((fetch: FetchHandler, where: ListenOptions) => Listening) | undefined;
}

/** Something that can be served. */
export interface Service {
  /** Listens. */
  start(options: ServiceStartOptions): Promise<ServerAddress>;
  /** Lets running requests finish, and ends everything. */
  stop(options: ShutdownOptions): Promise<void>;
  /** Ends at once what would outlive this process. */
  kill?(): void;
}

/** What is asked of whatever answers requests. */
interface Core {
  readonly fetch: FetchHandler;
  /** Told where it is reached. */
  listens(bound: BoundAddress): void;
  stop(options: ShutdownOptions): Promise<void>;
  kill?(): void;
}

/** Listens for a core that does not do so itself. */
class ListeningService implements Service {
  readonly #core: Core;
  readonly #path: string;
  readonly #asksWho: boolean;
  readonly #reporter: Reporter;
  #listener: Listening | undefined;

  constructor(core: Core, options: ServeOptions, logger: Logger) {
    this.#core = core;
    this.#path = options.path ?? "/mcp";
    this.#asksWho = options.needsToken;
    this.#reporter = new Reporter(logger, undefined);
  }

  start(options: ServiceStartOptions): Promise<ServerAddress> {
    return Promise.try(() => {
      const where = resolveStartOptions(options, this.#asksWho);
      const { listen = this.#listen } = options;
      this.#listener = listen(this.#core.fetch, where);
      this.#core.listens({ hostname: where.hostname, port: this.#listener.port });
      return serverAddress(where, this.#listener.port, this.#path);
    });
  }

  readonly #listen = (fetch: FetchHandler, where: ListenOptions): Listening =>
    new Listener(fetch, where, this.#reporter);

  async stop(options: ShutdownOptions): Promise<void> {
    await this.#core.stop(options);
    await this.#listener?.close();
  }

  kill(): void {
    this.#core.kill?.();
  }
}

/**
 * Makes what is served; it does not listen yet.
 *
 * @param target What is served.
 * @param options To whom.
 * @param logger Told what happens.
 * @param version The version that the demo server says it has.
 * @param token What clients have to show, if they have to.
 * @returns The service.
 * @throws {MCPError} If the command may not be run, or the module cannot be used.
 */
export async function createService(
  target: ServeTarget,
  options: ServeOptions,
  logger: Logger,
  version: string,
  token?: string,
): Promise<Service> {
  const access: Access = { ...options, ...accessOf(token), logger };
  switch (target.type) {
    case "demo":
      return new ListeningService(
        createDemoServer({ ...access, version }),
        options,
        logger,
      );
    case "stdio":
      return await createStdioService(target.command, options, access);
    case "module":
      return await createModuleService(target.specifier, options, access);
  }
}

/** Who knows the token is one and the same, however many they are. */
function accessOf(token: string | undefined): WebSocketHandlerOptions {
  if (token === undefined) return {};
  const authenticate = bearerTokens([{ token, principal: { id: "owner" } }]);
  return { auth: { authenticate }, maxConnectionsPerPrincipal: Number.MAX_SAFE_INTEGER };
}

async function createStdioService(
  command: readonly string[],
  options: ServeOptions,
  access: Access,
): Promise<Service> {
  const [program = ""] = command;
  // Asked for now: a question in the terminal must not wait for the first client.
  const { state } = await Deno.permissions.request({ name: "run", command: program });
  if (state !== "granted") {
    throw new MCPError(
      "policy",
      `Cannot run "${program}" without permission: add --allow-run=${program}`,
    );
  }
  const maxProcesses = options.maxConnections;
  const { logger } = access;
  const gateway = new StdioGateway(command, { logger, maxProcesses });
  const handler = createWebSocketHandler(gateway.serve, access);
  const core: Core = {
    fetch: handler.fetch,
    stop: async (shutdown) => {
      await handler.close(shutdown);
      await gateway.close();
    },
    kill: () => gateway.kill(),
    listens: (bound) => handler.listens(bound),
  };
  return new ListeningService(core, options, logger);
}

async function createModuleService(
  specifier: string,
  options: ServeOptions,
  access: Access,
): Promise<Service> {
  const exported = await loadDefault(specifier);
  if (typeof exported === "function") {
    const handler = createWebSocketHandler(exported as SessionListener, access);
    const core: Core = {
      fetch: handler.fetch,
      stop: (shutdown) => handler.close(shutdown),
      listens: (bound) => handler.listens(bound),
    };
    return new ListeningService(core, options, access.logger);
  }
  if (!isService(exported)) {
    throw new MCPError(
      "policy",
      `Cannot serve module "${specifier}": its default export must be a function or an MCPWebSocketServer`,
    );
  }
  const { path, allowedOrigins, allowedHosts, maxConnections, operations } = options;
  const asked = [operations.metrics, options.needsToken, options.isGuarded]
    .map((value) => value || undefined);
  const own = [path, allowedOrigins, allowedHosts, maxConnections, ...asked];
  if (own.every((option) => option === undefined)) return exported;
  throw new MCPError(
    "policy",
    `Cannot serve module "${specifier}" with --path, --allow-origin, --allow-host, --max-connections, --auth, --guard or --metrics: its server has its own`,
  );
}

async function loadDefault(specifier: string): Promise<unknown> {
  try {
    const module: { default?: unknown } = await import(specifier);
    return module.default;
  } catch (cause) {
    const text = `Cannot load module "${specifier}": ${toError(cause).message}`;
    throw new MCPError("policy", text, { cause });
  }
}

/** Not `instanceof`: the module may have loaded its own copy of the class. */
function isService(value: unknown): value is Service {
  return isObject(value) && typeof value.start === "function" && typeof value.stop === "function";
}
