import type { Report } from "./scenario.ts";
import type { Stage } from "./_stage.ts";
import { toLines } from "./_lines.ts";

/** Time that a runtime may take for everything, in milliseconds. */
const PLAY_TIMEOUT = 60_000;
/** Time from the report to the process's end, in milliseconds. */
const EXIT_TIMEOUT = 2_000;

/** What came of a play. */
export interface Outcome {
  /** What the scenario reports. */
  readonly report: Report;
  /** What went wrong around it: uncaught errors, a process that stays. */
  readonly complaints: readonly string[];
}

/** Plays the scenario in a process: the command is told which script to run with which arguments. */
export async function playInProcess(
  command: string,
  args: readonly string[],
  stage: Stage,
): Promise<Outcome> {
  const main = new URL("_process_main.mjs", import.meta.url).pathname;
  const child = new Deno.Command(command, {
    args: [...args, main, `file://${stage.bundle}`, JSON.stringify(stage.places)],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  let timer = setTimeout(() => child.kill("SIGKILL"), PLAY_TIMEOUT);
  try {
    const errors = new Response(child.stderr).text();
    const lines: string[] = [];
    for await (const line of toLines(child.stdout)) {
      lines.push(line);
      clearTimeout(timer);
      timer = setTimeout(() => child.kill("SIGKILL"), EXIT_TIMEOUT);
    }
    const { code, signal } = await child.status;
    const complaints = [await errors].filter((text) => text !== "");
    if (signal !== null) complaints.push(`It was killed as it did not exit by itself: ${signal}`);
    else if (code !== 0) complaints.push(`It ended with code ${code}`);
    const [report = '{ "agent": "", "steps": {} }'] = lines;
    return { report: JSON.parse(report), complaints };
  } finally {
    clearTimeout(timer);
  }
}

const CHROMIUM_ARGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** Plays the scenario in a page of Chromium. */
export async function playInChromium(executablePath: string, stage: Stage): Promise<Outcome> {
  // Here, so that nobody fetches it who has no browser.
  const { chromium } = await import("npm:playwright-core@1.65.1");
  const browser = await chromium.launch({
    executablePath,
    args: CHROMIUM_ARGS,
    timeout: PLAY_TIMEOUT,
  });
  try {
    const page = await browser.newPage();
    const complaints: string[] = [];
    page.on("pageerror", (error) => complaints.push(error.message));
    await page.exposeFunction("setOffline", (value: boolean) => page.context().setOffline(value));
    await page.goto(stage.places.control);
    const report = await page.evaluate(async (places) => {
      const { runScenario } = await import(`${places.control}/scenario.js`);
      // What JSON leaves out is left out on every runtime.
      return JSON.stringify(await runScenario(places));
    }, stage.places);
    return { report: JSON.parse(report), complaints };
  } finally {
    await browser.close();
  }
}
