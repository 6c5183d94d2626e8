import { assertEquals, assertStringIncludes } from "@std/assert";
import { WebSocketClientTransport } from "../../client/mod.ts";
import {
  ClientV1,
  CreateMessageRequestSchema,
  ElicitRequestSchema,
} from "../e2e/support/sdk_v1.ts";
import { RunningCommand } from "../support/running_command.ts";

const SERVER = "@modelcontextprotocol/server-everything@2026.8.31";
/** It comes over the network the first time. */
const START_TIMEOUT = 120_000;

async function hasNpx(): Promise<boolean> {
  try {
    return (await new Deno.Command("npx", { args: ["--version"] }).output()).success;
  } catch {
    return false;
  }
}

interface Person extends AsyncDisposable {
  readonly client: ClientV1;
  readonly asked: string[];
}

/** A client of the official SDK that answers what the server asks with its own name. */
async function connect(url: string, name: string): Promise<Person> {
  const asked: string[] = [];
  const capabilities = { sampling: {}, elicitation: { form: {} } };
  const client = new ClientV1({ name, version: "1.0.0" }, { capabilities });
  client.setRequestHandler(CreateMessageRequestSchema, ({ params }) => {
    asked.push(JSON.stringify(params.messages));
    return { model: name, role: "assistant", content: { type: "text", text: `I am ${name}` } };
  });
  client.setRequestHandler(ElicitRequestSchema, () => {
    asked.push("elicitation");
    return { action: "accept", content: { name } };
  });
  await client.connect(new WebSocketClientTransport(url), { timeout: START_TIMEOUT });
  return { client, asked, [Symbol.asyncDispose]: () => client.close() };
}

async function call(
  { client }: Person,
  name: string,
  args: Record<string, unknown> = {},
): Promise<{ text: string; progress: number[] }> {
  const progress: number[] = [];
  const result = await client.callTool({ name, arguments: args }, undefined, {
    onprogress: (step) => progress.push(step.progress),
  });
  return { text: JSON.stringify(result.content), progress };
}

async function use(person: Person, name: string, steps: number): Promise<void> {
  const [slow, sampled, elicited] = await Promise.all([
    call(person, "trigger-long-running-operation", { duration: 0.5, steps }),
    call(person, "trigger-sampling-request", { prompt: `for ${name}` }),
    call(person, "trigger-elicitation-request"),
  ]);
  assertEquals(slow.progress, Array.from({ length: steps }, (_, i) => i + 1));
  assertStringIncludes(sampled.text, `I am ${name}`);
  assertStringIncludes(elicited.text, `Name: ${name}`);
  assertEquals(person.asked.length, 2);
  assertStringIncludes(person.asked.join(), `for ${name}`);
}

Deno.test("serve keeps two clients of the official server-everything apart", async () => {
  if (!await hasNpx()) {
    // deno-lint-ignore no-console -- a skipped test says why
    console.log("skipped: there is no npx here");
    return;
  }
  await using server = new RunningCommand(
    "server/main.ts",
    ["--port", "0", "--stdio", `npx -y ${SERVER}`],
    { permissions: ["--allow-net=127.0.0.1", "--allow-run=npx"] },
  );
  const url = await server.url();
  // One after the other: npx does not like to install the same twice at once.
  await using ada = await connect(url, "Ada");
  await using bob = await connect(url, "Bob");
  await Promise.all([use(ada, "Ada", 4), use(bob, "Bob", 6)]);
  server.kill("SIGTERM");
  assertEquals(await server.exit(), 0);
});
