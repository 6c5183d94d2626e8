import { ClientSession, type ClientWireEvents } from "../../client/client_session.ts";
import type { Wire } from "../../protocol/session/wire.ts";
import type { SessionTruth } from "./truth.ts";
import { Violation } from "./violation.ts";

/** A session whose messages are checked as they come. */
export class SimulatedSession extends ClientSession {
  readonly truth: SessionTruth;
  /** Whether the server has not been told what its predecessor was. */
  isFresh = true;
  /** Messages that came in. */
  count = 0;

  constructor(truth: SessionTruth, options: ConstructorParameters<typeof ClientSession>[0]) {
    super(options);
    this.truth = truth;
  }

  override bye(): boolean {
    this.truth.up.isOver = true;
    return super.bye();
  }

  override open(wire: Wire, events: ClientWireEvents): void {
    super.open(wire, {
      ...events,
      message: (text) => {
        this.count++;
        const { down } = this.truth;
        if (down === undefined) throw new Violation("A message came before the session was open");
        down.deliver(JSON.parse(text), text);
        events.message(text);
      },
    });
  }
}
