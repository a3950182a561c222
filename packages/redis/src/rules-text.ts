import type { BatchState, ShardRules } from "@coupon/domain";

/** Rules as the header keeps them (includes/rules.lua), without the number of buckets. */
export function packRules(rules: ShardRules): string {
  const { version, state, revoked, fromMs, untilMs, allotment, perDay, perUser, perUserPerDay } = rules;
  for (const count of [version, fromMs, untilMs, allotment, perDay ?? 0, perUser, perUserPerDay ?? 0, rules.buckets]) {
    if (!Number.isSafeInteger(count) || count < 0) throw new RangeError(`not a count: ${count}`);
  }
  if (rules.buckets < 1) throw new RangeError("rules without a bucket");
  const fields = [
    version,
    state,
    revoked ? 1 : 0,
    fromMs,
    untilMs,
    allotment,
    perDay ?? "-",
    perUser,
    perUserPerDay ?? "-",
  ];
  return fields.join(" ");
}

/** The same with the number of buckets, as the header keeps them. */
export function packAllRules(rules: ShardRules): string {
  return `${packRules(rules)} ${rules.buckets}`;
}

export function parseRules(text: string): ShardRules {
  const [version, state, revoked, fromMs, untilMs, allotment, perDay, perUser, perUserPerDay, buckets] =
    text.split(" ");
  return {
    version: Number(version),
    state: state as BatchState,
    revoked: revoked === "1",
    fromMs: Number(fromMs),
    untilMs: Number(untilMs),
    allotment: Number(allotment),
    perDay: perDay === "-" ? null : Number(perDay),
    perUser: Number(perUser),
    perUserPerDay: perUserPerDay === "-" ? null : Number(perUserPerDay),
    buckets: Number(buckets),
  };
}

/** JSON of the rules up to the number of buckets, which the script writes: it is that of the shard's first rules. */
export function rulesJsonStem(rules: ShardRules): string {
  const { version, state, revoked, fromMs, untilMs, allotment, perDay, perUser, perUserPerDay } = rules;
  const ordered = { version, state, revoked, fromMs, untilMs, allotment, perDay, perUser, perUserPerDay };
  return `${JSON.stringify(ordered).slice(0, -1)},"buckets":`;
}
