import { Histogram, type MetricObjectWithValues, type MetricType, type MetricValueWithName } from "prom-client";

const boundsSeconds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const boundsMs = Float64Array.from(boundsSeconds, (seconds) => seconds * 1000);
const name = "http_request_duration_seconds";
const help = "Time from a request's head to its answer, in seconds";

/** prom-client declares an enum of numbers that does not exist at run time, where types are these words. */
const type = "histogram" as unknown as MetricType;

type Label = "method" | "route" | "status";
type Value = MetricValueWithName<Label | "le">;

/** Durations of one route's answers with one status. */
class Cell {
  readonly counts = new Float64Array(boundsMs.length + 1);
  sumMs = 0;
}

/** Where a route reports its answers. */
export class RouteMeter {
  readonly method: string;
  readonly route: string;
  readonly #cells: (Cell | undefined)[] = new Array(600);

  constructor(method: string, route: string) {
    this.method = method;
    this.route = route;
  }

  /** Counts an answer. Allocates nothing but once per status, unlike prom-client's observe (0.9 µs). */
  observe(status: number, durationMs: number): void {
    let cell = this.#cells[status];
    if (cell === undefined) {
      if (!(status >= 100 && status < 600)) return;
      cell = new Cell();
      this.#cells[status] = cell;
    }
    let bucket = 0;
    while (bucket < boundsMs.length && durationMs > (boundsMs[bucket] as number)) bucket++;
    cell.counts[bucket] = (cell.counts[bucket] as number) + 1;
    cell.sumMs += durationMs;
  }

  *values(): Generator<Value> {
    for (const [status, cell] of this.#cells.entries()) {
      if (cell === undefined) continue;
      const labels = { method: this.method, route: this.route, status };
      let total = 0;
      for (const [index, bound] of boundsSeconds.entries()) {
        total += cell.counts[index] as number;
        yield { value: total, labels: { ...labels, le: bound }, metricName: `${name}_bucket` };
      }
      total += cell.counts[boundsSeconds.length] as number;
      yield { value: total, labels: { ...labels, le: "+Inf" }, metricName: `${name}_bucket` };
      yield { value: cell.sumMs / 1000, labels, metricName: `${name}_sum` };
      yield { value: total, labels, metricName: `${name}_count` };
    }
  }
}

/** `http_request_duration_seconds` by method, route and status, counted by route meters. */
export class RequestHistogram extends Histogram<Label> {
  readonly #meters: RouteMeter[] = [];

  constructor() {
    super({
      name,
      help,
      labelNames: ["method", "route", "status"],
      buckets: boundsSeconds,
      registers: [],
    });
  }

  meterFor(method: string, route: string): RouteMeter {
    const meter = new RouteMeter(method, route);
    this.#meters.push(meter);
    return meter;
  }

  override async get(): Promise<MetricObjectWithValues<Value>> {
    const values = this.#meters.flatMap((meter) => [...meter.values()]);
    return { name, help, type, aggregator: "sum", values, collect: () => {} };
  }

  /** What the registry prints; prom-client looks for it under this name. */
  async getForPromString(): Promise<MetricObjectWithValues<Value>> {
    return this.get();
  }
}
