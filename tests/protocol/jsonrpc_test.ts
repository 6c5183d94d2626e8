import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { MCPRpcError } from "../../protocol/errors.ts";
import {
  ERROR_CODES,
  errorResponse,
  findFault,
  isNotification,
  isObject,
  isRequest,
  isRequestId,
  isResponse,
  type JsonRpcMessage,
  parseMessage,
  serializeMessage,
} from "../../protocol/jsonrpc.ts";
import { randomInteger, seededRandom } from "../support/random.ts";

const REQUEST: JsonRpcMessage = { jsonrpc: "2.0", id: 1, method: "ping" };
const NOTIFICATION: JsonRpcMessage = { jsonrpc: "2.0", method: "x/changed" };
const RESULT: JsonRpcMessage = { jsonrpc: "2.0", id: "a", result: {} };
const ERROR: JsonRpcMessage = {
  jsonrpc: "2.0",
  id: 1,
  error: { code: -32601, message: "Method not found" },
};
const ERROR_WITHOUT_ID: JsonRpcMessage = {
  jsonrpc: "2.0",
  error: { code: -32700, message: "Parse error" },
};

function refusalOf(text: string): MCPRpcError {
  return assertThrows(() => parseMessage(text), MCPRpcError);
}

const VALID: [title: string, text: string][] = [
  ["a request", '{"jsonrpc":"2.0","id":1,"method":"ping"}'],
  [
    "a request with params",
    '{"jsonrpc":"2.0","id":1,"method":"x","params":{"a":[1]}}',
  ],
  ["a request with id 0", '{"jsonrpc":"2.0","id":0,"method":"x"}'],
  ["a request with a negative id", '{"jsonrpc":"2.0","id":-7,"method":"x"}'],
  ["a request with an empty id", '{"jsonrpc":"2.0","id":"","method":"x"}'],
  ["a request with an empty method", '{"jsonrpc":"2.0","id":1,"method":""}'],
  [
    "the largest safe id",
    '{"jsonrpc":"2.0","id":9007199254740991,"method":"x"}',
  ],
  ["a notification", '{"jsonrpc":"2.0","method":"notifications/initialized"}'],
  ["a result", '{"jsonrpc":"2.0","id":1,"result":{}}'],
  ["an error", '{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":""}}'],
  [
    "an error with data",
    '{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"m","data":null}}',
  ],
  [
    "an error without id",
    '{"jsonrpc":"2.0","error":{"code":-32700,"message":"m"}}',
  ],
  [
    "an error with id null, as JSON-RPC 2.0 says",
    '{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"m"}}',
  ],
  ["unknown members", '{"jsonrpc":"2.0","method":"x","extra":{"y":1}}'],
  ["white space around", ' \n{"jsonrpc":"2.0","method":"x"}\r\n\t'],
];

for (const [title, text] of VALID) {
  Deno.test(`parseMessage() takes ${title}, unchanged`, () => {
    assertEquals<unknown>(parseMessage(text), JSON.parse(text));
  });
}

for (
  const [title, text] of [
    ["the empty string", ""],
    ["cut JSON", '{"jsonrpc":"2.0"'],
    ["a byte order mark", '\ufeff{"jsonrpc":"2.0","method":"x"}'],
    ["two messages", '{"jsonrpc":"2.0","method":"x"}\n{"jsonrpc":"2.0"}'],
    ["NaN", '{"jsonrpc":"2.0","id":NaN,"method":"x"}'],
    ["a raw newline in a string", '{"jsonrpc":"2.0","method":"a\nb"}'],
  ] as const
) {
  Deno.test(`parseMessage() refuses ${title} with -32700`, () => {
    const refusal = refusalOf(text);
    assertEquals(refusal.code, ERROR_CODES.PARSE_ERROR);
    assertEquals(refusal.id, undefined);
    assertEquals([refusal.message, "cause" in refusal], [
      "Parse error: the text is not JSON",
      false,
    ]);
  });
}

for (
  const [title, text, id] of [
    ["null", "null", undefined],
    ["a number", "1", undefined],
    ["a string", '"x"', undefined],
    ["an array", '[{"jsonrpc":"2.0","id":1,"method":"x"}]', undefined],
    ["what only begins as an array", " \r\n\t[garbage", undefined],
    ["an empty array", "[]", undefined],
    ["an empty object", "{}", undefined],
    ["a missing version", '{"id":1,"method":"x"}', 1],
    ["version 1.0", '{"jsonrpc":"1.0","id":1,"method":"x"}', 1],
    ["a version as a number", '{"jsonrpc":2.0,"id":"a","method":"x"}', "a"],
    ["a method that is no string", '{"jsonrpc":"2.0","id":1,"method":7}', 1],
    ["a null method", '{"jsonrpc":"2.0","id":1,"method":null}', 1],
    [
      "params as an array",
      '{"jsonrpc":"2.0","id":1,"method":"x","params":[]}',
      1,
    ],
    [
      "null params",
      '{"jsonrpc":"2.0","id":1,"method":"x","params":null}',
      1,
    ],
    ["a null id", '{"jsonrpc":"2.0","id":null,"method":"x"}', undefined],
    ["a fractional id", '{"jsonrpc":"2.0","id":1.5,"method":"x"}', undefined],
    [
      "an id above 2^53, which could not be echoed",
      '{"jsonrpc":"2.0","id":9007199254740993,"method":"x"}',
      undefined,
    ],
    ["an object as id", '{"jsonrpc":"2.0","id":{},"method":"x"}', undefined],
    [
      "a boolean as id",
      '{"jsonrpc":"2.0","id":true,"method":"x"}',
      undefined,
    ],
    [
      "neither method, result nor error",
      '{"jsonrpc":"2.0","id":4}',
      4,
    ],
    ["a result without id", '{"jsonrpc":"2.0","result":{}}', undefined],
    [
      "a result with id null",
      '{"jsonrpc":"2.0","id":null,"result":{}}',
      undefined,
    ],
    [
      "an error with a fractional id",
      '{"jsonrpc":"2.0","id":0.5,"error":{"code":1,"message":"m"}}',
      undefined,
    ],
    [
      "an error without code or id",
      '{"jsonrpc":"2.0","error":{"message":"m"}}',
      undefined,
    ],
  ] as const
) {
  Deno.test(`parseMessage() refuses ${title} with -32600`, () => {
    const refusal = refusalOf(text);
    assertEquals(refusal.code, ERROR_CODES.INVALID_REQUEST);
    assertEquals(refusal.id, id);
  });
}

for (
  const [title, text] of [
    ["a null result", '{"jsonrpc":"2.0","id":5,"result":null}'],
    ["a result that is a number", '{"jsonrpc":"2.0","id":5,"result":1}'],
    ["a result that is an array", '{"jsonrpc":"2.0","id":5,"result":[]}'],
    [
      "result and error together",
      '{"jsonrpc":"2.0","id":5,"result":{},"error":{"code":1,"message":"m"}}',
    ],
    ["a null error", '{"jsonrpc":"2.0","id":5,"error":null}'],
    ["an error that is a string", '{"jsonrpc":"2.0","id":5,"error":"bad"}'],
    [
      "an error without code",
      '{"jsonrpc":"2.0","id":5,"error":{"message":""}}',
    ],
    [
      "an error with a fractional code",
      '{"jsonrpc":"2.0","id":5,"error":{"code":0.5,"message":""}}',
    ],
    [
      "an error without message",
      '{"jsonrpc":"2.0","id":5,"error":{"code":1}}',
    ],
    ["a result without version", '{"id":5,"result":{}}'],
  ] as const
) {
  Deno.test(`parseMessage() makes of ${title} an error for whoever asked`, () => {
    const message = parseMessage(text);
    assert("error" in message);
    assertEquals(message.id, 5);
    assertEquals(message.error.code, ERROR_CODES.INVALID_REQUEST);
    assertEquals(findFault(message), undefined);
  });
}

Deno.test("parseMessage() keeps a __proto__ member away from the prototype", () => {
  const message = parseMessage(
    '{"jsonrpc":"2.0","method":"x","params":{"__proto__":{"isAdmin":true}}}',
  );
  assert("params" in message);
  assertEquals(message.params?.isAdmin, undefined);
  assertStrictEquals(({} as Record<string, unknown>).isAdmin, undefined);
});

Deno.test("parseMessage() does not read members off a __proto__ member", () => {
  const refusal = refusalOf('{"__proto__":{"jsonrpc":"2.0","method":"x"}}');
  assertEquals(refusal.code, ERROR_CODES.INVALID_REQUEST);
});

Deno.test("parseMessage() survives 100,000 levels of nesting where they are allowed", () => {
  const nested = "[".repeat(100_000) + "]".repeat(100_000);
  const text = `{"jsonrpc":"2.0","method":"x","params":{"a":${nested}}}`;
  assert(isNotification(parseMessage(text, 100_002)));
  assertEquals(refusalOf(text).code, ERROR_CODES.INVALID_REQUEST);
});

Deno.test("parseMessage() returns or throws MCPRpcError, whatever one character of a message becomes", () => {
  const random = seededRandom(1);
  const texts = VALID.map(([, text]) => text);
  for (let round = 0; round < 5_000; round++) {
    const text = texts[round % texts.length] ?? "";
    const at = randomInteger(random, text.length);
    const put = String.fromCharCode(randomInteger(random, 128));
    const changed = text.slice(0, at) + put + text.slice(at + 1);
    try {
      assertEquals(findFault(parseMessage(changed)), undefined);
    } catch (thrown) {
      assertInstanceOf(thrown, MCPRpcError, changed);
      assertEquals(findFault(errorResponse(thrown)), undefined);
    }
  }
});

for (
  const [title, message, kind] of [
    ["a request", REQUEST, "request"],
    ["a notification", NOTIFICATION, "notification"],
    [
      "a message whose id is undefined",
      { ...NOTIFICATION, id: undefined },
      "notification",
    ],
    ["a result", RESULT, "response"],
    ["an error", ERROR, "response"],
    ["an error without id", ERROR_WITHOUT_ID, "response"],
  ] as const
) {
  Deno.test(`isRequest(), isNotification() and isResponse() call ${title} a ${kind}`, () => {
    assertEquals(isRequest(message), kind === "request");
    assertEquals(isNotification(message), kind === "notification");
    assertEquals(isResponse(message), kind === "response");
  });
}

Deno.test("isRequestId() takes strings and safe integers only", () => {
  for (const id of ["", "a", 0, -1, Number.MAX_SAFE_INTEGER]) {
    assert(isRequestId(id), String(id));
  }
  for (const value of [null, undefined, 0.5, NaN, Infinity, 2 ** 53, 1n, {}]) {
    assert(!isRequestId(value), String(value));
  }
});

Deno.test("isObject() takes neither null nor arrays", () => {
  assert(isObject({}));
  for (const value of [null, undefined, [], "x", 1, true]) {
    assert(!isObject(value), String(value));
  }
});

Deno.test("errorResponse() tells what an MCPRpcError says", () => {
  const error = new MCPRpcError(-32602, "Missing", {
    data: { at: "a" },
    id: 3,
  });
  assertEquals(errorResponse(error), {
    jsonrpc: "2.0",
    id: 3,
    error: { code: -32602, message: "Missing", data: { at: "a" } },
  });
});

Deno.test("errorResponse() prefers the id it is given", () => {
  const error = new MCPRpcError(1, "m", { id: 3 });
  assertEquals(errorResponse(error, 0).id, 0);
});

Deno.test("errorResponse() has no id member where no id is known", () => {
  assertEquals("id" in errorResponse(new MCPRpcError(1, "m")), false);
});

for (
  const [title, thrown] of [
    ["an error", new Error("password=x")],
    ["a string", "password=x"],
    ["nothing", undefined],
    ["an object", { code: 1, message: "password=x" }],
  ] as const
) {
  Deno.test(`errorResponse() keeps the details of ${title} here`, () => {
    assertEquals(errorResponse(thrown, 1), {
      jsonrpc: "2.0",
      id: 1,
      error: { code: ERROR_CODES.INTERNAL_ERROR, message: "Internal error" },
    });
  });
}

for (
  const message of [REQUEST, NOTIFICATION, RESULT, ERROR, ERROR_WITHOUT_ID]
) {
  Deno.test(`serializeMessage() writes ${JSON.stringify(message)} as it is`, () => {
    assertEquals(serializeMessage(message, 1_000), JSON.stringify(message));
  });
}

Deno.test("serializeMessage() writes one line, whatever the strings hold", () => {
  const text = serializeMessage({
    jsonrpc: "2.0",
    method: "a\nb",
    params: { text: "\r\n\u2028\ud800" },
  }, 1_000);
  assert(!/[\r\n]/.test(text));
  assert(text.isWellFormed());
});

for (
  const [title, filling] of [
    ["ASCII", "abc"],
    ["two bytes each", "äöü"],
    ["three bytes each", "漢字"],
    ["four bytes each", "🦕🪢"],
  ] as const
) {
  Deno.test(`serializeMessage() counts its limit in bytes: ${title}`, () => {
    const message: JsonRpcMessage = { ...NOTIFICATION, params: { filling } };
    const size = new TextEncoder().encode(JSON.stringify(message)).length;
    assertEquals(serializeMessage(message, size), JSON.stringify(message));
    const error = assertThrows(
      () => serializeMessage(message, size - 1),
      RangeError,
    );
    assertEquals(
      error.message,
      `Cannot send message as its size must be <= ${size - 1} bytes: current size is ${size}`,
    );
  });
}

Deno.test("serializeMessage() refuses what is no message", () => {
  const message = { ...REQUEST, id: null } as unknown as JsonRpcMessage;
  assertThrows(
    () => serializeMessage(message, 1_000),
    TypeError,
    'Cannot send message: member "id" must be a string or an integer',
  );
});

Deno.test("serializeMessage() refuses a result that is no object", () => {
  const message = { ...RESULT, result: null } as unknown as JsonRpcMessage;
  assertThrows(
    () => serializeMessage(message, 1_000),
    TypeError,
    'Cannot send message: member "result" must be an object',
  );
});

Deno.test("serializeMessage() says that a BigInt cannot be sent", () => {
  assertThrows(
    () => serializeMessage({ ...NOTIFICATION, params: { n: 1n } }, 1_000),
    TypeError,
    "BigInt",
  );
});

Deno.test("serializeMessage() says that a circle cannot be sent", () => {
  const params: Record<string, unknown> = {};
  params.self = params;
  assertThrows(
    () => serializeMessage({ ...NOTIFICATION, params }, 1_000),
    TypeError,
    "circular",
  );
});

Deno.test("serializeMessage() and parseMessage() are each other's inverse", () => {
  const message: JsonRpcMessage = {
    jsonrpc: "2.0",
    id: "💧",
    method: "tools/call",
    params: { name: "echo", arguments: { text: 'a"\\\u0000\ud800', n: -0.5 } },
  };
  assertEquals(parseMessage(serializeMessage(message, 1_000)), message);
});

/** A request whose params make it as deep as is said. */
function nested(depth: number, padding = ""): string {
  const levels = "[".repeat(depth - 2) + "]".repeat(depth - 2);
  return `{"jsonrpc":"2.0","id":7,"method":"x","params":{"a":${levels},"padding":"${padding}"}}`;
}

for (const [title, padding] of [["short", ""], ["long", "x".repeat(20_000)]] as const) {
  Deno.test(`parseMessage() takes a ${title} message of 64 levels, and refuses 65 with its id`, () => {
    assertEquals(isRequest(parseMessage(nested(64, padding))), true);
    const refusal = refusalOf(nested(65, padding));
    assertEquals(
      [refusal.code, refusal.message, refusal.id],
      [-32600, "Invalid request: nested deeper than 64", 7],
    );
  });

  Deno.test(`parseMessage() makes of a ${title} answer that is too deep an error for whoever asked`, () => {
    const text = `{"jsonrpc":"2.0","id":"a","result":{"a":[[]],"padding":"${padding}"}}`;
    assertEquals(parseMessage(text, 4), JSON.parse(text));
    assertEquals(parseMessage(text, 3), {
      jsonrpc: "2.0",
      id: "a",
      error: { code: -32600, message: "Invalid response: nested deeper than 3" },
    });
  });
}

Deno.test("parseMessage() refuses a text of which only the beginning is deep, without an id", () => {
  for (const text of ['{"a":'.repeat(300_000), `{"id":1,"a":${"[".repeat(1_000_000)}`]) {
    const refusal = refusalOf(text);
    assertEquals([refusal.code, refusal.id], [-32600, undefined]);
  }
});

Deno.test("parseMessage() refuses a batch of any size without reading it", () => {
  const batch = `[${'{"jsonrpc":"2.0","id":1,"method":"x"},'.repeat(200_000)}`;
  assert(batch.length > 7_000_000);
  // Parsed each time, they would take a minute.
  for (let i = 0; i < 500; i++) assertEquals(refusalOf(batch).code, -32600);
});

Deno.test("parseMessage() says nothing of the text in its errors", () => {
  const secret = "canary-5f1c";
  for (
    const text of [secret, `{"a":"${secret}"`, `{"jsonrpc":"2.0","${secret}":1}`, `"${secret}"`]
  ) {
    const refusal = refusalOf(text);
    const told = Deno.inspect(refusal, { depth: 10 }) + refusal.stack + JSON.stringify(refusal);
    assertEquals(told.includes("canary"), false, told);
  }
});

Deno.test("parseMessage() gives no message the members of a prototype", () => {
  for (
    const text of [
      '{"__proto__":{"jsonrpc":"2.0","id":1,"method":"x"}}',
      '{"jsonrpc":"2.0","id":1,"__proto__":{"method":"x"}}',
    ]
  ) assertEquals(refusalOf(text).code, -32600);
  const text = '{"jsonrpc":"2.0","id":1,"method":"x","params":{"__proto__":{"isAdmin":true}}}';
  const message = parseMessage(text);
  assert(isRequest(message));
  assertEquals(Object.getPrototypeOf(message.params), Object.prototype);
  assertEquals([message.params?.isAdmin, Object.keys(message.params ?? {})], [
    undefined,
    ["__proto__"],
  ]);
});

Deno.test("parseMessage() takes spaces around a message, however deep it is allowed to be", () => {
  const message = { jsonrpc: "2.0", id: 1, method: "x", params: { text: " ] " } } as const;
  const text = JSON.stringify(message);
  for (const spaces of [1, 20_000, 100_000]) {
    assertEquals(parseMessage(text + " ".repeat(spaces)), message);
    assertEquals(parseMessage(" ".repeat(spaces) + text), message);
  }
  const deep = `{"method":"x","params":{"a":${"[".repeat(80)}${
    "]".repeat(80)
  }},"jsonrpc":"2.0","id":7}`;
  assertEquals(refusalOf(deep + " ".repeat(20_000)).id, 7);
});
