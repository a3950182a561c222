import { join } from "node:path";
import { writeFeed } from "../generator/feed.ts";
import { Generator } from "../generator/generator.ts";
import type { Job } from "../generator/run.ts";
import { productId } from "./batches.ts";
import { type BenchContext, durationMs, untilQuiet, warmUpMs } from "./context.ts";
import { grantCoupons } from "./grant-coupons.ts";
import { type HeldCoupon, type OrderStep, orderRequests } from "./loads.ts";

/** The critical calls of a checkout, what each is preceded by, and how often it is made. */
const kinds = {
  redeem: { perSecond: 30, success: 200, before: null },
  release: { perSecond: 15, success: 200, before: "lock" },
  reversals: { perSecond: 15, success: 201, before: "redeem" },
} as const satisfies Partial<Record<OrderStep, { perSecond: number; success: number; before: OrderStep | null }>>;

type Kind = keyof typeof kinds;
const names = Object.keys(kinds) as Kind[];

const connections = 32;
/** More than a run asks for. */
const spare = 1.2;

/** What became of a kind's calls: the share that succeeded, of all arrivals, and their 99th percentile. */
export interface CheckoutFound {
  kind: Kind;
  calls: number;
  succeeded: number;
  p99Ms: number;
}

/** A checkout that goes on beside a load: each kind of critical call at a steady rate from a pool of its own. */
export class Checkout implements AsyncDisposable {
  readonly #context: BenchContext;
  readonly #batchId: string;
  readonly #generators: Record<Kind, Generator>;

  constructor(context: BenchContext, batchId: string) {
    this.#context = context;
    this.#batchId = batchId;
    this.#generators = { redeem: new Generator(), release: new Generator(), reversals: new Generator() };
  }

  /** Makes ready what a run of that name needs, and waits until the ledger has it. */
  async prepare(run: string): Promise<void> {
    for (const kind of names) await this.#prepare(kind, `${run}-${kind}`);
    await untilQuiet(this.#context);
  }

  /** Goes on for as long as a load is warmed up and measured, and counts while that is measured. */
  run(): Promise<CheckoutFound[]> {
    return Promise.all(names.map((kind) => this.#run(kind)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(names.map((kind) => this.#generators[kind].close()));
  }

  async #prepare(kind: Kind, run: string): Promise<void> {
    const { perSecond, before } = kinds[kind];
    const count = Math.ceil((perSecond * (warmUpMs + durationMs) * spare) / 1_000);
    const coupons = await grantCoupons(this.#context, this.#batchId, run, count);
    if (before !== null) {
      this.#writeFeed(kind, before, run, coupons);
      const job = { ...this.#job(kind), warmUpMs: 0, durationMs: 60_000 };
      const { allStatuses } = await this.#generators[kind].run(job);
      if (allStatuses[200] !== count) throw new Error(`Checkout was not made ready: ${JSON.stringify(allStatuses)}`);
    }
    this.#writeFeed(kind, kind, run, coupons);
  }

  async #run(kind: Kind): Promise<CheckoutFound> {
    const { perSecond, success } = kinds[kind];
    const wish = { arrivalsPerSecond: perSecond, latencyOfStatus: success, warmUpMs, durationMs };
    const sample = await this.#generators[kind].run({ ...this.#job(kind), ...wish });
    const answered = Object.values(sample.statuses).reduce((sum, it) => sum + it, 0);
    const calls = answered + sample.turnedAway + sample.cut;
    return { kind, calls, succeeded: sample.statuses[success] ?? 0, p99Ms: sample.p99Ms };
  }

  #writeFeed(kind: Kind, step: OrderStep, run: string, coupons: readonly HeldCoupon[]): void {
    const { caller, local } = this.#context;
    const { host } = new URL(local.urls.issuing);
    writeFeed(this.#feed(kind), host, orderRequests(caller, step, productId, run, coupons));
  }

  #feed(kind: Kind): string {
    return join(this.#context.folder, `checkout-${kind}`);
  }

  #job(kind: Kind): Omit<Job, "warmUpMs" | "durationMs"> {
    const port = Number(new URL(this.#context.local.urls.issuing).port);
    return { host: "127.0.0.1", port, connections, feed: this.#feed(kind), repeat: false, watch: [] };
  }
}

/** Rounds put together: the worst 99th percentile of each kind. */
export function describeCheckout(rounds: readonly CheckoutFound[][]): string {
  return names
    .map((name) => {
      const found = rounds.flat().filter(({ kind }) => kind === name);
      const calls = found.reduce((sum, it) => sum + it.calls, 0);
      const share = (found.reduce((sum, it) => sum + it.succeeded, 0) / Math.max(1, calls)) * 100;
      return `${name} ${share.toFixed(1)} % of ${calls}, p99 ${Math.max(...found.map((it) => it.p99Ms)).toFixed(1)} ms`;
    })
    .join(", ");
}
