/** Something to do; an object, as a function would be one more for every connection. */
export interface Task {
  /** Does it. */
  run(): void;
}

/**
 * Microtasks without news after which a turn is taken to be over. Somebody who
 * awaits each message sends the next one a few later, before anything could have
 * left: the runtime's sockets write when all microtasks are done.
 */
const PATIENCE = 3;
const TURN: Promise<void> = Promise.resolve();
/** What there is to do at the end of this turn, and a list for the next one. */
let tasks: Task[] = [];
let spare: Task[] = [];
/** Microtasks that are left. */
let patience = 0;
let isWaiting = false;

/**
 * Runs a task when the present turn seems to be over, with all others that were
 * given meanwhile: a few microtasks for thousands of connections.
 *
 * @param task What to do; it is given once until it runs.
 */
export function atTurnEnd(task: Task): void {
  tasks.push(task);
  prolongTurn();
  if (isWaiting) return;
  isWaiting = true;
  TURN.then(look);
}

/** Says that something more was sent in the present turn. */
export function prolongTurn(): void {
  patience = PATIENCE;
}

function look(): void {
  if (--patience > 0) return void TURN.then(look);
  isWaiting = false;
  const batch = tasks;
  tasks = spare;
  let done = 0;
  try {
    while (done < batch.length) batch[done++]?.run();
  } finally {
    // A task that throws keeps no other from running.
    for (; done < batch.length; done++) atTurnEnd(batch[done] as Task);
    batch.length = 0;
    spare = batch;
  }
}
