import type { Finding, Place, PromiseName } from "./history.ts";

const DETAILED_MAX = 20;

/** What has been found: of each promise the first few in full, and how many there were. */
export class Findings {
  readonly #byPromise = new Map<PromiseName, { findings: Finding[]; count: number }>();
  readonly #detailedMax: number;

  constructor(detailedMax = DETAILED_MAX) {
    this.#detailedMax = detailedMax;
  }

  add(promise: PromiseName, detail: string, operations: readonly number[] = [], entries: readonly Place[] = []): void {
    let found = this.#byPromise.get(promise);
    if (found === undefined) {
      found = { findings: [], count: 0 };
      this.#byPromise.set(promise, found);
    }
    found.count += 1;
    if (found.count > this.#detailedMax) return;
    found.findings.push({ promise, detail, operations: [...operations], entries: [...entries] });
  }

  list(): Finding[] {
    return [...this.#byPromise].flatMap(([promise, { findings, count }]) => {
      const more = count - findings.length;
      if (more === 0) return findings;
      return [...findings, { promise, detail: `and ${more} more of this kind`, operations: [], entries: [] }];
    });
  }
}
