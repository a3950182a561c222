/** Turns this process' SIGINT, SIGTERM and SIGHUP into one AbortSignal. */
export interface Interruption {
  readonly signal: AbortSignal;
  /** The signal that came first. */
  readonly received: NodeJS.Signals | undefined;
  /** Gives the signals back to Node. */
  dispose(): void;
}

const SIGNALS: readonly NodeJS.Signals[] = ["SIGINT", "SIGTERM", "SIGHUP"];

/**
 * Listens for Ctrl-C and its kin until disposed of. Further signals change nothing: the stack is being stopped,
 * within the bounds of each process' own time, and being stopped twice would only leave something behind.
 */
export function listenForInterruption(): Interruption {
  const controller = new AbortController();
  let received: NodeJS.Signals | undefined;
  const onSignal = (signal: NodeJS.Signals): void => {
    received ??= signal;
    controller.abort(new Error(`interrupted by ${received}`));
  };
  for (const signal of SIGNALS) process.on(signal, onSignal);
  return {
    signal: controller.signal,
    get received() {
      return received;
    },
    dispose: () => {
      for (const signal of SIGNALS) process.off(signal, onSignal);
    },
  };
}
