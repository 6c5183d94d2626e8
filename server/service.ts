import { isObject } from "../protocol/jsonrpc.ts";
import { MCPError, toError } from "../protocol/errors.ts";
import type { Logger } from "../protocol/transport.ts";
import {
  resolveStartOptions,
  type ServerAddress,
  serverAddress,
  type StartOptions,
} from "./address.ts";
import { createDemoServer } from "./demo.ts";
import { createWebSocketHandler, type SessionListener } from "./handler.ts";
import { type FetchHandler, Listener } from "./listener.ts";
import { Reporter } from "./reporter.ts";
import type { ServeOptions, ServeTarget } from "./serve_options.ts";
import type { ShutdownOptions } from "./shutdown.ts";
import { StdioGateway } from "./stdio_gateway.ts";

/** Something that can be served. */
export interface Service {
  /** Listens. */
  start(options: StartOptions): Promise<ServerAddress>;
  /** Lets running requests finish, and ends everything. */
  stop(options: ShutdownOptions): Promise<void>;
  /** Ends at once what would outlive this process. */
  kill?(): void;
}

/** What is asked of whatever answers requests. */
interface Core {
  readonly fetch: FetchHandler;
  stop(options: ShutdownOptions): Promise<void>;
  kill?(): void;
}

/** Listens for a core that does not do so itself. */
class ListeningService implements Service {
  readonly #core: Core;
  readonly #path: string;
  readonly #reporter: Reporter;
  #listener: Listener | undefined;

  constructor(core: Core, options: ServeOptions, logger: Logger) {
    this.#core = core;
    this.#path = options.path ?? "/mcp";
    this.#reporter = new Reporter(logger, undefined);
  }

  start(options: StartOptions): Promise<ServerAddress> {
    return Promise.try(() => {
      const where = resolveStartOptions(options);
      this.#listener = new Listener(this.#core.fetch, where, this.#reporter);
      return serverAddress(where, this.#listener.port, this.#path);
    });
  }

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
 * @returns The service.
 * @throws {MCPError} If the command may not be run, or the module cannot be used.
 */
export async function createService(
  target: ServeTarget,
  options: ServeOptions,
  logger: Logger,
  version: string,
): Promise<Service> {
  switch (target.type) {
    case "demo":
      return new ListeningService(
        createDemoServer({ ...options, version, logger }),
        options,
        logger,
      );
    case "stdio":
      return await createStdioService(target.command, options, logger);
    case "module":
      return await createModuleService(target.specifier, options, logger);
  }
}

async function createStdioService(
  command: readonly string[],
  options: ServeOptions,
  logger: Logger,
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
  const gateway = new StdioGateway(command, { logger, maxProcesses });
  const handler = createWebSocketHandler(gateway.serve, { ...options, logger });
  const core: Core = {
    fetch: handler.fetch,
    stop: async (shutdown) => {
      await handler.close(shutdown);
      await gateway.close();
    },
    kill: () => gateway.kill(),
  };
  return new ListeningService(core, options, logger);
}

async function createModuleService(
  specifier: string,
  options: ServeOptions,
  logger: Logger,
): Promise<Service> {
  const exported = await loadDefault(specifier);
  if (typeof exported === "function") {
    const handler = createWebSocketHandler(exported as SessionListener, { ...options, logger });
    const core: Core = { fetch: handler.fetch, stop: (shutdown) => handler.close(shutdown) };
    return new ListeningService(core, options, logger);
  }
  if (!isService(exported)) {
    throw new MCPError(
      "policy",
      `Cannot serve module "${specifier}": its default export must be a function or an MCPWebSocketServer`,
    );
  }
  const { path, allowedOrigins, maxConnections, operations } = options;
  const own = [path, allowedOrigins, maxConnections, operations.metrics || undefined];
  if (own.every((option) => option === undefined)) return exported;
  throw new MCPError(
    "policy",
    `Cannot serve module "${specifier}" with --path, --allow-origin, --max-connections or --metrics: its server has its own`,
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
