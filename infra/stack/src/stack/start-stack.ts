import { mkdirSync, realpathSync } from "node:fs";
import { join } from "node:path";
import { lockStack } from "./lock.ts";
import type { Stack, StackOptions } from "./stack.ts";
import { StackRun } from "./stack-run.ts";

/**
 * Starts the parts that the environment doesn't name, prepares them, starts the services and keeps all of them
 * alive. First it stops what a killed predecessor left. Throws StackFailures, each one sentence that names what
 * to do, and `signal`'s reason when that was aborted; whatever had been started is stopped again by then.
 */
export async function startStack(options: StackOptions): Promise<Stack> {
  const root = realpathSync(options.root);
  const local = join(root, ".local");
  mkdirSync(local, { recursive: true });
  const lock = await lockStack(root, (pid) => options.onEvent?.({ kind: "waiting_for_stop", pid }));
  const stack = new StackRun({ ...options, root }, local, lock);
  const abort = (): void => void stack.stop();
  options.signal?.addEventListener("abort", abort, { once: true });
  void stack.stopped.then(() => options.signal?.removeEventListener("abort", abort));
  try {
    await stack.start();
    return stack;
  } catch (error) {
    await stack.stop();
    options.signal?.throwIfAborted();
    throw error;
  }
}
