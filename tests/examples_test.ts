import { assertEquals, assertMatch } from "@std/assert";

const ROOT = new URL("../", import.meta.url);
const WORDS = { stdout: "piped", stderr: "piped", cwd: ROOT, env: { NO_COLOR: "1" } } as const;

/** Starts a server and gives its address, as it prints it. */
async function startServer(
  file: string,
  permissions: readonly string[],
): Promise<{ url: string; child: Deno.ChildProcess }> {
  const args = ["run", "--no-prompt", ...permissions, `examples/${file}`, "0"];
  const child = new Deno.Command(Deno.execPath(), { ...WORDS, args }).spawn();
  let text = "";
  for await (const chunk of child.stdout.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    const url = /ws:\S+/.exec(text)?.[0];
    if (url !== undefined) return { url, child };
  }
  throw new Error(`"${file}" ended before it listened: ${text}`);
}

async function runClient(
  file: string,
  permissions: readonly string[],
  url: string,
): Promise<string> {
  const args = ["run", "--no-prompt", ...permissions, `examples/${file}`, url];
  const output = await new Deno.Command(Deno.execPath(), { ...WORDS, args }).output();
  const text = new TextDecoder().decode(output.stdout);
  assertEquals(output.code, 0, new TextDecoder().decode(output.stderr));
  return text;
}

// `deno run` in the examples names the port; tests take any.
const NET = ["--allow-net=127.0.0.1"];
const SERVERS = { "server.ts": NET, "sdk_server.ts": NET };
const CLIENTS = { "client.ts": NET, "sdk_client.ts": [...NET, "--allow-env"] };

for (const [serverFile, serverPermissions] of Object.entries(SERVERS)) {
  for (const [clientFile, clientPermissions] of Object.entries(CLIENTS)) {
    Deno.test(`examples/${clientFile} gets its forecast from examples/${serverFile}`, async () => {
      const { url, child } = await startServer(serverFile, serverPermissions);
      try {
        assertMatch(await runClient(clientFile, clientPermissions, url), /for Oslo: fair/);
      } finally {
        child.kill("SIGKILL");
        await child.status;
        await child.stderr.cancel();
      }
    });
  }
}
