import type { AuthInfo } from "../protocol/transport.ts";
import type { Place } from "./admission.ts";
import type { Principal } from "./auth/principal.ts";
import type { RequestSnapshot } from "./request.ts";

/** Whom a connection belongs to, as far as anybody knows. */
export interface ClientIdentity {
  /** The principal; `undefined` if nobody asks, or if it has not been said yet. */
  readonly principal: Principal | undefined;
  /** The same as the SDKs read it; it holds the token. */
  readonly authInfo: AuthInfo | undefined;
}

/** A client on its way in: what it has asked with, and what is known of it. */
export interface Visitor extends ClientIdentity {
  /** The upgrade request. */
  readonly request: RequestSnapshot;
  /** Its place among the connections; freed when its socket is closed. */
  readonly place: Place;
}
