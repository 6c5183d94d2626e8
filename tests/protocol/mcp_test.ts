import { assert, assertEquals, assertThrows } from "@std/assert";
import { MCPRpcError } from "../../protocol/errors.ts";
import {
  cancelNotification,
  checkModernRequest,
  chooseModernVersion,
  discoverResult,
  findReopenFault,
  type Identity,
  initializeParams,
  initializeResult,
  isSafeToRepeat,
  LEGACY_VERSIONS,
  listToolSafety,
  MODERN_VERSIONS,
  probeErrorVersion,
  requestVersion,
  serverInfoOf,
  stampRequest,
  stampResult,
} from "../../protocol/mcp.ts";

const IDENTITY: Identity = {
  info: { name: "example", version: "1.2.3" },
  capabilities: { tools: { listChanged: true } },
};

const META = {
  version: "io.modelcontextprotocol/protocolVersion",
  capabilities: "io.modelcontextprotocol/clientCapabilities",
  client: "io.modelcontextprotocol/clientInfo",
  server: "io.modelcontextprotocol/serverInfo",
} as const;

Deno.test("LEGACY_VERSIONS and MODERN_VERSIONS list the newest first, on either side of 2026-07-28", () => {
  for (const versions of [LEGACY_VERSIONS, MODERN_VERSIONS]) {
    assertEquals([...versions].sort().reverse(), [...versions]);
  }
  assert(LEGACY_VERSIONS.every((version) => version < "2026-07-28"));
  assert(MODERN_VERSIONS.every((version) => version >= "2026-07-28"));
});

for (
  const [method, params, expected] of [
    ["initialize", undefined, true],
    ["ping", undefined, true],
    ["server/discover", undefined, true],
    ["subscriptions/listen", {}, true],
    ["tools/list", {}, true],
    ["resources/list", {}, true],
    ["resources/templates/list", {}, true],
    ["resources/read", { uri: "a:b" }, true],
    ["prompts/list", {}, true],
    ["prompts/get", { name: "p" }, true],
    ["completion/complete", {}, true],
    ["roots/list", {}, true],
    ["tools/call", { name: "read" }, true],
    ["tools/call", { name: "write" }, false],
    ["tools/call", { name: ["read"] }, false],
    ["tools/call", {}, false],
    ["tools/call", undefined, false],
    ["sampling/createMessage", {}, false],
    ["elicitation/create", {}, false],
    ["logging/setLevel", {}, false],
    ["x/list", { name: "read" }, false],
    ["constructor", undefined, false],
  ] as const
) {
  Deno.test(`isSafeToRepeat() says ${expected} of ${method} ${JSON.stringify(params)}`, () => {
    assertEquals(
      isSafeToRepeat(method, params as never, new Set(["read"])),
      expected,
    );
  });
}

for (
  const [title, annotations, safe] of [
    ["no annotations", undefined, false],
    ["a read-only hint", { readOnlyHint: true }, true],
    ["an idempotent hint", { idempotentHint: true }, true],
    ["both denied", { readOnlyHint: false, idempotentHint: false }, false],
    ["a hint that is no boolean", { readOnlyHint: "true" }, false],
    ["annotations that are no object", "readOnlyHint", false],
  ] as const
) {
  Deno.test(`listToolSafety() takes a tool with ${title} for ${safe ? "safe" : "unsafe"}`, () => {
    assertEquals(listToolSafety({ tools: [{ name: "t", annotations }] }), [
      { name: "t", safe },
    ]);
  });
}

for (
  const [title, result] of [
    ["no tools", {}],
    ["tools that are no array", { tools: { name: "t" } }],
    ["no objects as tools", { tools: [null, "t", ["t"]] }],
    ["nameless tools", { tools: [{}, { name: 1 }] }],
  ] as const
) {
  Deno.test(`listToolSafety() finds nothing in a result with ${title}`, () => {
    assertEquals(listToolSafety(result), []);
  });
}

Deno.test("cancelNotification() names the request and the reason", () => {
  assertEquals(cancelNotification("a", "too slow"), {
    jsonrpc: "2.0",
    method: "notifications/cancelled",
    params: { requestId: "a", reason: "too slow" },
  });
});

Deno.test("initializeParams() asks for the newest legacy revision", () => {
  assertEquals(initializeParams(IDENTITY), {
    protocolVersion: "2025-11-25",
    capabilities: IDENTITY.capabilities,
    clientInfo: IDENTITY.info,
  });
});

Deno.test("initializeParams() asks for the revision it is given", () => {
  const params = initializeParams(IDENTITY, "2024-11-05");
  assertEquals(params.protocolVersion, "2024-11-05");
});

for (
  const [asked, answered] of [
    ...LEGACY_VERSIONS.map((version) => [version, version] as const),
    ["2026-07-28", "2025-11-25"],
    ["1999-01-01", "2025-11-25"],
    ["", "2025-11-25"],
  ] as const
) {
  Deno.test(`initializeResult() answers "${asked}" with "${answered}"`, () => {
    const params = { protocolVersion: asked, capabilities: {} };
    assertEquals(initializeResult(params, IDENTITY), {
      protocolVersion: answered,
      capabilities: IDENTITY.capabilities,
      serverInfo: IDENTITY.info,
    });
  });
}

Deno.test("initializeResult() hands on instructions", () => {
  const params = { protocolVersion: "2025-11-25", capabilities: {} };
  const result = initializeResult(params, IDENTITY, "Use it well.");
  assertEquals(result.instructions, "Use it well.");
});

for (
  const params of [
    {},
    { protocolVersion: 1, capabilities: {} },
    { protocolVersion: "2025-11-25" },
    { protocolVersion: "2025-11-25", capabilities: [] },
  ]
) {
  Deno.test(`initializeResult() refuses ${JSON.stringify(params)} with -32602`, () => {
    const error = assertThrows(
      () => initializeResult(params, IDENTITY),
      MCPRpcError,
    );
    assertEquals(error.code, -32602);
  });
}

for (
  const [title, before, after, expected] of [
    ["nothing changed", { tools: {}, logging: {} }, {
      logging: {},
      tools: {},
    }, undefined],
    ["more is offered", { tools: {} }, { tools: {}, prompts: {} }, undefined],
    ["nothing was said of capabilities", undefined, undefined, undefined],
    [
      "a capability is gone",
      { tools: {}, prompts: {} },
      { tools: {} },
      'the server no longer offers "prompts"',
    ],
    [
      "all capabilities are gone",
      { tools: {}, prompts: {} },
      null,
      'the server no longer offers "tools, prompts"',
    ],
    [
      "a capability is named like a member of every object",
      { toString: {} },
      {},
      'the server no longer offers "toString"',
    ],
  ] as const
) {
  Deno.test(`findReopenFault() where ${title}: ${expected ?? "none"}`, () => {
    const version = { protocolVersion: "2025-11-25" };
    assertEquals(
      findReopenFault(
        { ...version, capabilities: before },
        { ...version, capabilities: after },
      ),
      expected,
    );
  });
}

Deno.test("findReopenFault() does not accept another revision", () => {
  assertEquals(
    findReopenFault(
      { protocolVersion: "2025-11-25" },
      { protocolVersion: "2025-06-18" },
    ),
    'the server now speaks "2025-06-18" instead of "2025-11-25"',
  );
});

for (
  const [title, params, expected] of [
    ["no params", undefined, undefined],
    ["no _meta", {}, undefined],
    ["_meta that is no object", { _meta: "x" }, undefined],
    ["_meta without it", { _meta: {} }, undefined],
    ["a number", { _meta: { [META.version]: 1 } }, undefined],
    ["a revision", { _meta: { [META.version]: "2026-07-28" } }, "2026-07-28"],
  ] as const
) {
  Deno.test(`requestVersion() reads ${title} as ${expected}`, () => {
    assertEquals(requestVersion(params), expected);
  });
}

Deno.test("stampRequest() says what every modern request must", () => {
  assertEquals(stampRequest(undefined, IDENTITY, "2026-07-28"), {
    _meta: {
      [META.version]: "2026-07-28",
      [META.capabilities]: IDENTITY.capabilities,
      [META.client]: IDENTITY.info,
    },
  });
});

Deno.test("stampRequest() keeps the caller's parameters and metadata, which win", () => {
  const params = {
    name: "t",
    _meta: { progressToken: 4, [META.version]: "2027-01-01" },
  };
  const before = structuredClone(params);
  const stamped = stampRequest(params, IDENTITY, "2026-07-28");
  assertEquals(stamped, {
    name: "t",
    _meta: {
      progressToken: 4,
      [META.version]: "2027-01-01",
      [META.capabilities]: IDENTITY.capabilities,
      [META.client]: IDENTITY.info,
    },
  });
  assertEquals(params, before);
});

Deno.test("checkModernRequest() accepts what stampRequest() makes", () => {
  for (const version of MODERN_VERSIONS) {
    checkModernRequest(stampRequest({}, IDENTITY, version));
  }
});

Deno.test("checkModernRequest() refuses an unknown revision with -32022 and its list", () => {
  const params = stampRequest({}, IDENTITY, "2999-01-01");
  const error = assertThrows(() => checkModernRequest(params), MCPRpcError);
  assertEquals(error.code, -32022);
  assertEquals(error.data, {
    supported: ["2026-07-28"],
    requested: "2999-01-01",
  });
});

for (
  const [title, params] of [
    ["no params", undefined],
    ["no revision", { _meta: { [META.capabilities]: {} } }],
    ["no capabilities", { _meta: { [META.version]: "2026-07-28" } }],
    ["capabilities that are no object", {
      _meta: { [META.version]: "2026-07-28", [META.capabilities]: [] },
    }],
  ] as const
) {
  Deno.test(`checkModernRequest() refuses ${title} with -32602`, () => {
    const error = assertThrows(() => checkModernRequest(params), MCPRpcError);
    assertEquals(error.code, -32602);
  });
}

Deno.test("stampResult() completes and signs a result", () => {
  assertEquals(stampResult({ tools: [] }, IDENTITY), {
    resultType: "complete",
    tools: [],
    _meta: { [META.server]: IDENTITY.info },
  });
});

Deno.test("stampResult() keeps what the handler says itself", () => {
  const result = {
    resultType: "input_required",
    _meta: { [META.server]: { name: "other", version: "0" }, "a.b/c": 1 },
  };
  assertEquals(stampResult(result, IDENTITY), result);
});

for (
  const [title, method, result, expected] of [
    ["a list", "tools/list", {}, { ttlMs: 0, cacheScope: "private" }],
    ["a resource", "resources/read", {}, { ttlMs: 0, cacheScope: "private" }],
    ["what the handler allows", "tools/list", { ttlMs: 5, cacheScope: "public" }, {
      ttlMs: 5,
      cacheScope: "public",
    }],
    ["a call", "tools/call", {}, {}],
    ["a question", "resources/read", { resultType: "input_required" }, {}],
  ] as const
) {
  Deno.test(`stampResult() says how long ${title} may be kept, where it has to`, () => {
    assertEquals(stampResult(result, IDENTITY, method), {
      resultType: "complete",
      ...result,
      ...expected,
      _meta: { [META.server]: IDENTITY.info },
    });
  });
}

Deno.test("discoverResult() lists the modern revisions", () => {
  assertEquals(discoverResult(IDENTITY), {
    supportedVersions: ["2026-07-28"],
    capabilities: IDENTITY.capabilities,
    ttlMs: 0,
    cacheScope: "private",
  });
});

Deno.test("discoverResult() hands on instructions", () => {
  assertEquals(discoverResult(IDENTITY, "Hi").instructions, "Hi");
});

Deno.test("serverInfoOf() reads what stampResult() wrote", () => {
  assertEquals(serverInfoOf(stampResult({}, IDENTITY)), IDENTITY.info);
});

for (
  const meta of [
    undefined,
    {},
    { [META.server]: "example" },
    { [META.server]: { name: "example" } },
    { [META.server]: { name: 1, version: "1" } },
  ]
) {
  Deno.test(`serverInfoOf() finds nobody in ${JSON.stringify(meta)}`, () => {
    assertEquals(serverInfoOf({ _meta: meta }), undefined);
  });
}

for (
  const [supported, expected] of [
    [["2026-07-28"], "2026-07-28"],
    [["2999-01-01", "2026-07-28", "2025-11-25"], "2026-07-28"],
    [["2025-11-25"], undefined],
    [[], undefined],
    ["2026-07-28", undefined],
    [undefined, undefined],
  ] as const
) {
  Deno.test(`chooseModernVersion() of ${JSON.stringify(supported)} is ${expected}`, () => {
    assertEquals(chooseModernVersion(supported), expected);
  });
}

for (
  const [title, error, expected] of [
    [
      "-32022 that lists a revision spoken here",
      new MCPRpcError(-32022, "m", { data: { supported: ["2026-07-28"] } }),
      "2026-07-28",
    ],
    [
      "-32022 that lists none",
      new MCPRpcError(-32022, "m", { data: { supported: [] } }),
      undefined,
    ],
    ["-32022 without data", new MCPRpcError(-32022, "m"), undefined],
    [
      "another code",
      new MCPRpcError(-32601, "m", { data: { supported: ["2026-07-28"] } }),
      undefined,
    ],
    ["any other error", new Error("m"), undefined],
  ] as const
) {
  Deno.test(`probeErrorVersion() reads ${title} as ${expected ?? "legacy"}`, () => {
    assertEquals(probeErrorVersion(error), expected);
  });
}
