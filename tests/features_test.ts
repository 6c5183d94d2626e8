import { assertEquals } from "@std/assert";

const ROOT = new URL("../", import.meta.url);

/** Cells of the rows that name a symbol or a test. */
async function readRows(): Promise<string[][]> {
  const text = await Deno.readTextFile(new URL("docs/features.md", ROOT));
  return text.split("\n").filter((line) => /^\| [CS]\d+ /.test(line))
    .map((line) => line.split("|").slice(1, -1).map((cell) => cell.trim()));
}

async function listExports(): Promise<string> {
  const command = new Deno.Command(Deno.execPath(), {
    args: ["doc", "--json", "mod.ts"],
    cwd: ROOT,
    env: { NO_COLOR: "1" },
  });
  const { stdout } = await command.output();
  return JSON.stringify(JSON.parse(new TextDecoder().decode(stdout)));
}

Deno.test("docs/features.md names every feature once", async () => {
  const numbers = (await readRows()).map(([number]) => number);
  const expected = [
    ...Array.from({ length: 21 }, (_, i) => `C${i + 1}`),
    ...Array.from({ length: 15 }, (_, i) => `S${i + 1}`),
  ];
  assertEquals(numbers, expected);
});

Deno.test("docs/features.md names symbols that are exported", async () => {
  const documented = await listExports();
  const missing = (await readRows()).map(([, , symbol = ""]) => symbol.replaceAll("`", ""))
    .filter((symbol) => symbol !== "" && !documented.includes(`"name":"${symbol}"`));
  assertEquals(missing, []);
});

Deno.test("docs/features.md names tests that exist", async () => {
  const missing: string[] = [];
  for (const [, , , file = ""] of await readRows()) {
    if (file === "") continue;
    await Deno.stat(new URL(file, ROOT)).catch(() => missing.push(file));
  }
  assertEquals(missing, []);
});
