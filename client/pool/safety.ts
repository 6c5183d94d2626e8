import { isObject, type JsonRpcParams, type JsonRpcRequest } from "../../protocol/jsonrpc.ts";
import {
  INITIALIZE,
  isSafeToRepeat,
  LIST_TOOLS,
  listToolSafety,
  SET_LEVEL,
  SUBSCRIBE,
  UNSUBSCRIBE,
} from "../../protocol/mcp.ts";
import type { ResolvedOptions } from "../resolved_options.ts";
import type { Flight } from "./flight.ts";

/** Tools that are remembered. */
const MAX_TOOLS = 10_000;

/** What changes one session, and would be forgotten by the others. */
const BOUND_METHODS: ReadonlySet<string> = new Set([
  INITIALIZE,
  SUBSCRIBE,
  UNSUBSCRIBE,
  SET_LEVEL,
]);

/** Whether a request makes sense in one session only. */
export function isBound(method: string): boolean {
  return BOUND_METHODS.has(method);
}

/** What may run twice. */
export class Safety {
  readonly #resend: ResolvedOptions["resend"];
  readonly #safeTools = new Set<string>();

  /** @param resend Decides in the end. */
  constructor(resend: ResolvedOptions["resend"]) {
    this.#resend = resend;
  }

  /** Whether a request may be sent again although it may have been acted on. */
  mayRepeat({ method, params, options }: Flight): boolean {
    const isSafe = options.retry ?? isSafeToRepeat(method, params, this.#safeTools);
    if (this.#resend === undefined) return isSafe;
    const request: JsonRpcRequest = { jsonrpc: "2.0", id: 0, method };
    if (params !== undefined) request.params = params;
    try {
      return this.#resend(request, isSafe);
    } catch {
      // Not knowing, it is not run twice.
      return false;
    }
  }

  /** Notes what the server says of its tools. */
  learn(method: string, result: unknown): void {
    if (method !== LIST_TOOLS || !isObject(result)) return;
    for (const { name, safe } of listToolSafety(result as JsonRpcParams)) {
      if (!safe) this.#safeTools.delete(name);
      else if (this.#safeTools.size < MAX_TOOLS) this.#safeTools.add(name);
    }
  }
}
