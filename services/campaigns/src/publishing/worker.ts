import { Backoff } from "./backoff.ts";

export interface WorkerOptions {
  /** One round of work; true where there is more to do at once. */
  round(): Promise<boolean>;
  /** Told of a round that failed; the next one follows after a growing wait. */
  failed(error: unknown): void;
  /** Longest wait between rounds when nobody asks for one, in milliseconds. */
  everyMs: number;
}

const BACKOFF_MS_LEAST = 50;
const BACKOFF_MS_MOST = 1_000;

/** Runs rounds of work one after another: when asked to, every so often anyway, and never two at once. */
export class Worker {
  readonly #options: WorkerOptions;
  readonly #backoff = new Backoff(BACKOFF_MS_LEAST, BACKOFF_MS_MOST);
  #asked = false;
  #stopping = false;
  /** Ends a wait that whoever asks for a round may end. */
  #wake: (() => void) | null = null;
  /** Ends any wait. */
  #stopPause: (() => void) | null = null;
  #running: Promise<void> | null = null;

  constructor(options: WorkerOptions) {
    this.#options = options;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** Asks for a round soon. During a wait after a failure it waits with it. */
  kick(): void {
    this.#asked = true;
    this.#wake?.();
  }

  /** Lets the round under way end, and starts no other. */
  async stop(): Promise<void> {
    this.#stopping = true;
    this.#stopPause?.();
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#stopping) {
      this.#asked = false;
      try {
        const more = await this.#options.round();
        this.#backoff.reset();
        if (!more && !this.#asked) await this.#pause(this.#options.everyMs, true);
      } catch (error) {
        this.#options.failed(error);
        await this.#pause(this.#backoff.next(), false);
      }
    }
  }

  #pause(waitMs: number, wakeable: boolean): Promise<void> {
    if (this.#stopping) return Promise.resolve();
    return new Promise((resolve) => {
      const end = () => {
        clearTimeout(timer);
        this.#wake = null;
        this.#stopPause = null;
        resolve();
      };
      const timer = setTimeout(end, waitMs);
      this.#stopPause = end;
      if (wakeable) this.#wake = end;
    });
  }
}
