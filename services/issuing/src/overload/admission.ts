import { AdaptiveLimit, type AdaptiveLimitSettings } from "./adaptive-limit.ts";
import { type LoadClass, loadClasses, shareOf } from "./load-class.ts";
import { RefusalPace } from "./refusal-pace.ts";

export interface AdmissionSettings<Held> extends AdaptiveLimitSettings {
  refusalsPerServed: number;
  refusalBurst: number;
  refusalHoldMsMax: number;
  refusalsHeldMax: number;
  /** Sends the refusal. */
  answer(held: Held): void;
}

type Counts = Record<LoadClass, number>;

/** Windows of Gradient2; overdue refusals are looked for as often. */
const WINDOW_MS = 100;

/**
 * Who is let in: at most the adaptive limit at once, and of that each class a share, so that reads are refused first
 * and redemptions, releases and reversals last. Asking it allocates nothing and starts no timer.
 */
export class Admission<Held> {
  readonly #settings: AdmissionSettings<Held>;
  readonly #limit: AdaptiveLimit;
  readonly #pace: RefusalPace<Held>;
  readonly #bounds: Counts = zeros();
  readonly #refused: Counts = zeros();
  #inFlight = 0;
  #inFlightMax = 0;
  #limiting = false;
  #closed = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(settings: AdmissionSettings<Held>) {
    this.#settings = settings;
    this.#limit = new AdaptiveLimit(settings);
    this.#pace = new RefusalPace({
      perServed: settings.refusalsPerServed,
      burst: settings.refusalBurst,
      holdMsMax: settings.refusalHoldMsMax,
      heldMax: settings.refusalsHeldMax,
      answer: settings.answer,
    });
    this.#bound();
  }

  get limit(): number {
    return this.#limit.limit;
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  /** Refusals whose answer is held back. */
  get held(): number {
    return this.#pace.held;
  }

  /** Requests refused since the start. */
  get refused(): Readonly<Counts> {
    return this.#refused;
  }

  admits(loadClass: LoadClass): boolean {
    return this.#inFlight < this.#bounds[loadClass];
  }

  /** Counts a request as under way until `left`. */
  entered(): void {
    this.#inFlight += 1;
    if (this.#inFlight > this.#inFlightMax) this.#inFlightMax = this.#inFlight;
  }

  /**
   * Only claims tell the latency: they are the flood, and the others differ too much among themselves.
   *
   * @param latencyMs null for a request that was answered without being worked on
   */
  left(loadClass: LoadClass, latencyMs: number | null): void {
    this.#inFlight -= 1;
    if (loadClass === "claims" && latencyMs !== null) this.#limit.record(latencyMs);
    this.#pace.served();
  }

  refuse(loadClass: LoadClass, held: Held, nowMs: number): void {
    this.refusedAtOnce(loadClass);
    if (this.#closed) this.#settings.answer(held);
    else this.#pace.refuse(held, nowMs);
  }

  /** Counts a request that was refused with an answer which can't be held. */
  refusedAtOnce(loadClass: LoadClass): void {
    this.#refused[loadClass] += 1;
    this.#limiting = true;
  }

  start(): void {
    this.#timer = setInterval(() => this.tick(performance.now()), WINDOW_MS);
    this.#timer.unref();
  }

  /** Ends a window: adjusts the limit and answers refusals that were held long enough. */
  tick(nowMs: number): void {
    this.#limit.adjust(this.#inFlightMax, this.#limiting);
    this.#inFlightMax = this.#inFlight;
    this.#limiting = false;
    this.#bound();
    this.#pace.expire(nowMs);
  }

  /** Answers every refusal that is held, and holds none any more. */
  close(): void {
    this.#closed = true;
    clearInterval(this.#timer);
    this.#pace.answerAll();
  }

  #bound(): void {
    const { limit } = this.#limit;
    for (const name of loadClasses) {
      this.#bounds[name] = name === "critical" ? this.#settings.max : Math.max(1, Math.floor(limit * shareOf[name]));
    }
  }
}

function zeros(): Counts {
  return { reads: 0, jobs: 0, claims: 0, locks: 0, critical: 0 };
}
