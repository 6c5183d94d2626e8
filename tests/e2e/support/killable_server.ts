/**
 * A server that tells its port and its journal on its standard output, a line
 * each. Its arguments are what it is made with, whether it holds, and its port.
 *
 * @module
 */

import { Journal } from "./scene.ts";
import { serve, type ServerKind } from "./serving.ts";

if (import.meta.main) {
  const [kind, holds, port] = Deno.args;
  const encoder = new TextEncoder();
  const tell = (line: string) => Deno.stdout.writeSync(encoder.encode(`${line}\n`));
  const scene = { journal: new Journal(tell), holds: holds === "true" };
  const { url } = await serve(kind as ServerKind, scene, Number(port));
  tell(`listening ${new URL(url).port}`);
}
