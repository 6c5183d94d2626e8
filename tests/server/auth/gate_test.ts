import { assertEquals, assertThrows } from "@std/assert";
import { MCPError } from "../../../protocol/errors.ts";
import { bearerTokens } from "../../../server/auth/bearer.ts";
import type { AuthDecision, Authenticate } from "../../../server/auth/decision.ts";
import {
  AuthGate,
  type AuthGateOptions,
  type AuthOutcome,
  type Denied,
} from "../../../server/auth/gate.ts";
import { ProtectedResource } from "../../../server/auth/protected_resource.ts";
import { Tickets } from "../../../server/auth/tickets.ts";
import { ManualClock } from "../../support/manual_clock.ts";
import { requestWith } from "./_request.ts";

const TOKEN = "canary-token-0123456789.signature-0123456789";
const AUTHORIZATION = { Authorization: `Bearer ${TOKEN}` };
const ADA = { id: "ada", scopes: ["tools"] };
const accept: Authenticate = () => ({ type: "accept", principal: ADA });

function denied(outcome: AuthOutcome | Promise<AuthOutcome>): Denied {
  if (!(outcome instanceof Promise) && outcome.type === "refuse") return outcome;
  throw new Error(`Not refused at once: ${Deno.inspect(outcome)}`);
}

/** A gate that answers everybody with this, and the errors it reports. */
function create(
  authenticate: Authenticate | unknown,
  options: Partial<AuthGateOptions> = {},
): { gate: AuthGate; errors: Error[] } {
  const errors: Error[] = [];
  const decide = typeof authenticate === "function" ? authenticate : () => authenticate;
  const gate = new AuthGate({
    authenticate: decide as Authenticate,
    onError: (error) => errors.push(error),
    ...options,
  });
  return { gate, errors };
}

Deno.test("AuthGate lets a principal in, at once where the decision is", () => {
  const { gate } = create(bearerTokens({ [TOKEN]: ADA }));
  assertEquals(gate.admit(requestWith(AUTHORIZATION)), {
    type: "accept",
    principal: ADA,
    authInfo: { token: TOKEN, clientId: "ada", scopes: ["tools"], extra: { principal: "ada" } },
  });
});

Deno.test("AuthGate waits for a decision that takes its time", async () => {
  const { gate, errors } = create(() => Promise.resolve({ type: "accept", principal: ADA }));
  const outcome = gate.admit(requestWith());
  assertEquals(outcome instanceof Promise, true);
  assertEquals((await outcome).type, "accept");
  assertEquals(errors, []);
});

Deno.test("AuthGate hands over a copy of the principal", () => {
  const principal = { id: "ada" };
  const outcome = create({ type: "accept", principal }).gate.admit(requestWith());
  principal.id = "eve";
  assertEquals((outcome as { principal: unknown }).principal, { id: "ada" });
});

Deno.test("AuthGate asks with the request, what it shows, and a signal", () => {
  const asked: unknown[] = [];
  const { gate } = create((request: unknown, credential: unknown, context: unknown) => {
    asked.push([request, credential, context]);
    return { type: "challenge" };
  });
  const request = requestWith(AUTHORIZATION);
  gate.admit(request);
  const bare = requestWith();
  gate.admit(bare);
  const signals = asked.map((args) => (args as [unknown, unknown, { signal: unknown }])[2].signal);
  assertEquals(asked, [
    [request, { token: TOKEN, source: "header" }, { signal: signals[0] }],
    [bare, undefined, { signal: signals[1] }],
  ]);
  assertEquals(signals.every((signal) => signal instanceof AbortSignal), true);
});

Deno.test("AuthGate tells every refusal by status, close code and header", () => {
  const table: [decision: AuthDecision, expected: Omit<Denied, "type">][] = [
    [{ type: "challenge" }, {
      cause: "missing",
      status: 401,
      code: 4401,
      headers: { "WWW-Authenticate": 'Bearer realm="mcp"' },
      reason: "A credential is needed",
    }],
    [{ type: "refuse", status: 401, reason: "The token is unknown" }, {
      cause: "invalid",
      status: 401,
      code: 4401,
      headers: {
        "WWW-Authenticate":
          'Bearer realm="mcp", error="invalid_token", error_description="The token is unknown"',
      },
      reason: "The token is unknown",
    }],
    [{ type: "refuse", status: 403, reason: "Not today" }, {
      cause: "forbidden",
      status: 403,
      code: 4403,
      headers: {
        "WWW-Authenticate":
          'Bearer realm="mcp", error="insufficient_scope", error_description="Not today"',
      },
      reason: "Not today",
    }],
    [{ type: "unavailable" }, {
      cause: "unavailable",
      status: 503,
      code: 4503,
      headers: { "Retry-After": "5" },
      reason: "Nobody can be let in at the moment",
    }],
  ];
  for (const [decision, expected] of table) {
    const outcome = denied(create(decision).gate.admit(requestWith(AUTHORIZATION)));
    assertEquals(outcome, { type: "refuse", ...expected });
  }
});

Deno.test("AuthGate tells where tokens come from, and what they have to allow", () => {
  const resource = new ProtectedResource({
    resource: "https://mcp.example.com/mcp",
    authorizationServers: ["https://auth.example.com"],
  });
  const options = { resource, requiredScopes: ["tools", "prompts"] };
  const header = denied(create({ type: "challenge" }, options).gate.admit(requestWith()))
    .headers["WWW-Authenticate"];
  assertEquals(
    header,
    'Bearer realm="mcp", scope="tools prompts", ' +
      'resource_metadata="https://mcp.example.com/.well-known/oauth-protected-resource/mcp"',
  );
  const refused = denied(create(accept, options).gate.admit(requestWith()));
  assertEquals([refused.status, refused.reason], [403, "The token does not allow enough"]);
  const principal = { id: "ada", scopes: ["prompts", "tools", "x"] };
  const outcome = create({ type: "accept", principal }, options).gate.admit(requestWith());
  assertEquals((outcome as { authInfo: { resource: URL } }).authInfo.resource, resource.resource);
});

Deno.test("AuthGate refuses a principal whose time is over", () => {
  const clock = new ManualClock();
  const principal = { id: "ada", expiresAt: clock.now() + 10 };
  const { gate } = create({ type: "accept", principal }, { clock });
  assertEquals((gate.admit(requestWith()) as AuthOutcome).type, "accept");
  clock.advance(10);
  const { status, reason } = denied(gate.admit(requestWith()));
  assertEquals([status, reason], [401, "The token has expired"]);
});

Deno.test("AuthGate refuses what it cannot read, without asking", () => {
  const { gate, errors } = create(() => {
    throw new Error("Asked");
  });
  const table: [headers: Record<string, string>, query: string][] = [
    [{ Authorization: "Bearer a b" }, ""],
    [{ "Sec-WebSocket-Protocol": "mcp.auth.a, mcp.auth.b" }, ""],
    [{}, `?access_token=${TOKEN}`],
  ];
  for (const [headers, query] of table) {
    const { cause, status, headers: told, reason } = denied(
      gate.admit(requestWith(headers, query)),
    );
    assertEquals([cause, status], ["malformed", 400]);
    assertEquals(told["WWW-Authenticate"]?.includes('error="invalid_request"'), true);
    assertEquals(reason.includes(TOKEN), false);
  }
  assertEquals(errors, []);
});

Deno.test("AuthGate redeems tickets in the URL, and in place of a token", () => {
  const tickets = new Tickets();
  const { gate } = create({ type: "refuse", status: 401, reason: "No" }, { tickets });
  const mint = () => tickets.mint({ ...ADA, token: TOKEN });
  const first = mint();
  const shows = [
    requestWith({}, `?ticket=${first}`),
    requestWith({ Authorization: `Bearer ${mint()}` }),
    requestWith({ "Sec-WebSocket-Protocol": `mcp, mcp.auth.${mint()}` }),
  ];
  for (const request of shows) {
    const outcome = gate.admit(request) as AuthOutcome;
    assertEquals(outcome.type === "accept" && outcome.authInfo.token, TOKEN);
    assertEquals(denied(gate.admit(request)).status, 401);
  }
  assertEquals((gate.admitToken(requestWith(), mint(), "hello") as AuthOutcome).type, "accept");
  const { status, reason } = denied(gate.admit(requestWith({}, `?ticket=${first}`)));
  assertEquals([status, reason], [401, "The ticket is not good"]);
});

Deno.test("AuthGate does not show what stands behind a ticket a token it was not sent", () => {
  const tickets = new Tickets();
  const { gate } = create(accept, { tickets });
  const ticket = tickets.mint(ADA);
  const outcome = gate.admit(requestWith({}, `?ticket=${ticket}`)) as AuthOutcome;
  assertEquals(outcome.type === "accept" && outcome.authInfo.token, "");
});

Deno.test("AuthGate takes no ticket where there are none", () => {
  const { gate } = create({ type: "challenge" });
  assertEquals(denied(gate.admit(requestWith({}, "?ticket=x"))).cause, "missing");
});

Deno.test("AuthGate judges tokens that come later", async () => {
  const { gate } = create(bearerTokens({ [TOKEN]: ADA }));
  const request = requestWith();
  for (const source of ["hello", "request"] as const) {
    assertEquals((await gate.admitToken(request, TOKEN, source)).type, "accept");
    assertEquals(denied(gate.admitToken(request, "wrong-token", source)).cause, "invalid");
    for (const token of [undefined, 1, "", "a b", { token: TOKEN }]) {
      assertEquals(denied(gate.admitToken(request, token, source)).cause, "malformed");
    }
  }
});

Deno.test("AuthGate lets nobody in when a decision fails, and tells why", async () => {
  const principals: unknown[] = [undefined, {}, { id: "" }, { id: "a", scopes: 1 }];
  const failing: unknown[] = [
    () => {
      throw new Error("down");
    },
    () => Promise.reject(new Error("down")),
    () => Promise.resolve({ type: "unavailable", cause: new Error("down") }),
    undefined,
    null,
    true,
    { id: "ada" },
    { type: "accepted", principal: ADA },
    ...principals.map((principal) => ({ type: "accept", principal })),
    () => Promise.resolve({ type: "accept" }),
  ];
  for (const authenticate of failing) {
    const { gate, errors } = create(authenticate);
    const outcome = await gate.admit(requestWith(AUTHORIZATION));
    assertEquals(outcome.type === "refuse" && outcome.status, 503);
    assertEquals(errors.map(({ message }) => message), [
      "Cannot authenticate client: the check failed",
    ]);
    const [error] = errors;
    assertEquals(error instanceof MCPError && error.retryable, true);
    assertEquals(error?.cause instanceof Error, true);
  }
});

Deno.test("AuthGate survives a reporter that fails", () => {
  const onError = () => {
    throw new Error("no");
  };
  const { gate } = create(() => {
    throw new Error("down");
  }, { onError });
  assertEquals(denied(gate.admit(requestWith())).status, 503);
  assertEquals(
    denied(new AuthGate({ authenticate: () => ({ type: "unavailable" }) })
      .admit(requestWith())).status,
    503,
  );
});

Deno.test("AuthGate waits for no decision for ever, and says so to who decides", async () => {
  const clock = new ManualClock();
  let signal: AbortSignal | undefined;
  const late = Promise.withResolvers<AuthDecision>();
  const { gate, errors } = create((_request: unknown, _credential: unknown, context: {
    signal: AbortSignal;
  }) => {
    signal = context.signal;
    return late.promise;
  }, { clock });
  const outcome = gate.admit(requestWith());
  clock.advance(9_999);
  assertEquals(signal?.aborted, false);
  clock.advance(1);
  const { cause } = await outcome as Denied;
  assertEquals(cause, "unavailable");
  assertEquals(signal?.aborted, true);
  assertEquals((errors[0]?.cause as Error).message, "Cannot authenticate client in time");
  late.reject(new Error("Nobody hears this"));
  assertEquals(clock.timers, 0);
});

Deno.test("AuthGate shows a secret to nobody", async () => {
  const decoded = "decoded-secret/with=more";
  const encoded = btoa(decoded).replaceAll("+", "-").replaceAll("=", "");
  const shows: [request: ReturnType<typeof requestWith>, secrets: string[]][] = [
    [requestWith(AUTHORIZATION), [TOKEN, "signature-0123456789"]],
    [requestWith({ "Sec-WebSocket-Protocol": `mcp.auth.${encoded}` }), [encoded, decoded]],
  ];
  for (const [request, secrets] of shows) {
    for (const secret of secrets) {
      const leaks: unknown[] = [
        () => {
          throw new Error(`bad token ${secret}`);
        },
        () =>
          Promise.reject(new Error("outer", { cause: { headers: new Headers({ a: secret }) } })),
        { type: "unavailable", cause: secret },
        { type: "refuse", status: 401, reason: `bad token ${secret}` },
        { type: "refuse", status: 403, reason: secret },
      ];
      for (const authenticate of leaks) {
        const { gate, errors } = create(authenticate);
        const outcome = await gate.admit(request);
        const all = Deno.inspect([outcome, errors], { depth: 20, showHidden: true });
        assertEquals(outcome.type, "refuse");
        assertEquals(all.includes(secret), false, all);
      }
    }
  }
});

Deno.test("AuthGate tells no reason that does not fit into a close frame or a header", () => {
  for (const reason of ["", "x".repeat(121), "two\r\nlines", "ü", 1, undefined]) {
    const { gate } = create({ type: "refuse", status: 401, reason });
    const outcome = denied(gate.admit(requestWith()));
    assertEquals(outcome.reason, "The token is not accepted");
    assertEquals(outcome.headers["WWW-Authenticate"], 'Bearer realm="mcp", error="invalid_token"');
  }
});

Deno.test("new AuthGate() refuses options that are none", () => {
  assertThrows(() => new AuthGate({ authenticate: 1 as unknown as Authenticate }), TypeError);
  for (const timeout of [0, -1, NaN]) {
    assertThrows(() => new AuthGate({ authenticate: accept, timeout }), RangeError, '"timeout"');
  }
});
