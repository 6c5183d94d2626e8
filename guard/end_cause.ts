/** Why a connection has ended, or was not taken at all. */
export type EndCause =
  /** One of the two has left. */
  | "done"
  /** Its request was answered by the guard. */
  | "refused"
  /** Its request head did not end in time. */
  | "headerTimeout"
  /** The server did not answer in time. */
  | "answerTimeout"
  /** It was silent. */
  | "idleTimeout"
  /** A message did not end in time. */
  | "messageTimeout"
  /** It did not read. */
  | "writeTimeout"
  /** A message was too large, or cut into too many fragments. */
  | "tooLarge"
  /** A frame was none. */
  | "malformed"
  /** It held most of what all clients may leave unfinished. */
  | "unfinished"
  /** Too many others came before it had become a WebSocket. */
  | "crowded"
  /** There were too many connections. */
  | "full"
  /** There were too many connections from its address. */
  | "address"
  /** The server could not be reached. */
  | "unreachable"
  /** The guard was closed. */
  | "closed";
