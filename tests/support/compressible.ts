/** The text of a result of `tools/list`, of about this many bytes. */
export function toolList(bytes: number): string {
  const tools: unknown[] = [];
  for (let size = 0; size < bytes; size += JSON.stringify(tools.at(-1)).length + 1) {
    tools.push(tool(tools.length));
  }
  return JSON.stringify({ jsonrpc: "2.0", id: 1, result: { tools } });
}

function tool(index: number) {
  const verb = ["search", "read", "write", "list", "delete"][index % 5];
  return {
    name: `${verb}_${index}`,
    title: `Tool ${index}`,
    description: `Runs ${verb} ${index} in the workspace of the project and returns what it finds.`,
    inputSchema: {
      type: "object",
      properties: {
        path: { type: "string", description: "Absolute path" },
        limit: { type: "integer", maximum: 100 * (index + 1), description: "Most results" },
      },
      required: ["path"],
    },
    annotations: { readOnlyHint: index % 2 === 0 },
  };
}

/** An image in base64 as a result: this many random bytes. */
export function image(bytes: number): string {
  const data = new Uint8Array(bytes);
  let state = 1;
  for (let at = 0; at < bytes; at++) {
    // Numerical Recipes' generator: the same image each time.
    state = Math.imul(state, 1_664_525) + 1_013_904_223 | 0;
    data[at] = state >>> 24;
  }
  const content = [{ type: "image", mimeType: "image/png", data: data.toBase64() }];
  return JSON.stringify({ jsonrpc: "2.0", id: 1, result: { content } });
}
