import type { RequestSnapshot } from "../request.ts";

/** What clients are told of a server that wants tokens (RFC 9728, 2). */
export interface ProtectedResourceOptions {
  /**
   * The address of the endpoint as clients know it, with `https:` in place of
   * `wss:`: `https://mcp.example.com/mcp`. It is the audience of its tokens.
   */
  readonly resource: string | URL;
  /** The issuers of tokens. */
  readonly authorizationServers: readonly (string | URL)[];
  /** What tokens may allow. */
  readonly scopes?: readonly string[] | undefined;
  /** The server's name, for people. */
  readonly name?: string | undefined;
  /** Where it is documented. */
  readonly documentation?: string | URL | undefined;
}

const PREFIX = "/.well-known/oauth-protected-resource";
/** Web pages look for an authorization server, too; what they find is public. */
const CORS_HEADERS = { "Access-Control-Allow-Origin": "*" };
const PREFLIGHT_HEADERS = {
  ...CORS_HEADERS,
  "Access-Control-Allow-Methods": "GET, HEAD, OPTIONS",
  "Access-Control-Allow-Headers": "*",
};

/**
 * Tells clients where they get tokens for this server, so that the SDKs' OAuth
 * finds the way by itself.
 *
 * @example The document
 * ```ts
 * import { ProtectedResource } from "@bowline/mcp-websocket/server";
 * import { assertEquals } from "@std/assert";
 *
 * const resource = new ProtectedResource({
 *   resource: "https://mcp.example.com/mcp",
 *   authorizationServers: ["https://auth.example.com"],
 * });
 * assertEquals(resource.path, "/.well-known/oauth-protected-resource/mcp");
 * ```
 */
export class ProtectedResource {
  /** The address of the endpoint, as `AuthInfo.resource` tells it. */
  readonly resource: URL;
  /** The path of the document. */
  readonly path: string;
  /** The address of the document, as challenges tell it. */
  readonly url: string;
  readonly #document: string;

  /**
   * Makes the document.
   *
   * @param options What it says.
   * @throws {TypeError} If an address is none, or there is no authorization server.
   */
  constructor(options: ProtectedResourceOptions) {
    const { authorizationServers, scopes, name, documentation } = options;
    this.resource = parseAddress("resource", options.resource);
    if (this.resource.search !== "") {
      throw new TypeError(
        'Cannot describe resource as "resource" must be without query: it has one',
      );
    }
    if (authorizationServers.length === 0) {
      throw new TypeError(
        'Cannot describe resource as "authorizationServers" must name one: none is',
      );
    }
    const { pathname, origin } = this.resource;
    this.path = `${PREFIX}${pathname.replace(/\/$/, "")}`;
    this.url = `${origin}${this.path}`;
    this.#document = JSON.stringify({
      resource: addressOf(options.resource),
      authorization_servers: authorizationServers.map((server) => {
        parseAddress("authorizationServers", server);
        return addressOf(server);
      }),
      bearer_methods_supported: ["header"],
      scopes_supported: scopes,
      resource_name: name,
      resource_documentation: documentation && parseAddress("documentation", documentation).href,
    });
  }

  /** The document. */
  toJSON(): Record<string, unknown> {
    return JSON.parse(this.#document);
  }

  /**
   * Answers a request for the document.
   *
   * @param request Any request.
   * @returns The answer, or `undefined` if it asks for something else.
   */
  respond({ method, path }: Pick<RequestSnapshot, "method" | "path">): Response | undefined {
    if (path !== this.path) return undefined;
    switch (method) {
      case "GET":
      case "HEAD":
        return new Response(method === "GET" ? this.#document : null, {
          headers: { ...CORS_HEADERS, "Content-Type": "application/json" },
        });
      case "OPTIONS":
        return new Response(null, { status: 204, headers: PREFLIGHT_HEADERS });
      default:
        return new Response("This document is read with GET\n", {
          status: 405,
          headers: { "Allow": "GET, HEAD, OPTIONS" },
        });
    }
  }
}

function parseAddress(option: string, value: string | URL): URL {
  const url = URL.parse(value);
  const isAddress = url !== null && /^https?:$/.test(url.protocol) && url.hash === "" &&
    url.username === "" && url.password === "";
  if (isAddress) return url;
  // Not quoted: it may hold a password.
  throw new TypeError(
    `Cannot describe resource as "${option}" must be an https: URL without user and fragment: it is none`,
  );
}

/** As it was written: issuers and audiences are compared to the letter. */
function addressOf(value: string | URL): string {
  return typeof value === "string" ? value : value.href;
}
