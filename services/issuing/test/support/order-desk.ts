import type { BatchDefinition } from "@coupon/domain";
import { eventually } from "@coupon/testkit";
import type { Answer } from "./signed-caller.ts";
import { World } from "./world.ts";

/** A coupon, and the order that it is asked for. */
export interface OrderedCoupon {
  userId: string;
  couponId: string;
  orderId: string;
}

/** Two lines of one piece each. */
export const order = (unitAmount = 5_000) => ({
  amount: unitAmount * 2,
  currency: "CNY",
  lines: [
    { lineId: "1", productId: "p1", quantity: 1, unitAmount },
    { lineId: "2", productId: "p2", quantity: 1, unitAmount },
  ],
});

/** An issuing with one batch of plenty, and a shop that asks it what it asks for an order. */
export class OrderDesk {
  readonly world = new World();
  #batchId = "";
  #users = 0;

  async start(): Promise<void> {
    await this.world.start();
    await this.world.issuing();
    ({ batchId: this.#batchId } = await this.batch({ stock: { total: 10_000, perUser: 5 } }));
  }

  close(): Promise<void> {
    return this.world.close();
  }

  newUser(): string {
    this.#users += 1;
    return `user-${this.#users}`;
  }

  /** A batch of its own, once it issues. */
  async batch(change: Parameters<World["publishBatch"]>[0]): Promise<BatchDefinition> {
    const { world } = this;
    const definition = await world.publishBatch(change);
    await eventually(async () => (await world.caller.claim(definition.batchId, "probe", "probe")).status < 300);
    return definition;
  }

  /** A new user's coupon. */
  async coupon(of = this.#batchId): Promise<OrderedCoupon> {
    const userId = this.newUser();
    const { body } = await this.world.caller.claim(of, userId, "key");
    return { userId, couponId: body.couponId as string, orderId: `order-of-${userId}` };
  }

  lock(at: OrderedCoupon, holdSeconds = 600, what: object = order()): Promise<Answer> {
    return this.#ask(at, "lock", { userId: at.userId, order: what, holdSeconds });
  }

  redeem(at: OrderedCoupon, what?: object): Promise<Answer> {
    return this.#ask(at, "redeem", { userId: at.userId, ...(what === undefined ? {} : { order: what }) });
  }

  release(at: OrderedCoupon): Promise<Answer> {
    return this.#ask(at, "release", { userId: at.userId });
  }

  reverse(at: OrderedCoupon, idempotencyKey: string, what: object): Promise<Answer> {
    return this.#ask(at, "reversals", { reason: "returned", ...what }, { idempotencyKey });
  }

  #ask({ orderId, couponId }: OrderedCoupon, path: string, body: object, options = {}): Promise<Answer> {
    return this.world.caller.call("POST", `/v1/orders/${orderId}/${path}`, { couponIds: [couponId], ...body }, options);
  }
}
