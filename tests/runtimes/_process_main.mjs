// Runs the scenario in a runtime that has processes, and prints the report in
// one line. It does not exit by itself: whatever the client leaves behind
// keeps the process alive, and the test sees it.

const [bundle, places] = process.argv.slice(2);
const { runScenario } = await import(bundle);
const report = await runScenario(JSON.parse(places));
process.stdout.write(`${JSON.stringify(report)}\n`);
