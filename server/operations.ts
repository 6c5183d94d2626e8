import { isLoopback } from "./client_address.ts";
import { EXPOSITION_TYPE } from "./exposition.ts";
import type { HandlerHealth } from "./health.ts";
import { isHostAllowed } from "./host_check.ts";
import { type AllowedOrigins, isOriginAllowed } from "./origin.ts";
import type { RequestSnapshot } from "./request.ts";

/**
 * What is answered besides WebSockets, for those who run the server.
 *
 * Everybody who can reach the server may ask whether it is alive, and whether
 * it takes connections; the answer is one word. What it counts is told to
 * programs on this machine alone: the connection comes from a loopback address,
 * names a host of this machine, and no header says that it was forwarded. Web
 * pages get neither: a foreign `Origin` is refused, and so is whatever the
 * browser marks as cross-site.
 *
 * A proxy on the same machine that adds no header passes for this machine:
 * let it leave `/metrics` out, or say who may read.
 */
export interface OperationsOptions {
  /**
   * Where to ask whether the server is alive: 200 as long as it answers.
   * `false` answers nowhere.
   *
   * @default {"/healthz"}
   */
  healthz?: string | false | undefined;
  /**
   * Where to ask whether the server takes new connections: 200, or 503 while
   * it is full, draining or closed. A path of its own, as a query that is
   * mistyped would go unnoticed. `false` answers nowhere.
   *
   * @default {"/readyz"}
   */
  readyz?: string | false | undefined;
  /**
   * Where the metrics are, as Prometheus reads them. `false` answers nowhere.
   *
   * @default {"/metrics"}
   */
  metrics?: string | false | undefined;
  /**
   * Who may read what is counted, besides web pages, which never may: by
   * address, by a token in a header. It takes the place of all checks but that
   * for pages.
   */
  mayRead?: ((request: RequestSnapshot) => boolean) | undefined;
}

/** {@linkcode OperationsOptions} after validation, with the defaults filled in. */
export interface OperationsSettings {
  /** Where to ask whether the server is alive. */
  readonly healthz: string | false;
  /** Where to ask whether it takes connections. */
  readonly readyz: string | false;
  /** Where the metrics are. */
  readonly metrics: string | false;
  /** Who may read what is counted. */
  readonly mayRead: (request: RequestSnapshot) => boolean;
}

/** What there is to tell. */
export interface OperationsSource {
  /** Whether new connections are taken; asked by strangers, so it must cost nothing. */
  readonly status: () => HandlerHealth["status"];
  /** The same, with all that is counted. */
  readonly health: () => HandlerHealth;
  /** The metrics. */
  readonly metrics: () => string;
}

/** Headers that proxies add: who asks is not the one who is connected. */
const FORWARDING_HEADERS = [
  "Forwarded",
  "Via",
  "X-Forwarded-For",
  "X-Forwarded-Host",
  "X-Real-IP",
  "CF-Connecting-IP",
];

/** When to ask again whether the server takes connections, in seconds. */
const RETRY_AFTER = "5";

/** An answer is true for a moment only, and for nobody's page. */
const COMMON_HEADERS = {
  "Cache-Control": "no-store",
  "Cross-Origin-Resource-Policy": "same-origin",
  "X-Content-Type-Options": "nosniff",
};

/**
 * Checks the options and fills in the defaults.
 *
 * @param options What the caller asked for.
 * @param path The path of the WebSocket.
 * @param checkPath Throws at what is no path.
 * @returns The settings.
 * @throws {TypeError} If an option is of the wrong type or shape, or two paths are the same.
 */
export function resolveOperationsOptions(
  options: OperationsOptions,
  path: string,
  checkPath: (option: string, path: string) => void,
): OperationsSettings {
  const {
    healthz = "/healthz",
    readyz = "/readyz",
    metrics = "/metrics",
    mayRead = isFromHere,
  } = options;
  const taken = new Set([path]);
  for (const [name, place] of Object.entries({ healthz, readyz, metrics })) {
    if (place === false) continue;
    const option = `operations.${name}`;
    checkPath(option, place);
    if (taken.has(place)) {
      throw new TypeError(
        `Cannot create handler as "${option}" must be a path of its own: current value is "${place}"`,
      );
    }
    taken.add(place);
  }
  if (typeof mayRead !== "function") {
    throw new TypeError(
      `Cannot create handler as "operations.mayRead" must be a function: current value is ${typeof mayRead}`,
    );
  }
  return { healthz, readyz, metrics, mayRead };
}

/** Answers those who run the server, and the machines that watch it. */
export class Operations {
  readonly #settings: OperationsSettings;
  readonly #allowedOrigins: AllowedOrigins | undefined;
  readonly #source: OperationsSource;

  /**
   * @param settings Where, and to whom.
   * @param allowedOrigins Which web pages are not foreign.
   * @param source What there is to tell.
   */
  constructor(
    settings: OperationsSettings,
    allowedOrigins: AllowedOrigins | undefined,
    source: OperationsSource,
  ) {
    this.#settings = settings;
    this.#allowedOrigins = allowedOrigins;
    this.#source = source;
  }

  /**
   * Answers a request, if it is for one of the paths.
   *
   * @param request The request.
   * @returns The response; `undefined` if the request is for somebody else.
   */
  answer(request: RequestSnapshot): Response | undefined {
    const { healthz, readyz, metrics } = this.#settings;
    const { path } = request;
    if (path === undefined) return undefined;
    if (path === healthz) return this.#guard(request) ?? this.#tellHealth(request, 200);
    if (path === readyz) return this.#guard(request) ?? this.#tellReadiness(request);
    if (path === metrics) return this.#guard(request) ?? this.#tellMetrics(request);
    return undefined;
  }

  #guard({ method, headers }: RequestSnapshot): Response | undefined {
    if (method !== "GET" && method !== "HEAD") {
      return refuse(405, "This is read with GET", { "Allow": "GET, HEAD" });
    }
    const isForeign = headers.get("Sec-Fetch-Site") === "cross-site" ||
      !isOriginAllowed(headers.get("Origin"), this.#allowedOrigins);
    return isForeign ? refuse(403, "Pages of this origin may not read this") : undefined;
  }

  #tellReadiness(request: RequestSnapshot): Response {
    return this.#source.status() === "ok"
      ? this.#tellHealth(request, 200)
      : this.#tellHealth(request, 503, { "Retry-After": RETRY_AFTER });
  }

  /** Counting takes time: for strangers it is not done. */
  #tellHealth(
    request: RequestSnapshot,
    status: number,
    headers: Readonly<Record<string, string>> = {},
  ): Response {
    const { status: word, health } = this.#source;
    const body = this.#mayRead(request) ? health() : { status: word() };
    return Response.json(body, { status, headers: { ...COMMON_HEADERS, ...headers } });
  }

  /** A promise is no permission. */
  #mayRead(request: RequestSnapshot): boolean {
    return this.#settings.mayRead(request) === true;
  }

  #tellMetrics(request: RequestSnapshot): Response {
    if (!this.#mayRead(request)) {
      return refuse(403, "The metrics are not for everybody");
    }
    const headers = { ...COMMON_HEADERS, "Content-Type": EXPOSITION_TYPE };
    return new Response(this.#source.metrics(), { headers });
  }
}

/** Whether a program on this machine asks, and not a proxy for somebody else. */
function isFromHere(request: RequestSnapshot): boolean {
  const { remoteAddress, headers } = request;
  return remoteAddress !== undefined && isLoopback(remoteAddress) &&
    isHostAllowed(request) && !FORWARDING_HEADERS.some((name) => headers.has(name));
}

function refuse(
  status: number,
  reason: string,
  headers: Readonly<Record<string, string>> = {},
): Response {
  return new Response(`${reason}\n`, {
    status,
    headers: { ...COMMON_HEADERS, "Content-Type": "text/plain; charset=utf-8", ...headers },
  });
}
