import CircuitBreaker from "opossum";
import { Counter, Gauge, type Registry } from "prom-client";

/** How a call through a breaker went. Only `failed` and `timed_out` say that the call was made. */
export type BreakerResult<Value> =
  | { ok: true; value: Value }
  | { ok: false; reason: "open" | "full" | "timed_out" | "failed"; error: unknown };

export interface Breaker<Args extends unknown[], Value> {
  /** Makes the call unless the breaker is open or full. Never rejects. */
  call(...args: Args): Promise<BreakerResult<Value>>;
  readonly isOpen: boolean;
  /** Stops its timers; calls are refused as `open` from then on. */
  close(): void;
}

export interface BreakerOptions {
  /** Labels the metrics. */
  name: string;
  /** A call that takes longer counts as failed. */
  timeoutMs: number;
  /** Opens when so many of a hundred calls failed lately; 50 unless told. */
  errorThresholdPercent?: number;
  /** Needs so many calls in the last 10 s before it may open; 10 unless told. */
  volumeThreshold?: number;
  /** How long it stays open before one call may try; 1,000 unless told. */
  resetAfterMs?: number;
  /** Calls under way at a time; 1,000 unless told. */
  capacity?: number;
  registry?: Registry;
}

/**
 * Guards a call to another part: after too many failures it refuses at once for a while, so that a slow
 * part slows nothing else, and then tries one call.
 */
export function createBreaker<Args extends unknown[], Value>(
  call: (...args: Args) => Promise<Value>,
  options: BreakerOptions,
): Breaker<Args, Value> {
  const breaker = new CircuitBreaker<Args, Value>(call, {
    name: options.name,
    timeout: options.timeoutMs,
    errorThresholdPercentage: options.errorThresholdPercent ?? 50,
    volumeThreshold: options.volumeThreshold ?? 10,
    resetTimeout: options.resetAfterMs ?? 1_000,
    capacity: options.capacity ?? 1_000,
    rollingCountTimeout: 10_000,
    rollingPercentilesEnabled: false,
  });
  const count = options.registry === undefined ? () => {} : countCalls(options.registry, options.name, breaker);
  return {
    async call(...args) {
      try {
        const value = await breaker.fire(...args);
        count("ok");
        return { ok: true, value };
      } catch (error) {
        const reason = reasonOf(error);
        count(reason);
        return { ok: false, reason, error };
      }
    },
    get isOpen() {
      return breaker.opened;
    },
    close: () => breaker.shutdown(),
  };
}

function reasonOf(error: unknown): "open" | "full" | "timed_out" | "failed" {
  switch ((error as { code?: unknown }).code) {
    case "EOPENBREAKER":
    case "ESHUTDOWN":
      return "open";
    case "ESEMLOCKED":
      return "full";
    case "ETIMEDOUT":
      return "timed_out";
    default:
      return "failed";
  }
}

const callsName = "breaker_calls_total";
const openName = "breaker_open";

function countCalls(registry: Registry, name: string, breaker: { opened: boolean }): (result: string) => void {
  const calls =
    (registry.getSingleMetric(callsName) as Counter<"breaker" | "result"> | undefined) ??
    new Counter({
      name: callsName,
      help: "Calls through a breaker by result: ok, failed, timed_out, open, full",
      labelNames: ["breaker", "result"],
      registers: [registry],
    });
  const open = (registry.getSingleMetric(openName) as OpenGauge | undefined) ?? new OpenGauge(registry);
  open.watch(name, breaker);
  return (result) => calls.inc({ breaker: name, result });
}

/** Reads the breakers' states when it is scraped. */
class OpenGauge extends Gauge<"breaker"> {
  readonly #breakers = new Map<string, { opened: boolean }>();

  constructor(registry: Registry) {
    super({
      name: openName,
      help: "1 while the breaker refuses calls",
      labelNames: ["breaker"],
      registers: [registry],
      collect: () => {
        for (const [name, breaker] of this.#breakers) this.set({ breaker: name }, breaker.opened ? 1 : 0);
      },
    });
  }

  watch(name: string, breaker: { opened: boolean }): void {
    this.#breakers.set(name, breaker);
  }
}
