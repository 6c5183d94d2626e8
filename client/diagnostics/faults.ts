/**
 * What the failures of each step mean, in words that say what to do.
 *
 * @module
 */

import { CLOSE_CODES } from "../../protocol/close_codes.ts";
import {
  MCPConnectionError,
  MCPError,
  MCPRpcError,
  MCPTimeoutError,
  toError,
} from "../../protocol/errors.ts";
import { UrlPolicyError } from "../url_policy.ts";
import type { HttpAnswer } from "./inquiry.ts";
import { codeOf } from "./probes.ts";
import { failed, type Finding } from "./step.ts";

/** The step that a failed dial failed in, as far as the runtime's words tell. */
export type DialStage = "dns" | "tcp" | "tls" | "upgrade" | "subprotocol";

/** What is known about a dial that failed. */
export interface DialFault {
  /** What it failed with. */
  readonly error: unknown;
  /** What a plain request was answered with, if it was. */
  readonly answer: HttpAnswer | undefined;
  /** Whether the port speaks TLS although the URL says `ws:`. */
  readonly speaksTls: boolean;
  /** Whether a token, or an `Authorization` header, was sent. */
  readonly sentToken: boolean;
  /** The path of the URL. */
  readonly path: string;
}

/** As Deno and Bun word that a name has no address. */
const DNS_REGEXP = /\bdns error\b|ENOTFOUND|EAI_AGAIN|getaddrinfo/i;
/** As Deno and Bun word that there is no connection. */
const TCP_REGEXP = /\btcp connect error\b|ECONNREFUSED|EHOSTUNREACH|ENETUNREACH/i;
/** As rustls and OpenSSL word that the other side does not speak TLS. */
const NO_TLS_REGEXP = /InvalidContentType|WRONG_VERSION_NUMBER|wrong version number/i;
/** As rustls and OpenSSL word what is wrong with a certificate. */
const CERTIFICATE_REGEXP = /\bcert|UNABLE_TO|SELF_SIGNED|UnknownIssuer/i;
const EXPIRED_REGEXP = /EXPIRED|NOT_YET_VALID|NotValidYet/i;
const WRONG_NAME_REGEXP = /ALTNAME|not valid for name|NotValidForName/i;

/** What to do about a URL that cannot be dialled. */
export function explainUrl(thrown: unknown): Finding {
  const { message } = toError(thrown);
  if (thrown instanceof UrlPolicyError) {
    return failed(message, `The URL policy forbids it (rule "${thrown.rule}"): change one of them`);
  }
  if (thrown instanceof SyntaxError) {
    return failed(message, 'Write the whole URL, such as "ws://127.0.0.1:8787/mcp"');
  }
  if (message.includes("scheme")) {
    return failed(message, 'Replace "http:" by "ws:", and "https:" by "wss:"');
  }
  if (message.includes("credentials")) {
    return failed(message, 'Take them out of the URL, and give a token: option "token"');
  }
  return failed(message, "Take the fragment out of the URL");
}

/** What to do about a name without addresses. */
export function explainDns(host: string, thrown: unknown): Finding {
  if (thrown instanceof UrlPolicyError) return explainUrl(thrown);
  if (thrown instanceof MCPTimeoutError) {
    return failed(
      `The name "${host}" was not resolved within ${thrown.timeout} ms`,
      "Check the network and its name servers",
    );
  }
  return failed(
    `The name "${host}" cannot be resolved`,
    "Check the spelling, the network, and whether the name needs a VPN",
  );
}

/** What to do about a port that cannot be connected to. */
export function explainTcp(place: string, thrown: unknown): Finding {
  if (thrown instanceof MCPTimeoutError) {
    return failed(
      `${place} did not answer within ${thrown.timeout} ms`,
      "A firewall may drop the packets, or the address is wrong",
    );
  }
  const error = toError(thrown);
  switch (codeOf(error)) {
    case "EHOSTUNREACH":
    case "ENETUNREACH":
      return failed(`${place} cannot be reached`, "Check the network, the VPN and the address");
    case "EPERM":
    case "NotCapable":
      return explainPermission(place);
    case "ECONNREFUSED":
    case "MCPConnectionError":
      return failed(
        `Nothing listens on ${place}`,
        "Start the server, or check host and port: one that listens on 127.0.0.1 " +
          "is not reached from other machines or containers",
      );
    default:
      return failed(`${place} refused the connection (${codeOf(error)})`, "Check host and port");
  }
}

/** What to do about a way through something else that does not lead to the server. */
export function explainDetour(obstacle: string): Finding {
  return failed(
    `${obstacle}, and does not get through`,
    "Check the proxy, its name and its port, or dial without it",
  );
}

/** What to do about a missing permission. */
export function explainPermission(place: string): Finding {
  return failed(`This program may not connect to ${place}`, `Run it with --allow-net=${place}`);
}

/** What to do about a handshake of TLS that failed. */
export function explainTls(place: string, thrown: unknown): Finding {
  if (thrown instanceof MCPTimeoutError) {
    return failed(
      `${place} did not answer the TLS handshake within ${thrown.timeout} ms`,
      'The port may not speak TLS: try "ws:", or another port',
    );
  }
  const error = toError(thrown);
  const text = `${codeOf(error)} ${error.message}`;
  if (NO_TLS_REGEXP.test(text)) {
    return failed(`${place} does not speak TLS`, 'Use "ws:", or the port that speaks TLS');
  }
  if (EXPIRED_REGEXP.test(text)) {
    return failed("The certificate is not valid now", "Renew it, or set the clock right");
  }
  if (WRONG_NAME_REGEXP.test(text)) {
    return failed(
      "The certificate is for another name",
      "Use the name that it was issued for, or add this one to it",
    );
  }
  if (CERTIFICATE_REGEXP.test(text)) {
    return failed(
      "The certificate was not issued by an authority that is known here",
      "Make the authority known: deno --cert <file>, NODE_EXTRA_CA_CERTS, " +
        'or option "httpClient"; check that the server sends the whole chain',
    );
  }
  return failed(
    `The TLS handshake with ${place} failed (${codeOf(error)})`,
    'Check that the port speaks TLS; else use "ws:"',
  );
}

/** The step that a dial failed in. */
export function stageOf(thrown: unknown): DialStage {
  if (!(thrown instanceof MCPConnectionError)) return "upgrade";
  const { verdict, status, cause, message } = thrown;
  if (verdict?.cause === "tls") return "tls";
  if (status !== undefined) return "upgrade";
  // The open socket was refused here; what the constructor refuses has a cause.
  if (verdict?.cause === "protocol" && cause === undefined) return "subprotocol";
  if (DNS_REGEXP.test(message)) return "dns";
  return TCP_REGEXP.test(message) ? "tcp" : "upgrade";
}

/** What to do about an upgrade that failed. */
export function explainUpgrade(fault: DialFault): Finding {
  const { error, answer, speaksTls } = fault;
  if (speaksTls) return failed("The port speaks TLS, but the URL says ws:", 'Use "wss:"');
  if (error instanceof MCPTimeoutError) {
    return failed(
      `The upgrade was not answered within ${error.timeout} ms`,
      "Something listens, but it may be no HTTP server, or a proxy holds WebSockets back",
    );
  }
  const told = error instanceof MCPConnectionError ? error.status : undefined;
  const status = told ?? answer?.status;
  if (status !== undefined) return explainStatus(status, fault, told !== undefined);
  if (!(error instanceof MCPConnectionError)) {
    return failed(toError(error).message, "Correct the token and the headers, or what gives them");
  }
  return failed(
    `The upgrade failed. ${reasonOf(error)}`,
    "Check host, port and scheme: what listens there hardly speaks HTTP, or a proxy cuts in",
  );
}

/** What to do about a subprotocol that a server selected. */
export function explainSubprotocol(thrown: unknown, offered: readonly string[]): Finding {
  const names = offered.map((entry) => `"${entry}"`).join(", ") || "none";
  return failed(
    `${reasonOf(toError(thrown))} (offered: ${names})`,
    'Correct the server: it may only select what was offered; or try option "protocols" ' +
      'with ["mcp"] or []',
  );
}

/** What to do about a session that was not opened. */
export function explainSession(thrown: unknown, timeout: number): Finding {
  const code = thrown instanceof MCPConnectionError ? thrown.code : undefined;
  if (thrown instanceof MCPTimeoutError || code === CLOSE_CODES.HEARTBEAT_TIMEOUT) {
    return failed(
      `The server did not say welcome within ${timeout} ms`,
      'It selected "bowline.v1": look into its log, or offer ["mcp"] alone (option "protocols")',
    );
  }
  if (code === CLOSE_CODES.BAD_CONTROL) {
    return failed(
      'The server selected "bowline.v1", but does not speak it',
      'The client falls back to plain "mcp"; offer ["mcp"] alone (option "protocols")',
    );
  }
  return explainLoss(thrown);
}

/** What to do about a conversation that was not opened. */
export function explainOpening(thrown: unknown): Finding {
  if (thrown instanceof MCPTimeoutError) {
    return failed(
      "The server accepted the connection, but answers no request",
      "Is it an MCP server? Look into its log; a slow one needs a longer timeout",
    );
  }
  if (thrown instanceof MCPRpcError) {
    return failed(
      `The server answered with error ${thrown.code}: ${thrown.message}`,
      "The connection is fine: the server refuses to open MCP on it",
    );
  }
  if (thrown instanceof MCPConnectionError) return explainLoss(thrown);
  const hint = thrown instanceof MCPError
    ? "No revision of MCP is known to both: update the older of the two"
    : "The server does not answer as MCP has it: is it an MCP server?";
  return failed(toError(thrown).message, hint);
}

/** What to do about a request that did not get its answer. */
export function explainRequest(method: string, thrown: unknown): Finding {
  if (thrown instanceof MCPTimeoutError) {
    return failed(
      `"${method}" was not answered within ${thrown.timeout} ms`,
      "The server hangs, or a proxy on the way holds messages back",
    );
  }
  if (thrown instanceof MCPRpcError) {
    return failed(
      `"${method}" was answered with error ${thrown.code}: ${thrown.message}`,
      "The connection is fine: look into the log of the server",
    );
  }
  return explainLoss(thrown);
}

/** What to do about a connection that was lost. */
export function explainLoss(thrown: unknown): Finding {
  const { message } = toError(thrown);
  const cause = thrown instanceof MCPConnectionError ? thrown.verdict?.cause : undefined;
  switch (cause) {
    case "capacity":
    case "rate":
      return failed(message, "The server has too much to do: come back later, or raise its limits");
    case "unauthenticated":
      return failed(message, 'Give a valid token: option "token", or MCP_API_KEY for the command');
    case "forbidden":
      return failed(message, "The server does not let this client in: check the token's rights");
    case "protocol":
      return failed(message, "One of the two breaks the protocol: look into the server's log");
    case "restarting":
    case "gone":
    case "done":
      return failed(message, "The server closed the connection: look into its log for the reason");
    case "too-big":
      return failed(message, "Raise the server's limit on the size of messages");
    default:
      return failed(
        message,
        "The server, or a proxy on the way, cut the connection: look into their logs",
      );
  }
}

function explainStatus(status: number, fault: DialFault, isOfUpgrade: boolean): Finding {
  const { answer, sentToken, path } = fault;
  if (!isOfUpgrade && !isAboutBoth(status)) return explainUntold(status, path);
  const what = isOfUpgrade ? "the upgrade" : "a plain request";
  const detail = `The server answered ${what} with status ${status}`;
  if (status < 300) {
    return failed(
      `${detail}: it speaks HTTP, but no WebSocket here`,
      `Check the port, and the path: ${pathAdvice(path)}; a proxy has to pass the upgrade on`,
    );
  }
  if (status < 400) {
    const place = answer?.location === undefined ? "its target" : `"${answer.location}"`;
    return failed(`${detail}: a redirect`, `Use ${place}: WebSockets follow no redirects`);
  }
  const later = answer?.retryAfter === undefined ? "later" : `in ${answer.retryAfter} s`;
  switch (status) {
    case 401:
      return sentToken
        ? failed(
          `${detail}: it does not accept the token`,
          "Check that the token is meant for this server and has not expired",
        )
        : failed(
          `${detail}: it wants a token, and none was sent`,
          'Give one: option "token", or MCP_API_KEY for the command',
        );
    case 403:
      return failed(
        `${detail}: forbidden`,
        "Web pages: add their origin to the server's allowed origins; " +
          "else check the host name that is used, and the token's rights",
      );
    case 404:
      return failed(
        `${detail}: nothing is served at "${path}"`,
        `Check the path: ${pathAdvice(path)}`,
      );
    case 426:
      return failed(
        `${detail}: it did not take it for the upgrade to a WebSocket`,
        "A proxy on the way has to pass the headers Upgrade and Connection on",
      );
    case 407:
      return failed(detail, "The proxy on the way wants credentials of its own");
    case 429:
      return failed(`${detail}: too many requests`, `Try again ${later}`);
    case 503:
      return failed(
        `${detail}: it is full or shutting down`,
        `Try again ${later}, or raise its limits`,
      );
    case 502:
    case 504:
      return failed(
        `${detail}: a proxy does not get through to the server`,
        "Check that the server behind the proxy runs",
      );
    default:
      return status >= 500
        ? failed(`${detail}: it failed`, "Look into the log of the server")
        : failed(
          `${detail}: it refuses the request`,
          "Check the URL; a proxy on the way has to pass the headers of the upgrade on",
        );
  }
}

/** The statuses that a server answers to any request alike. */
function isAboutBoth(status: number): boolean {
  return [401, 403, 404, 407, 429, 502, 503, 504].includes(status) ||
    (status >= 300 && status < 400);
}

/** The runtime keeps the status of the upgrade for itself, and that of a plain request is another. */
function explainUntold(status: number, path: string): Finding {
  const detail = "The upgrade failed, and this runtime does not tell why";
  return status === 426
    ? failed(
      `${detail}: a plain request is told to use a WebSocket`,
      "Run the command in Deno, which tells the status; a proxy may drop the upgrade, " +
        'or the server selects no subprotocol: try option "protocols" with []',
    )
    : failed(
      `${detail}: a plain request is answered with status ${status}`,
      `Check the port, and the path: ${pathAdvice(path)}; run the command in Deno, ` +
        "which tells the status",
    );
}

function pathAdvice(path: string): string {
  return path === "/mcp" ? 'not all servers use "/mcp"' : 'most servers use "/mcp"';
}

/** What follows the colon: who is meant stands in the report already. */
function reasonOf({ message }: Error): string {
  const [, ...rest] = message.split('": ');
  const reason = rest.length === 0 ? message : rest.join('": ');
  return reason.charAt(0).toUpperCase() + reason.slice(1);
}
