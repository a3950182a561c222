import type { BatchDefinition } from "@coupon/domain";
import { eventually } from "@coupon/testkit";
import { afterAll, beforeAll, expect } from "vitest";
import { Platform } from "./platform.ts";

/** Real issuing, Redis, Kafka and PostgreSQL; drifts are planted by editing a store behind everybody's back. */
export let platform: Platform;
let number = 0;

beforeAll(async () => {
  platform = await Platform.start();
});
afterAll(() => platform.close());

export interface Books {
  batch: BatchDefinition;
  /** Coupon ids by serial: users u0 to u9. */
  coupons: string[];
}

/** A batch of ten coupons, of which the first is redeemed by an order, the second held, and all are in PostgreSQL. */
export async function books(): Promise<Books> {
  number += 1;
  const batch = await platform.batch(number, {}, "u0");
  const coupons: string[] = [];
  for (let user = 0; user < 10; user += 1) {
    // The one that tried whether the batch issues may have got another; ids are told in the order of serials here.
    if (user > 0) await platform.claim(batch.batchId, `u${user}`);
  }
  await applied(batch);
  const { rows } = await platform.world.pool.query(
    "SELECT serial, user_id, issued_at_ms FROM ledger.coupon WHERE batch = $1 ORDER BY serial",
    [batch.batchNumber],
  );
  for (const row of rows) {
    coupons.push(
      platform.world.couponId(batch, 0, { serial: row.serial, userId: row.user_id, issuedAtMs: row.issued_at_ms }),
    );
  }
  await platform.redeem("u0", coupons[0] ?? "", `order-${number}`);
  await applied(batch);
  await proven();
  return { batch, coupons };
}

/** Waits until the ledger has what Redis has of the batch's shard. */
export async function applied({ batchNumber }: BatchDefinition): Promise<void> {
  await eventually(
    async () => {
      const [header] = await platform.calls.readHeaders([{ batch: batchNumber, shard: 0 }]);
      const { rows } = await platform.world.pool.query("SELECT number FROM ledger.shard WHERE batch = $1", [
        batchNumber,
      ]);
      return header != null && rows[0]?.number === header.number;
    },
    { timeoutMs: 20_000 },
  );
}

export async function proven(): Promise<void> {
  await eventually(
    async () => {
      const { shards, proven: count } = await platform.proof();
      return shards === number && count === shards;
    },
    { timeoutMs: 20_000 },
  );
}

export const key = (batch: BatchDefinition, rest: string) =>
  `${platform.world.keyPrefix}{${batch.batchNumber}.0}:${rest}`;
export const sql = (text: string, ...values: unknown[]) => platform.world.pool.query(text, values);

/** Plants `change`, has the audit find and name it, repairs it by two persons, and finds all clean. */
export async function plantAndRepair(
  { batch, coupons }: Books,
  change: () => Promise<unknown>,
  expected: { store: string; kind: string; serial: number | null },
): Promise<void> {
  await change();
  const audit = await platform.audit({ batchId: batch.batchId });
  expect(audit).toMatchObject({ state: "discrepant", detail: null });
  const { serial } = expected;
  const couponId = serial === null ? null : (coupons[serial] ?? null);
  expect(audit.discrepancies).toContainEqual(expect.objectContaining({ ...expected, couponId }));
  expect(audit.discrepancies).toHaveLength(1);
  const ids = audit.discrepancies.map((each: { discrepancyId: number }) => each.discrepancyId);
  await platform.correct(audit.reconciliationId, ids);
  expect(await platform.audit({ batchId: batch.batchId })).toMatchObject({ state: "clean", found: 0 });
  await platform.claim(batch.batchId, "afterwards");
}

/** Takes 1 more off in the redemption of a record. */
export async function changeRecord(name: string): Promise<void> {
  const fields = await platform.redis.hgetall(name);
  const [field, value] = Object.entries(fields).find(([each]) => each.startsWith("h:")) ?? ["", ""];
  await platform.redis.hset(name, field, value.replace('{"discount":500', '{"discount":501'));
}

/** As bytes: the client makes texts of a hash's fields. */
export const readHash = "return redis.call('HGETALL', KEYS[1])";

/** Changes the slot that holds a serial; null takes it away. */
export async function changeSlot(
  batch: BatchDefinition,
  serial: number,
  change: (slot: Buffer) => Buffer | null,
): Promise<void> {
  const wanted = Buffer.from([0, 0, serial]);
  for (const bucket of await platform.redis.keys(key(batch, "u*"))) {
    const flat = (await platform.redis.callBuffer("eval", readHash, 1, bucket)) as Buffer[];
    for (let i = 0; i + 1 < flat.length; i += 2) {
      const [field, slot] = [flat[i] as Buffer, flat[i + 1] as Buffer];
      if (!slot.subarray(0, 3).equals(wanted)) continue;
      const changed = change(slot);
      if (changed === null) await platform.redis.hdel(bucket, field);
      else await platform.redis.hset(bucket, field, changed);
      return;
    }
  }
  throw new Error(`no slot has serial ${serial}`);
}
