interface Waiting<Request, Outcome> {
  request: Request;
  resolve(outcome: Outcome): void;
  reject(error: unknown): void;
}

/** Asks together what is asked in one turn of the event loop, at most `sizeMax` at once; outcomes come in order. */
export class Gathered<Request, Outcome> {
  readonly #sizeMax: number;
  readonly #askAll: (requests: Request[]) => Promise<Outcome[]>;
  #waiting: Waiting<Request, Outcome>[] = [];

  constructor(sizeMax: number, askAll: (requests: Request[]) => Promise<Outcome[]>) {
    this.#sizeMax = sizeMax;
    this.#askAll = askAll;
  }

  ask(request: Request): Promise<Outcome> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ request, resolve, reject });
      if (this.#waiting.length === 1) setImmediate(() => this.#flush());
    });
  }

  #flush(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (let at = 0; at < waiting.length; at += this.#sizeMax) void this.#send(waiting.slice(at, at + this.#sizeMax));
  }

  async #send(waiting: Waiting<Request, Outcome>[]): Promise<void> {
    try {
      const outcomes = await this.#askAll(waiting.map(({ request }) => request));
      for (const [index, { resolve }] of waiting.entries()) resolve(outcomes[index] as Outcome);
    } catch (error) {
      for (const { reject } of waiting) reject(error);
    }
  }
}
