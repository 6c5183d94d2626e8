import { assertEquals } from "@std/assert";
import { RequestCopy, snapshotRequest } from "../../server/request.ts";

Deno.test("snapshotRequest() copies what cannot be read after the upgrade", () => {
  const request = new Request("http://h:1/mcp?a=1", { headers: { "Authorization": "Bearer x" } });
  const snapshot = snapshotRequest(request, {
    remoteAddr: { transport: "tcp", hostname: "192.0.2.1", port: 5 },
  });
  assertEquals(snapshot.method, "GET");
  assertEquals(snapshot.url, "http://h:1/mcp?a=1");
  assertEquals(snapshot.path, "/mcp");
  assertEquals(snapshot.remoteAddress, "192.0.2.1");
  assertEquals(snapshot.headers.get("Authorization"), "Bearer x");
  assertEquals(snapshot.headers === request.headers, false);
});

Deno.test("snapshotRequest() gives back all headers as they were", () => {
  const headers = new Headers([["a", "1"], ["a", "2: 3"], ["empty", ""], ["latin", "\u00e9:"]]);
  const snapshot = snapshotRequest(new Request("http://h/", { headers }));
  assertEquals([...snapshot.headers], [...headers]);
  assertEquals(snapshot.headers === snapshot.headers, true);
  assertEquals([...snapshotRequest(new Request("http://h/")).headers], []);
});

Deno.test("RequestCopy reads the request where it is until it is sealed", () => {
  const request = new Request("http://h/mcp", { headers: { "X-Tenant": "a" } });
  const copy = new RequestCopy(request, undefined);
  assertEquals(copy.headers === request.headers, true);
  copy.seal();
  assertEquals(copy.headers === request.headers, false);
  assertEquals(copy.headers.get("X-Tenant"), "a");
});

Deno.test("snapshotRequest() knows no address where there is none", () => {
  const request = new Request("http://h/");
  assertEquals(snapshotRequest(request).remoteAddress, undefined);
  const info = { remoteAddr: { transport: "unix", path: "/tmp/s" } as const };
  assertEquals(snapshotRequest(request, info).remoteAddress, undefined);
});
