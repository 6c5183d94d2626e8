import { assertEquals } from "@std/assert";
import { type AllowedOrigins, isOriginAllowed } from "../../server/origin.ts";

Deno.test("isOriginAllowed() by default lets in programs and pages from this machine", () => {
  const allowed = [
    null,
    "http://localhost",
    "https://localhost",
    "http://localhost:3000",
    "http://127.0.0.1:8080",
    "https://[::1]:8443",
    "http://[::1]",
  ];
  for (const origin of allowed) assertEquals(isOriginAllowed(origin), true, `${origin}`);
});

Deno.test("isOriginAllowed() by default keeps everybody else out", () => {
  const refused = [
    "",
    "null",
    "https://evil.example",
    "http://localhost.evil.example",
    "http://evil.example/localhost",
    "http://localhost@evil.example",
    "http://127.0.0.1.evil.example",
    "http://127.0.0.1:80:80",
    "http://127.0.0.1:123456",
    "http://xlocalhost",
    "http://localhost/",
    "http://localhost, http://localhost",
    "http://localhost,http://evil.example",
    "http://192.168.0.1",
    "http://0.0.0.0",
    "ftp://localhost",
    "file://",
    "HTTP://LOCALHOST",
  ];
  for (const origin of refused) assertEquals(isOriginAllowed(origin), false, origin);
});

Deno.test("isOriginAllowed() takes a list literally", () => {
  const list = ["https://app.example.com", "tauri://localhost"];
  const cases: [string | null, boolean][] = [
    [null, true],
    ["https://app.example.com", true],
    ["tauri://localhost", true],
    ["http://app.example.com", false],
    ["https://app.example.com:444", false],
    ["https://sub.app.example.com", false],
    ["http://localhost", false],
    ["https://app.example.com, https://app.example.com", false],
  ];
  for (const [origin, expected] of cases) {
    assertEquals(isOriginAllowed(origin, list), expected, `${origin}`);
  }
});

Deno.test("isOriginAllowed() asks a function about one well-formed origin at a time", () => {
  const asked: string[] = [];
  const predicate: AllowedOrigins = (origin) => {
    asked.push(origin);
    return origin.endsWith(".example.com");
  };
  assertEquals(isOriginAllowed("https://a.example.com", predicate), true);
  assertEquals(isOriginAllowed("https://a.example.org", predicate), false);
  assertEquals(isOriginAllowed(null, predicate), true);
  assertEquals(isOriginAllowed("null", predicate), false);
  assertEquals(isOriginAllowed("https://x, https://a.example.com", predicate), false);
  assertEquals(asked, ["https://a.example.com", "https://a.example.org"]);
});

Deno.test("isOriginAllowed() wants true from a function, not just something", () => {
  const promise = (() => Promise.resolve(false)) as unknown as () => boolean;
  assertEquals(isOriginAllowed("https://a.example.com", promise), false);
});
