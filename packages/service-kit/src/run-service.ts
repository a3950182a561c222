import closeWithGrace from "close-with-grace";
import { StartFailure } from "./start-failure.ts";

export interface RunOptions {
  name: string;
  /** Builds and starts everything. */
  start(): Promise<{ close(): Promise<void> }>;
  /** Bound on closing; 10 s unless told. */
  closeWithinMs?: number;
}

/**
 * Runs a service as this process: starts it, and closes it on SIGTERM, SIGINT or an uncaught error,
 * within a bound. The process ends with status 0 after a signal, with 1 when it could not start (one
 * sentence on standard error), when closing failed or took too long, and after an uncaught error.
 */
export async function runService(options: RunOptions): Promise<void> {
  let starting: ReturnType<RunOptions["start"]> | undefined;
  closeWithGrace(
    { delay: options.closeWithinMs ?? 10_000, logger: { error: (message) => complain(options.name, message) } },
    async ({ err }) => {
      if (err !== undefined) complain(options.name, err);
      const running = await starting?.catch(() => undefined);
      await running?.close();
    },
  );
  try {
    starting = options.start();
    await starting;
  } catch (error) {
    const sentence = error instanceof StartFailure ? error.message : describe(error);
    process.stderr.write(`${options.name} can't start: ${sentence}\n`);
    process.exit(1);
  }
}

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

function complain(name: string, what: unknown): void {
  process.stderr.write(`${name}: ${describe(what)}\n`);
}
