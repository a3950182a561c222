/** Positions remembered at most; beyond it the oldest is forgotten. A grants answer brings a dozen. */
const positionsMax = 64;

/**
 * Remembers the log positions of one's own changes until a read has waited for them, so that a read sees
 * what was written before it.
 */
export class ReadAfter {
  #positions = new Set<string>();

  /** Takes a `Log-Position` of a change, several joined by commas. */
  note(logPosition: string | undefined): void {
    for (const position of (logPosition ?? "").split(",")) {
      const trimmed = position.trim();
      if (trimmed !== "") this.#positions.add(trimmed);
    }
    for (const oldest of this.#positions) {
      if (this.#positions.size <= positionsMax) break;
      this.#positions.delete(oldest);
    }
  }

  /** Value of `Read-After` for a read; undefined where there is nothing to wait for. */
  header(): string | undefined {
    return this.#positions.size === 0 ? undefined : [...this.#positions].join(",");
  }

  /** Forgets what a read with this header has waited for: the ledger never goes back behind it. */
  settled(header: string | undefined): void {
    for (const position of (header ?? "").split(",")) this.#positions.delete(position);
  }
}
