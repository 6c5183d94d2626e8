/** The present socket of a session, as far as its ends need it; a `Link` is one. */
export interface Wire {
  /** Sends one text frame; on a wire that is not open it is dropped. */
  send(text: string): void;
  /** Whether so much waits that a sender should wait. */
  readonly isCongested: boolean;
  /** Bytes that wait to leave. */
  readonly bufferedAmount: number;
  /** Told what the peer can read besides text, before anything that depends on it is sent. */
  agree?(accept: readonly string[]): void;
}
