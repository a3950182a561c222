import type { Claim, OrderGuard, OrderTie, TieOutcome } from "@coupon/redis";
import type { Logger } from "@coupon/service-kit";
import type { OrderTieReads } from "../stores/order-tie-reads.ts";

export interface OrderTiesResources {
  guard: OrderGuard;
  reads: OrderTieReads;
  logger: Logger;
  /** How long an order waits for the ledger where Redis may have lost its tie. */
  patienceMs: number;
  /** By how much a tie outlasts what it was claimed for, which begins only when the shard is asked. */
  marginMs: number;
}

/** Orders that are looked up in the ledger at once; the next ones are told to come again. */
const LOOK_UPS_MAX = 64;
const RESTORE_WAIT_MS = 1_000;
const RETRY_DELAY_MS = 200;

/**
 * An order's ties, also where Redis has lost them (docs/adr/0001-order-guard.md): an order that Redis is not sure of is
 * looked up in the ledger, once that has applied all of the log; meanwhile all ties are restored in the background.
 */
export class OrderTies {
  readonly #resources: OrderTiesResources;
  #lookUps = 0;
  #restoring: Promise<void> | null = null;
  #closed = false;

  constructor(resources: OrderTiesResources) {
    this.#resources = resources;
  }

  /** Restores what is missing at the start, where that can be done at once; else goes on in the background. */
  async start(): Promise<void> {
    if (!(await this.#restoreOnce(0))) this.#restoreSoon();
  }

  /** As OrderGuard's, but never unsure: `unavailable` where neither Redis nor the ledger can tell now. */
  async claim(callerId: string, orderId: string, coupon: string, keptMs: number): Promise<KnownTie> {
    const { guard, marginMs } = this.#resources;
    const order = `${callerId}/${orderId}`;
    const claimed = await guard.claim(order, [coupon], keptMs + marginMs);
    if (isSure(claimed)) return claimed;
    this.#restoreSoon();
    const standing = await this.#lookUp(callerId, orderId);
    if (standing === null) return UNAVAILABLE;
    for (const tie of standing) await guard.claim(tie.order, tie.coupons, tie.keptMs + marginMs, true);
    const again = await guard.claim(order, [coupon], keptMs + marginMs, true);
    return isSure(again) ? again : UNAVAILABLE;
  }

  /** Takes back the `claim` that resolved with `untilMs`. */
  giveBack(callerId: string, orderId: string, coupon: string, untilMs: number): Promise<void> {
    return this.#resources.guard.giveBack(`${callerId}/${orderId}`, [coupon], untilMs);
  }

  /** Unties the order from the coupon, whoever relies on it. */
  forget(callerId: string, orderId: string, coupon: string): Promise<void> {
    return this.#resources.guard.forget(`${callerId}/${orderId}`, [coupon]);
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#restoring;
  }

  async #lookUp(callerId: string, orderId: string): Promise<OrderTie[] | null> {
    if (this.#lookUps >= LOOK_UPS_MAX) return null;
    this.#lookUps += 1;
    const { reads, patienceMs, logger } = this.#resources;
    try {
      return (await reads.applied(patienceMs)) ? await reads.of(callerId, orderId) : null;
    } catch (error) {
      logger.warn({ because: (error as Error).message }, "an order that Redis is not sure of can't be looked up");
      return null;
    } finally {
      this.#lookUps -= 1;
    }
  }

  #restoreSoon(): void {
    this.#restoring ??= this.#restore().finally(() => {
      this.#restoring = null;
    });
  }

  async #restore(): Promise<void> {
    while (!this.#closed && !(await this.#restoreOnce(RESTORE_WAIT_MS))) {
      await new Promise((resolve) => setTimeout(resolve, RETRY_DELAY_MS));
    }
  }

  /** Whether nothing is missing any more. */
  async #restoreOnce(withinMs: number): Promise<boolean> {
    const { guard, reads, logger, marginMs } = this.#resources;
    async function* read(): AsyncGenerator<OrderTie[]> {
      if (!(await reads.applied(withinMs))) throw new Error("the ledger has not applied all of the log yet");
      for await (const ties of reads.all()) yield ties.map((tie) => ({ ...tie, keptMs: tie.keptMs + marginMs }));
    }
    try {
      const { kind, orders } = await guard.restore(read);
      if (orders > 0) logger.warn({ orders }, "ties of orders have been restored");
      return kind === "complete";
    } catch (error) {
      logger.warn({ because: (error as Error).message }, "ties of orders can't be restored yet");
      return false;
    }
  }
}

export interface KnownTie extends Claim {
  outcome: Exclude<TieOutcome, "unsure">;
}

const UNAVAILABLE: KnownTie = { outcome: "unavailable", untilMs: 0 };

const isSure = (claim: Claim): claim is KnownTie => claim.outcome !== "unsure";
