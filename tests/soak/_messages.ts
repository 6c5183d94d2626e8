/** What the two ends of a soak say to each other. */
export const METHODS = {
  /** Joins the topic; answers how much news there was before. */
  join: "soak/join",
  /** Gives back what it was given. */
  echo: "soak/echo",
  /** The same, with progress before it. */
  steps: "soak/steps",
  /** Asks the client the same, and gives back what it answers. */
  ask: "soak/ask",
  /** Is answered when it is cancelled. */
  hold: "soak/hold",
  /** Tells what the server has sent to this client, and received from it. */
  tell: "soak/tell",
} as const;

/** A notification with each request, up and down, numbered from 0. */
export const NOTE = "soak/note";
/** For all. */
export const NEWS = "soak/news";
/** For those in the topic. */
export const TOPIC = "soak/topic";
/** What all are subscribed to. */
export const RESOURCE = "soak://news";

/** Steps of progress, each of which is told. */
export const STEPS = 3;

/** What the server has seen of one client, and sent to it. */
export interface Told {
  /** Notifications that came from it. */
  readonly up: number;
  /** How many of them were not in order. */
  readonly faults: number;
  /** Notifications that were sent to it alone. */
  readonly down: number;
  /** News that was told so far, to everybody. */
  readonly news: number;
}
