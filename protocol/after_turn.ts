/**
 * Runs a task when the present turn of the event loop is over: what was written
 * may leave, and what came in may be read, before it.
 */
export function afterTurn(task: () => void): void {
  if (typeof setImmediate === "function") setImmediate(task);
  else post(task);
}

/** Browsers have no `setImmediate()`, and hold back timers that follow each other. */
function post(task: () => void): void {
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = () => {
    port1.close();
    port2.close();
    task();
  };
  port2.postMessage(undefined);
}
