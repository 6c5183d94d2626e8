import { CLOSE_CODES } from "../protocol/close_codes.ts";
import { MCPConnectionError } from "../protocol/errors.ts";
import {
  errorResponse,
  isRequestId,
  isResponse,
  type JsonRpcMessage,
  parseMessage,
} from "../protocol/jsonrpc.ts";
import type { Logger } from "../protocol/transport.ts";
import { ChildProcess, type ChildProcessOptions } from "./child_process.ts";
import { Reporter } from "./reporter.ts";
import type { WebSocketServerTransport } from "./transport.ts";

/** Options of {@linkcode StdioGateway}. */
export interface StdioGatewayOptions {
  /** Told what happens, and what the processes log. */
  readonly logger?: Logger | undefined;
  /**
   * How long a process may take to exit when its connection has ended, in
   * milliseconds; then it is terminated, and after the same time killed.
   *
   * @default {2_000}
   */
  readonly grace?: number | undefined;
  /**
   * The longest message that is taken from a process, in bytes.
   *
   * @default {67_108_864}
   */
  readonly maxLineBytes?: number | undefined;
  /**
   * What may wait until a process reads its input, in bytes.
   *
   * @default {16_777_216}
   */
  readonly maxQueuedBytes?: number | undefined;
  /**
   * How many processes there may be, with those that are about to exit.
   *
   * @default {100}
   */
  readonly maxProcesses?: number | undefined;
}

/** What sets colours in a terminal. */
const COLOR_REGEXP = /\p{Cc}\[[\d;]*m/gu;
/** What could forge lines of the log, or do worse to the terminal it is read in. */
const CONTROL_REGEXP = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu;

/**
 * Serves a stdio MCP server over WebSocket: every connection has a process of
 * its own. Nothing is shared, so nothing can cross, and no id is rewritten.
 *
 * @example Serve a command
 * ```ts ignore
 * import { createWebSocketHandler } from "@bowline/mcp-websocket/server";
 *
 * await using gateway = new StdioGateway(["npx", "-y", "@modelcontextprotocol/server-everything"]);
 * const handler = createWebSocketHandler(gateway.serve);
 * Deno.serve(handler.fetch);
 * ```
 */
export class StdioGateway implements AsyncDisposable {
  readonly #command: readonly string[];
  readonly #limits: Omit<ChildProcessOptions, "onFault">;
  readonly #maxProcesses: number;
  readonly #reporter: Reporter;
  readonly #children = new Set<ChildProcess>();

  /**
   * Makes a gateway to a command; nothing is started yet.
   *
   * @param command The program and its arguments; no shell is involved.
   * @param options Bounds, and who is told.
   */
  constructor(command: readonly string[], options: StdioGatewayOptions = {}) {
    this.#command = command;
    this.#limits = {
      grace: options.grace ?? 2_000,
      maxLineBytes: options.maxLineBytes ?? 64 * 1024 * 1024,
      maxQueuedBytes: options.maxQueuedBytes ?? 16 * 1024 * 1024,
    };
    this.#maxProcesses = options.maxProcesses ?? 100;
    this.#reporter = new Reporter(options.logger, undefined);
  }

  /** The processes that run, by their numbers. */
  get pids(): number[] {
    return Array.from(this.#children, ({ pid }) => pid);
  }

  /**
   * Serves one connection with a process of its own, until one of them ends.
   * Needs no `this`: give it to `createWebSocketHandler`.
   *
   * @param session The connection.
   * @returns Resolves when both have ended.
   */
  readonly serve = async (session: WebSocketServerTransport): Promise<void> => {
    if (this.#children.size >= this.#maxProcesses) {
      return await session.close(CLOSE_CODES.TRY_AGAIN_LATER, "Too many MCP servers are running");
    }
    const child = this.#spawn(session);
    if (child === undefined) {
      const reason = "The MCP server could not be started";
      return await session.close(CLOSE_CODES.INTERNAL_ERROR, reason);
    }
    this.#children.add(child);
    await this.#carry(session, child);
    this.#children.delete(child);
    await session.close(CLOSE_CODES.INTERNAL_ERROR, exitReason(await child.exited));
  };

  /** Ends all processes. */
  async close(): Promise<void> {
    await Promise.all(Array.from(this.#children, (child) => child.end()));
  }

  /** Kills all processes at once. */
  kill(): void {
    for (const child of this.#children) child.kill("SIGKILL");
  }

  /** Ends all processes. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #spawn({ id }: WebSocketServerTransport): ChildProcess | undefined {
    try {
      const child = new ChildProcess(this.#command, {
        ...this.#limits,
        onFault: (error) => this.#reporter.fault(`Child of connection ${id}`, error),
      });
      this.#reporter.debug(`Connection ${id} is served by process ${child.pid}`);
      return child;
    } catch (thrown) {
      this.#reporter.error(`Starting a child of connection ${id} failed`, thrown);
      return undefined;
    }
  }

  async #carry(session: WebSocketServerTransport, child: ChildProcess): Promise<void> {
    session.closed.then(() => child.end());
    session.onmessage = (message) => this.#feed(session, child, message);
    const logged = this.#log(session, child);
    // It rejects if the connection has ended already, and then so does the child.
    await session.start().catch(() => {});
    await this.#relay(session, child);
    await child.end();
    await logged;
  }

  #feed(session: WebSocketServerTransport, child: ChildProcess, message: JsonRpcMessage): void {
    if (child.write(JSON.stringify(message))) return;
    this.#reporter.warn(`Child of connection ${session.id} does not read its input`);
    session.close(CLOSE_CODES.TRY_AGAIN_LATER, "The MCP server does not read its input");
  }

  /** Reads to the end, also when nobody listens any more: a full pipe would block the child. */
  async #relay(session: WebSocketServerTransport, child: ChildProcess): Promise<void> {
    for await (const line of child.output()) {
      try {
        if (session.isOpen) await this.#pass(session, parseMessage(line));
      } catch (thrown) {
        if (thrown instanceof MCPConnectionError) continue;
        // Not quoted: it may be part of a message.
        const what = `Child of connection ${session.id} wrote a line of ${line.length} characters`;
        this.#reporter.fault(what, thrown);
      }
    }
  }

  /** An answer that is too large for the client becomes an error: somebody waits for one. */
  async #pass(session: WebSocketServerTransport, message: JsonRpcMessage): Promise<void> {
    try {
      await session.post(message);
    } catch (thrown) {
      if (thrown instanceof RangeError && isResponse(message) && isRequestId(message.id)) {
        await session.post(errorResponse(thrown, message.id));
      }
      throw thrown;
    }
  }

  async #log({ id }: WebSocketServerTransport, child: ChildProcess): Promise<void> {
    for await (const line of child.log()) {
      const text = line.replace(COLOR_REGEXP, "").replace(CONTROL_REGEXP, " ").trimEnd();
      this.#reporter.info(`Child of connection ${id}: ${text}`);
    }
  }
}

/** Nothing about the command: the client is a stranger. */
function exitReason({ code, signal }: Deno.CommandStatus): string {
  return signal === null
    ? `The MCP server exited with code ${code}`
    : `The MCP server was ended by ${signal}`;
}
