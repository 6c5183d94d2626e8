import { assertEquals } from "@std/assert";

const ROOT = new URL("../", import.meta.url);

/** What each folder may import besides itself. */
const ALLOWED: Record<string, readonly string[]> = {
  protocol: [],
  client: ["protocol"],
  server: ["protocol"],
  guard: ["protocol", "server"],
};

/** The command wires the two together. */
const WIRED: Record<string, string> = { "server/main.ts": "guard" };

/** The only files of `protocol/` that may touch the host. */
const HOST_FILES: readonly string[] = ["protocol/clock.ts"];

/** The commands: they may ask the host, and read the version of the package. */
const COMMAND_FILES: readonly string[] = [
  "client/bridge_options.ts",
  "client/doctor_options.ts",
  "client/main.ts",
  "server/main.ts",
  "server/serve_options.ts",
];

/** The files of the client that ask what runtime they run in: its library, and its diagnosis. */
const RUNTIME_FILES: readonly string[] = ["client/runtime.ts", "client/diagnostics/host.ts"];

async function listSources(folder: string): Promise<string[]> {
  const files: string[] = [];
  for await (const entry of Deno.readDir(new URL(`${folder}/`, ROOT))) {
    if (entry.isDirectory) files.push(...await listSources(`${folder}/${entry.name}`));
    else if (entry.name.endsWith(".ts")) files.push(`${folder}/${entry.name}`);
  }
  return files.sort();
}

const read = (file: string) => Deno.readTextFile(new URL(file, ROOT));

/** Code without comments and with empty strings, so that prose cannot match. */
function bare(source: string): string {
  return source.replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, "").replaceAll(/(["'`]).*?\1/g, '""');
}

function importsOf(source: string): string[] {
  const code = source.replaceAll(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, "");
  return [...code.matchAll(/(?:from|import)\s*\(?\s*"([^"$]+)"/g)].map((match) => match[1] ?? "");
}

async function graph(): Promise<Map<string, string[]>> {
  const edges = new Map<string, string[]>();
  for (const folder of Object.keys(ALLOWED)) {
    for (const file of await listSources(folder)) {
      const relative = importsOf(await read(file)).filter((name) => name.startsWith("."));
      edges.set(
        file,
        relative.map((name) => new URL(name, new URL(file, ROOT)).href.slice(ROOT.href.length)),
      );
    }
  }
  return edges;
}

Deno.test("imports go one way: guard to server, client and server to protocol, protocol to nothing", async () => {
  const wrong: string[] = [];
  for (const [file, targets] of await graph()) {
    const folder = file.split("/")[0] ?? "";
    for (const target of targets) {
      const to = target.split("/")[0] ?? "";
      if (to === "deno.json" && COMMAND_FILES.includes(file)) continue;
      if (WIRED[file] === to) continue;
      if (to !== folder && !ALLOWED[folder]?.includes(to)) wrong.push(`${file} -> ${target}`);
    }
  }
  assertEquals(wrong, []);
});

Deno.test("imports have no cycles, not even of types", async () => {
  const edges = await graph();
  const state = new Map<string, "open" | "done">();
  const cycles: string[] = [];
  const visit = (file: string, path: readonly string[]) => {
    if (state.get(file) === "done") return;
    if (state.get(file) === "open") return void cycles.push([...path, file].join(" -> "));
    state.set(file, "open");
    for (const target of edges.get(file) ?? []) visit(target, [...path, file]);
    state.set(file, "done");
  };
  for (const file of edges.keys()) visit(file, []);
  assertEquals(cycles, []);
});

Deno.test("protocol has no timer, clock, randomness or socket of its own", async () => {
  const HOST_REGEXP =
    /\b(setTimeout|setInterval|Date\.now|performance|Math\.random|crypto|new WebSocket|Deno|process)\b/;
  const wrong: string[] = [];
  for (const file of await listSources("protocol")) {
    if (HOST_FILES.includes(file)) continue;
    const match = HOST_REGEXP.exec(bare(await read(file)));
    if (match !== null) wrong.push(`${file}: ${match[0]}`);
  }
  assertEquals(wrong, []);
});

Deno.test("the client's library asks in two files what differs between runtimes", async () => {
  const wrong: string[] = [];
  for (const file of await listSources("client")) {
    if (RUNTIME_FILES.includes(file) || COMMAND_FILES.includes(file)) continue;
    const match = /\b(Deno|process|navigator|globalThis)\b/.exec(bare(await read(file)));
    if (match !== null) wrong.push(`${file}: ${match[0]}`);
  }
  assertEquals(wrong, []);
});

Deno.test("the library imports no package but those it names", async () => {
  const KNOWN: Record<string, RegExp> = {
    protocol: /^\./,
    client: /^(\.|@std\/(async|ulid)(\/|$))/,
    server: /^(\.|@std\/(async|ulid)(\/|$)|node:(buffer|crypto|net|zlib)$|jose$)/,
    guard: /^(\.|@std\/async$)/,
  };
  const wrong: string[] = [];
  for (const [folder, known] of Object.entries(KNOWN)) {
    for (const file of await listSources(folder)) {
      if (COMMAND_FILES.includes(file)) continue;
      const unknown = importsOf(await read(file)).filter((name) => !known.test(name));
      wrong.push(...unknown.map((name) => `${file}: ${name}`));
    }
  }
  assertEquals(wrong, []);
});

Deno.test("only the commands write to the console or end the process", async () => {
  const wrong: string[] = [];
  for (const folder of Object.keys(ALLOWED)) {
    for (const file of await listSources(folder)) {
      if (file.endsWith("/main.ts")) continue;
      const match = /\bconsole\.|Deno\.exit\b/.exec(bare(await read(file)));
      if (match !== null) wrong.push(`${file}: ${match[0]}`);
    }
  }
  assertEquals(wrong, []);
});
