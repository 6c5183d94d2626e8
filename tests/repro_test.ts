import { assertEquals, assertMatch } from "@std/assert";

Deno.test("docs/repro/nagle_stall.ts tells a time for each size, and needs the network of this machine alone", async () => {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", "--allow-net=127.0.0.1", "docs/repro/nagle_stall.ts"],
    cwd: new URL("../", import.meta.url),
    env: { NO_COLOR: "1" },
  }).output();
  assertEquals(code, 0, new TextDecoder().decode(stderr));
  const lines = new TextDecoder().decode(stdout).split("\n").filter((line) => /\d ms$/.test(line));
  assertEquals(lines.length, 8);
  for (const line of lines) assertMatch(line, /^ +\d+ bytes +\d+\.\d\d ms$/);
});
