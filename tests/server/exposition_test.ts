import { assertEquals, assertThrows } from "@std/assert";
import { exposition, numberText } from "../../server/exposition.ts";
import { parseMetrics } from "./_prometheus.ts";

Deno.test("exposition() writes HELP, TYPE and samples, and ends every line", () => {
  const text = exposition([
    { name: "a_total", type: "counter", help: "Counts.", samples: [{ value: 1 }] },
    {
      name: "b_bytes",
      type: "gauge",
      help: "Holds.",
      samples: [{ labels: { x: "1", y: "2" }, value: 0.5 }, { labels: { x: "3" }, value: -2 }],
    },
  ]);
  assertEquals(
    text,
    "# HELP a_total Counts.\n# TYPE a_total counter\na_total 1\n" +
      '# HELP b_bytes Holds.\n# TYPE b_bytes gauge\nb_bytes{x="1",y="2"} 0.5\nb_bytes{x="3"} -2\n',
  );
  assertEquals(parseMetrics(text).size, 2);
});

Deno.test("exposition() escapes what would end a line or a label", () => {
  const text = exposition([{
    name: "a",
    type: "gauge",
    help: 'a "quoted" \\ line\nand another',
    samples: [{ labels: { x: 'a "quoted" \\ line\nand another' }, value: 1 }],
  }]);
  assertEquals(
    text,
    '# HELP a a "quoted" \\\\ line\\nand another\n# TYPE a gauge\n' +
      'a{x="a \\"quoted\\" \\\\ line\\nand another"} 1\n',
  );
  assertEquals(parseMetrics(text).get("a")?.samples.size, 1);
});

Deno.test("numberText() writes numbers as Prometheus reads them", () => {
  const values = [0, 1.5, -1, 1e21, 2 ** 53, Infinity, -Infinity, NaN];
  const texts = ["0", "1.5", "-1", "1e+21", "9007199254740992", "+Inf", "-Inf", "NaN"];
  assertEquals(values.map(numberText), texts);
});

Deno.test("parseMetrics() of these tests refuses what a scraper would not understand", () => {
  const head = "# HELP a_total A.\n# TYPE a_total counter\n";
  const wrong = [
    `${head}a_total 1`,
    "a_total 1\n",
    `${head}b_total 1\n`,
    `${head}a_total 1\na_total 2\n`,
    `${head}a_total{x="1} 1\n`,
    `${head}a_total{x="\\t"} 1\n`,
    `${head}a_total{x="1",} 1\n`,
    `${head}a_total one\n`,
    `${head}`,
    `${head}a_total 1\n${head}a_total 1\n`,
    "# HELP a A.\n# TYPE a counter\na 1\n",
  ];
  for (const text of wrong) assertThrows(() => parseMetrics(text), SyntaxError);
  parseMetrics(`${head}a_total 1\n`);
});
