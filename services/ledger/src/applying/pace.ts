/** A wait that its owner can end: for work to do, for room, for the end. */
export class Signal {
  #wake: (() => void) | null = null;
  #raised = false;

  raise(): void {
    this.#raised = true;
    this.#wake?.();
  }

  /** Resolves once raised since the last wait, or after `timeoutMs` where given. */
  async wait(timeoutMs?: number): Promise<void> {
    if (!this.#raised) {
      await new Promise<void>((resolve) => {
        const timer = timeoutMs === undefined ? undefined : setTimeout(resolve, timeoutMs);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
      this.#wake = null;
    }
    this.#raised = false;
  }
}
