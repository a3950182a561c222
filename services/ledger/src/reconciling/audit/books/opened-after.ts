import type { ShardMoney } from "@coupon/database";

/**
 * The last entry before a shard's books were opened; -1 where they were there from its first. Opening lines are written
 * together: all of one entry, on both sides, and with balances of their own. A line that is on one side only, or of a
 * shard without such balances, has become an opening line by mistake.
 */
export function openedAfter({ openings, balances }: Pick<ShardMoney, "openings" | "balances">): number {
  if (!balances.some(({ event }) => event === "open")) return -1;
  const numbers = openings.map(({ number }) => number);
  const whole = openings.filter(({ debited, credited }) => debited > 0 && credited > 0);
  if (whole.length === 1) return whole[0]?.number ?? -1;
  // They have come apart, or there are two: of nothing up to the last of them is it known what it must be.
  return Math.max(-1, ...numbers);
}
