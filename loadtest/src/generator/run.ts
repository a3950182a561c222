import { Connection } from "./connection.ts";
import { readFeed } from "./feed.ts";
import { Latencies } from "./latencies.ts";
import { cpuSecondsOf } from "./process-cpu.ts";

/** One load: so many connections over a feed, in a closed loop unless told, measured for a time after a warm-up. */
export interface Job {
  host: string;
  port: number;
  connections: number;
  /** Feed file. */
  feed: string;
  /** Start over at the feed's end; else its end ends the measuring. */
  repeat: boolean;
  warmUpMs: number;
  durationMs: number;
  /** Processes whose CPU time is measured over the same window. */
  watch: number[];
  /** Requests arrive at this rate, whatever has been answered; one that finds no free connection is turned away. */
  arrivalsPerSecond?: number;
  /** Requests that may be under way on a connection; 1 unless told. For an open model alone. */
  pipelined?: number;
  /** Latencies of answers with this status alone. */
  latencyOfStatus?: number;
}

export interface Sample {
  /** Length of the window; shorter than asked where the feed ran out. */
  seconds: number;
  /** Answers in the window by status. */
  statuses: Record<string, number>;
  perSecond: number;
  p50Ms: number;
  p99Ms: number;
  maxMs: number;
  /** Answers by status from the first request to the last, warm-up included. */
  allStatuses: Record<string, number>;
  sent: number;
  /** Requests whose connection went away before the answer. */
  cut: number;
  /** Arrivals in the window, and those of them that found no free connection. 0 in a closed loop. */
  arrived: number;
  turnedAway: number;
  exhausted: boolean;
  /** CPU time of the generator itself over the window. */
  generatorCpuSeconds: number;
  /** CPU time of the watched processes over the window, in their order. */
  watchedCpuSeconds: number[];
}

const drainMs = 15_000;

/** Runs a job to its end. Rejects where a server breaks HTTP, or answers are still missing 15 s after the end. */
export function runJob(job: Job): Promise<Sample> {
  return new Run(job).finished;
}

class Run {
  readonly finished: Promise<Sample>;
  readonly #job: Job;
  readonly #feed: Buffer[];
  readonly #all = new Uint32Array(1000);
  readonly #window = new Uint32Array(1000);
  readonly #latencies = new Latencies();
  readonly #connections: Connection[] = [];
  readonly #end = Promise.withResolvers<Sample>();
  #measuring = false;
  #stopped = false;
  #sent = 0;
  #inFlight = 0;
  #cut = 0;
  #exhausted = false;
  #startedAt = 0;
  #seconds = 0;
  #cpuAtStart: number[] = [];
  #cpu: number[] = [];
  #timer: NodeJS.Timeout;
  #arrivals: NodeJS.Timeout | undefined;
  /** Free connections, the one that has been so for longest first; what is before `#freeFrom` is none. */
  #free: Connection[] = [];
  #freeFrom = 0;
  #arrived = 0;
  #turnedAway = 0;
  /** Arrivals that a connection has been woken for. */
  #due = 0;

  constructor(job: Job) {
    this.#job = job;
    this.#feed = readFeed(job.feed);
    this.finished = this.#end.promise;
    const { host, port, pipelined = 1 } = job;
    for (let i = 0; i < job.connections; i += 1) this.#connections.push(new Connection(host, port, pipelined, this));
    this.#timer = setTimeout(() => this.#startWindow(), job.warmUpMs);
    if (job.arrivalsPerSecond !== undefined) this.#startArrivals(job.arrivalsPerSecond);
  }

  next(): Buffer | undefined | null {
    if (this.#stopped) return undefined;
    if (this.#arrivals !== undefined) {
      if (this.#due === 0) return null;
      this.#due -= 1;
    }
    if (this.#sent >= this.#feed.length && !this.#job.repeat) {
      this.#exhausted = true;
      this.#stop();
      return undefined;
    }
    this.#inFlight += 1;
    return this.#feed[this.#sent++ % this.#feed.length];
  }

  free(connection: Connection): void {
    this.#free.push(connection);
  }

  answered(status: number, latencyMs: number): void {
    this.#inFlight -= 1;
    this.#all[status] = (this.#all[status] ?? 0) + 1;
    if (this.#measuring) {
      this.#window[status] = (this.#window[status] ?? 0) + 1;
      const { latencyOfStatus = status } = this.#job;
      if (status === latencyOfStatus) this.#latencies.record(latencyMs);
    }
    this.#finishIfDrained();
  }

  cut(): void {
    this.#inFlight -= 1;
    this.#cut += 1;
    this.#finishIfDrained();
  }

  failed(error: Error): void {
    this.#stopped = true;
    this.#close();
    this.#end.reject(error);
  }

  #startArrivals(perSecond: number): void {
    const startedAt = performance.now();
    let made = 0;
    this.#arrivals = setInterval(() => {
      const wanted = Math.floor(((performance.now() - startedAt) / 1000) * perSecond);
      for (; made < wanted && !this.#stopped; made += 1) this.#arrive();
    }, 1);
  }

  #arrive(): void {
    if (this.#measuring) this.#arrived += 1;
    this.#due = 1;
    let sent = false;
    while (!sent && this.#freeFrom < this.#free.length) sent = this.#nextFree().wake();
    this.#due = 0;
    if (!sent && this.#measuring) this.#turnedAway += 1;
  }

  #nextFree(): Connection {
    const next = this.#free[this.#freeFrom] as Connection;
    this.#freeFrom += 1;
    if (this.#freeFrom * 2 > this.#free.length) {
      this.#free = this.#free.slice(this.#freeFrom);
      this.#freeFrom = 0;
    }
    return next;
  }

  #startWindow(): void {
    this.#cpuAtStart = this.#readCpu();
    this.#startedAt = performance.now();
    this.#measuring = true;
    this.#timer = setTimeout(() => this.#stop(), this.#job.durationMs);
  }

  #stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    clearTimeout(this.#timer);
    clearInterval(this.#arrivals);
    if (this.#measuring) {
      this.#seconds = (performance.now() - this.#startedAt) / 1000;
      this.#cpu = this.#readCpu().map((it, i) => it - (this.#cpuAtStart[i] ?? 0));
    }
    this.#measuring = false;
    const missing = () => this.failed(new Error(`${this.#inFlight} answers are missing after ${drainMs} ms`));
    this.#timer = setTimeout(missing, drainMs);
    this.#finishIfDrained();
  }

  #finishIfDrained(): void {
    if (!this.#stopped || this.#inFlight > 0) return;
    this.#close();
    this.#end.resolve(this.#sample());
  }

  #close(): void {
    clearTimeout(this.#timer);
    clearInterval(this.#arrivals);
    for (const it of this.#connections) it.close();
  }

  #readCpu(): number[] {
    const own = process.cpuUsage();
    return [(own.user + own.system) / 1e6, ...this.#job.watch.map(cpuSecondsOf)];
  }

  #sample(): Sample {
    const statuses = toRecord(this.#window);
    const count = this.#window.reduce((sum, it) => sum + it, 0);
    return {
      seconds: this.#seconds,
      statuses,
      perSecond: this.#seconds > 0 ? count / this.#seconds : 0,
      p50Ms: this.#latencies.percentileMs(0.5),
      p99Ms: this.#latencies.percentileMs(0.99),
      maxMs: this.#latencies.maxMs,
      allStatuses: toRecord(this.#all),
      sent: this.#sent,
      cut: this.#cut,
      arrived: this.#arrived,
      turnedAway: this.#turnedAway,
      exhausted: this.#exhausted,
      generatorCpuSeconds: this.#cpu[0] ?? 0,
      watchedCpuSeconds: this.#cpu.slice(1),
    };
  }
}

function toRecord(counts: Uint32Array): Record<string, number> {
  const record: Record<string, number> = {};
  for (const [status, count] of counts.entries()) if (count > 0) record[status] = count;
  return record;
}
