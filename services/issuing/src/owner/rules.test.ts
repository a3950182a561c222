import type { RulesApplied } from "@coupon/events";
import { expect, test } from "vitest";
import type { OwnerContext } from "./owner-context.ts";
import { Partition } from "./partition.ts";
import { RulesInForce } from "./rules.ts";
import { Shard } from "./shard.ts";
import { StockTransfers } from "./stock-transfers.ts";

const address = { batch: 1, shard: 0 };

/** The rules of one shard, whose script says that version 2 falls short by 3. */
function rulesOfOneShard() {
  const published: RulesApplied[] = [];
  const running: Promise<void>[] = [];
  const known = { version: 1 };
  let number = 0;
  const owner = {
    resources: {
      batches: {
        rulesOf: () => ({ batchId: "b", shards: 1, rules: { version: known.version } }),
        shardsOf: () => [address],
      },
      calls: {
        changeRules: async (_at: unknown, _expect: unknown, rules: { version: number }) => {
          number += 1;
          return { kind: "applied", number, outcomes: [{ shortBy: rules.version === 2 ? 3 : 0 }], entry: "" };
        },
      },
      publish: async (_topic: string, messages: RulesApplied[]) => void published.push(...messages),
    },
    pump: (_partition: Partition, shard: Shard) => {
      const job = shard.jobs.shift();
      if (job !== undefined) running.push(job.run());
    },
    applied: () => undefined,
  } as unknown as OwnerContext;
  const rules = new RulesInForce(owner, new StockTransfers(owner));
  return { rules, published, known, ran: () => Promise.all(running) };
}

test("a version is confirmed once its own entry is durable, never by that of an older one", async () => {
  const { rules, published, known, ran } = rulesOfOneShard();
  const partition = new Partition(0);
  const shard = new Shard(address, { number: 0, hash: "", durable: 0, durableOffset: -1, rulesVersion: 0 });
  shard.standing = "serving";
  rules.enforce(partition, shard);
  known.version = 2;
  await ran();
  rules.enforce(partition, shard);
  await ran();
  shard.becameDurable(1, 10, partition.id);
  expect(published).toEqual([]);
  shard.becameDurable(2, 11, partition.id);
  expect(published).toMatchObject([{ version: 2, shortBy: 3, offset: 11 }]);
});
