import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import type { GeneratorReply } from "./main.ts";
import type { Job, Sample } from "./run.ts";

/**
 * The load generator as its own process, so that making the load and what is measured share no event loop, and one
 * warm process makes the load of every sample of a run.
 *
 * Why not an existing one: over the same 550-byte requests this one used 19 to 21 µs of CPU time a request (0.4 of a
 * core at 20,000 a second) and wrk with a Lua feed 21 µs, most of both the kernel's loopback.
 */
export class Generator {
  readonly #child: ChildProcess;

  constructor() {
    this.#child = fork(join(import.meta.dirname, "main.ts"), { execArgv: [] });
  }

  /** Runs one job; one at a time. Rejects where the job can't be measured or the process is gone. */
  async run(job: Job): Promise<Sample> {
    const gone = new AbortController();
    const exited = once(this.#child, "exit", { signal: gone.signal }).then(() => {
      throw new Error("The load generator's process is gone");
    });
    const answered = once(this.#child, "message", { signal: gone.signal });
    this.#child.send(job);
    try {
      const [reply] = (await Promise.race([answered, exited])) as [GeneratorReply];
      if (reply.kind === "failed") throw new Error(`The load could not be measured: ${reply.message}`);
      return reply.sample;
    } finally {
      gone.abort();
      await Promise.allSettled([answered, exited]);
    }
  }

  /** Ends the process and waits for it. */
  async close(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = once(this.#child, "exit");
    this.#child.disconnect();
    await exited;
  }
}
