import type { Answer, Operation } from "../owner/operation.ts";
import type { Admission } from "./admission.ts";
import { type LoadClass, loadClassOfOperation } from "./load-class.ts";

type Admits = Pick<Admission<never>, "admits" | "entered" | "left" | "refusedAtOnce">;

interface Jobs {
  admitted: boolean;
  left: number;
}

/**
 * Puts admission before the operations of one forwarded message. Each counts as a request of its class, as if it had
 * come in by this process's own door. A request's grants count once, as there: each by itself, they would never fit in.
 */
export class ForwardedOperations {
  readonly #admission: Admits;
  readonly #ask: (operation: Operation, withinMs: number) => Promise<Answer>;
  readonly #jobs: Jobs;

  constructor(
    admission: Admits,
    ask: (operation: Operation, withinMs: number) => Promise<Answer>,
    operations: readonly (readonly [Operation, number])[],
  ) {
    this.#admission = admission;
    this.#ask = ask;
    const left = operations.filter(([operation]) => loadClassOfOperation(operation) === "jobs").length;
    this.#jobs = { admitted: left > 0 && this.#enters("jobs"), left };
  }

  async submit(operation: Operation, withinMs: number): Promise<Answer> {
    const loadClass = loadClassOfOperation(operation);
    if (!(loadClass === "jobs" ? this.#jobs.admitted : this.#enters(loadClass))) return { kind: "overloaded" };
    const startedAtMs = performance.now();
    const answer = await this.#ask(operation, withinMs);
    if (loadClass === "jobs") this.#jobs.left -= 1;
    if (loadClass !== "jobs" || this.#jobs.left === 0) {
      this.#admission.left(loadClass, answer.kind === "done" ? performance.now() - startedAtMs : null);
    }
    return answer;
  }

  #enters(loadClass: LoadClass): boolean {
    const admitted = this.#admission.admits(loadClass);
    if (admitted) this.#admission.entered();
    else this.#admission.refusedAtOnce(loadClass);
    return admitted;
  }
}
