import type { JsonRpcMessage, JsonRpcParams, RequestId } from "../../protocol/jsonrpc.ts";
import { CANCELLED, isSafeToRepeat, PROGRESS } from "../../protocol/mcp.ts";
import type { Dice } from "./dice.ts";

/** What a message is about: every one is told from all others by its tag. */
export interface Content {
  /** Its name in the whole run. */
  readonly tag: number;
  /** The request that it answers, reports on or cancels. */
  readonly of?: number;
  /** How many reports came before. */
  readonly progress?: number;
}

/** Methods that may be repeated, and one that must not. */
export const SAFE_METHOD = "resources/read";
export const UNSAFE_METHOD = "tools/call";

const NO_TOOLS: ReadonlySet<string> = new Set();

/** Makes messages. */
export class MessageMaker {
  readonly #dice: Dice;
  readonly #maxPadding: number;
  #tag = 0;

  constructor(dice: Dice, maxPadding: number) {
    this.#dice = dice;
    this.#maxPadding = maxPadding;
  }

  request(id: RequestId, method: string, isLarge: boolean): JsonRpcMessage {
    return { jsonrpc: "2.0", id, method, params: this.#content(isLarge) };
  }

  response(id: RequestId, of: number, progress: number): JsonRpcMessage {
    return { jsonrpc: "2.0", id, result: { of, progress, ...this.#content() } };
  }

  notification(): JsonRpcMessage {
    return { jsonrpc: "2.0", method: "notifications/message", params: this.#content() };
  }

  progress(progressToken: RequestId, of: number, progress: number): JsonRpcMessage {
    const params = { progressToken, of, progress, ...this.#content() };
    return { jsonrpc: "2.0", method: PROGRESS, params };
  }

  cancel(requestId: RequestId, of: number): JsonRpcMessage {
    const params = { requestId, of, tag: ++this.#tag };
    return { jsonrpc: "2.0", method: CANCELLED, params };
  }

  #content(isLarge = this.#dice.happens(0.06)): JsonRpcParams {
    const tag = ++this.#tag;
    if (this.#dice.happens(0.3) && !isLarge) return { tag };
    const length = isLarge
      ? this.#dice.between(this.#maxPadding >> 2, this.#maxPadding)
      : this.#dice.skewed(1, 300);
    return { tag, text: this.#text(length) };
  }

  /** Characters of one to four bytes. */
  #text(length: number): string {
    const alphabet = this.#dice.pick(["x", "é", "x€", "😀", "aé€😀"]);
    return alphabet.repeat(Math.ceil(length / alphabet.length)).slice(0, length).toWellFormed();
  }
}

/** What a message is about; `undefined` for one of the transport's own. */
export function contentOf(message: JsonRpcMessage): Content | undefined {
  const content = "params" in message
    ? message.params
    : "result" in message
    ? message.result
    : undefined;
  return typeof content?.tag === "number" ? content as unknown as Content : undefined;
}

/** Whether a message may be carried out more than once. */
export function mayRepeat(message: JsonRpcMessage): boolean {
  return "method" in message && "id" in message &&
    isSafeToRepeat(message.method, message.params, NO_TOOLS);
}
