import { toError } from "../../protocol/errors.ts";
import type { HostSocket, HostSockets } from "./host.ts";

/** Where to connect to. */
export interface Place {
  /** A name or an address. */
  readonly host: string;
  /** The port. */
  readonly port: number;
}

/** What a TLS handshake has shown. */
export interface TlsFacts {
  /** The version of TLS, if the runtime tells it. */
  readonly version: string | undefined;
  /** Until when the certificate is valid, if the runtime tells it. */
  readonly validUntil: Date | undefined;
}

/** The codes of errors that say that a name has no address. */
const NAME_CODES: readonly unknown[] = ["ENOTFOUND", "EAI_AGAIN", "EAI_NODATA", "EAI_NONAME"];

/** A TCP connection that is opened, watched on its way, and hung up. */
export class TcpProbe {
  readonly #socket: HostSocket;
  readonly #resolved = Promise.withResolvers<readonly string[]>();
  readonly #connected = Promise.withResolvers<string>();
  readonly #closed: Promise<void>;

  /**
   * Starts connecting.
   *
   * @param sockets How to.
   * @param place Where to.
   * @param check Called with every address of the name before it is connected
   * to; what it throws ends the attempt.
   */
  constructor(sockets: HostSockets, place: Place, check: (address: string) => void) {
    const addresses: string[] = [];
    const socket = this.#socket = sockets.connect({ host: place.host, port: place.port });
    this.#closed = new Promise((resolve) => socket.on("close", () => resolve()));
    for (const { promise } of [this.#resolved, this.#connected]) promise.catch(() => {});
    socket.on("lookup", (error, address) => {
      if (error !== null || typeof address !== "string") return;
      try {
        check(address);
      } catch (refusal) {
        this.#resolved.reject(refusal);
        socket.destroy();
        return;
      }
      addresses.push(address);
      this.#resolved.resolve(addresses);
    });
    socket.on("connect", () => {
      this.#resolved.resolve(addresses);
      this.#connected.resolve(socket.remoteAddress ?? "");
    });
    socket.on("error", (thrown) => {
      if (NAME_CODES.includes(codeOf(thrown))) this.#resolved.reject(thrown);
      this.#resolved.resolve(addresses);
      this.#connected.reject(thrown);
    });
  }

  /** Resolves with the addresses of the name; empty if the runtime does not tell. */
  get resolved(): Promise<readonly string[]> {
    return this.#resolved.promise;
  }

  /** Resolves with the address that is connected to. */
  get connected(): Promise<string> {
    return this.#connected.promise;
  }

  /** Hangs up. Calling it twice is fine. */
  async close(): Promise<void> {
    this.#socket.destroy();
    await this.#closed;
  }
}

/**
 * Opens a TLS connection and hangs up.
 *
 * @param sockets How to.
 * @param place Where to.
 * @param wait Bounds the wait; what it throws ends the attempt.
 * @throws What the runtime says about the handshake.
 */
export async function shakeHands(
  sockets: HostSockets,
  place: Place,
  wait: <T>(needed: Promise<T>) => Promise<T>,
): Promise<TlsFacts> {
  const socket = sockets.connectTls({ host: place.host, port: place.port });
  const closed = new Promise<void>((resolve) => socket.on("close", () => resolve()));
  const secured = new Promise<TlsFacts>((resolve, reject) => {
    socket.on("secureConnect", () => resolve(readFacts(socket)));
    socket.on("error", reject);
    socket.on("close", () => reject(new Error("The server has hung up")));
  });
  secured.catch(() => {});
  try {
    return await wait(secured);
  } finally {
    socket.destroy();
    await closed;
  }
}

/** The code of a system error, as Node, Deno and Bun have it. */
export function codeOf(thrown: unknown): string {
  const error = toError(thrown);
  return "code" in error && typeof error.code === "string" ? error.code : error.name;
}

function readFacts(socket: HostSocket): TlsFacts {
  const validUntil = new Date(socket.getPeerCertificate?.()?.valid_to ?? "");
  return {
    version: socket.getProtocol?.() ?? undefined,
    validUntil: Number.isNaN(validUntil.getTime()) ? undefined : validUntil,
  };
}
