import { delay } from "@std/async/delay";
import type { CallToolResult, Tool } from "../protocol/mcp_types.ts";
import type { HandlerContext } from "./dispatcher.ts";

/** A tool of the demo server. */
export interface DemoTool {
  /** What clients are told of it. */
  readonly definition: Tool;
  /**
   * Calls it.
   *
   * @param args What the client gave.
   * @param context The request.
   */
  call(
    args: Record<string, unknown>,
    context: HandlerContext,
  ): CallToolResult | Promise<CallToolResult>;
}

/** The longest that one step of the slow tool may take, in milliseconds. */
const MAX_STEP = 60_000;
/** The most steps of the slow tool. */
const MAX_STEPS = 1_000;

const ECHO: DemoTool = {
  definition: {
    name: "echo",
    title: "Echo",
    description: "Returns its text.",
    inputSchema: {
      type: "object",
      properties: { text: { type: "string" } },
      required: ["text"],
    },
    annotations: { readOnlyHint: true, idempotentHint: true, openWorldHint: false },
  },
  call({ text }) {
    return typeof text === "string" ? say(text) : complain('"text" must be a string');
  },
};

const ADD: DemoTool = {
  definition: {
    name: "add",
    title: "Add",
    description: "Returns the sum of two numbers.",
    inputSchema: {
      type: "object",
      properties: { a: { type: "number" }, b: { type: "number" } },
      required: ["a", "b"],
    },
    annotations: { readOnlyHint: true, idempotentHint: true, openWorldHint: false },
  },
  call({ a, b }) {
    if (typeof a !== "number" || typeof b !== "number") {
      return complain('"a" and "b" must be numbers');
    }
    return say(String(a + b));
  },
};

const SLOW: DemoTool = {
  definition: {
    name: "slow",
    title: "Slow task",
    description: "Works step by step, tells its progress, and stops when it is cancelled.",
    inputSchema: {
      type: "object",
      properties: {
        steps: { type: "integer", minimum: 1, maximum: MAX_STEPS, default: 10 },
        stepTime: {
          type: "integer",
          minimum: 0,
          maximum: MAX_STEP,
          default: 500,
          description: "In milliseconds.",
        },
      },
    },
    // Repeating it does no harm but takes its time again: that is the caller's to decide.
    annotations: { readOnlyHint: false, destructiveHint: false, openWorldHint: false },
  },
  async call({ steps = 10, stepTime = 500 }, { signal, progress }) {
    if (!isCount(steps, 1, MAX_STEPS) || !isCount(stepTime, 0, MAX_STEP)) {
      return complain(
        `"steps" must be 1 to ${MAX_STEPS}, "stepTime" 0 to ${MAX_STEP} milliseconds`,
      );
    }
    for (let step = 1; step <= steps; step++) {
      await delay(stepTime, { signal });
      progress(step, steps, `Step ${step} of ${steps}`);
    }
    return say(`Done after ${steps} steps`);
  },
};

/** The tools of the demo server, by name. */
export const DEMO_TOOLS: ReadonlyMap<string, DemoTool> = new Map(
  [ECHO, ADD, SLOW].map((tool) => [tool.definition.name, tool]),
);

function isCount(value: unknown, min: number, max: number): value is number {
  return Number.isInteger(value) && Number(value) >= min && Number(value) <= max;
}

function say(text: string): CallToolResult {
  return { content: [{ type: "text", text }] };
}

/** What models can correct is a result, not an error of the protocol. */
function complain(text: string): CallToolResult {
  return { ...say(`Cannot call tool: ${text}`), isError: true };
}
