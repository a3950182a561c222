/** Work on one thing is done one after the other; on different things at once. */
export class Lanes {
  readonly #last = new Map<string, Promise<unknown>>();

  run<T>(lane: string, work: () => Promise<T>): Promise<T> {
    const done = (this.#last.get(lane) ?? Promise.resolve()).then(work, work);
    this.#last.set(
      lane,
      done.catch(() => undefined),
    );
    return done;
  }
}
