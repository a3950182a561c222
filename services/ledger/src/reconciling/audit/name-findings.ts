import { findCoupon, type Pool, readCouponRecords } from "@coupon/database";
import { type BatchDefinition, type CouponIdCodec, type Entry, shardKey } from "@coupon/domain";
import type { LogReader } from "@coupon/events";
import type { Finding } from "./finding.ts";
import { CouponEntries } from "./gather.ts";

export interface Naming {
  pool: Pool;
  reader: LogReader;
  codec: CouponIdCodec;
  definitionOf: (batch: number) => BatchDefinition | undefined;
}

export interface NamedFinding extends Finding {
  /** Null for a counter, and where neither the log nor the ledger knows the coupon's user. */
  couponId: string | null;
}

/** Gives findings of one partition the coupon's id, and shows what the log and the ledger have of it. */
export async function nameFindings(naming: Naming, partition: number, findings: Finding[]): Promise<NamedFinding[]> {
  const named: NamedFinding[] = [];
  for (const group of Map.groupBy(findings, ({ batch, shard }) => shardKey(batch, shard)).values()) {
    const { batch, shard } = group[0] as Finding;
    const serials = [...new Set(group.flatMap(({ serial }) => serial ?? []))];
    const entries = await entriesOf(naming.reader, { partition, batch, shard, serials });
    for (const finding of group) named.push(await nameOne(naming, finding, entries));
  }
  return named;
}

async function entriesOf(
  reader: LogReader,
  at: { partition: number; batch: number; shard: number; serials: number[] },
): Promise<Entry[]> {
  if (at.serials.length === 0) return [];
  const gathered = new CouponEntries(reader, at);
  try {
    await gathered.to(await reader.end(at.partition));
    return gathered.entries;
  } finally {
    await gathered.close();
  }
}

async function nameOne(naming: Naming, finding: Finding, entries: Entry[]): Promise<NamedFinding> {
  const { batch, shard, serial } = finding;
  if (serial === null) return { ...finding, couponId: null };
  const told = tell(entries, serial);
  const row = await findCoupon(naming.pool, { batch, shard, serial });
  const owner = told.issued ?? (row === null ? null : { userId: row.userId, issuedAtMs: row.issuedAtMs });
  const couponId = owner === null ? null : couponIdOf(naming, finding, serial, owner);
  if (finding.store === "redis") return { ...finding, couponId, expected: finding.expected ?? told };
  const { records } = await readCouponRecords(naming.pool, batch, shard, [serial]);
  const found = { ...asObject(finding.found), row, record: records.get(serial) ?? null };
  return { ...finding, couponId, expected: { ...asObject(finding.expected), ...told }, found };
}

function asObject(value: unknown): object {
  if (value === null || value === undefined) return {};
  return typeof value === "object" ? value : { state: value };
}

function couponIdOf(
  { codec, definitionOf }: Naming,
  { batch, shard }: Finding,
  serial: number,
  { userId, issuedAtMs }: { userId: string; issuedAtMs: number },
): string | null {
  const definition = definitionOf(batch);
  if (definition === undefined) return null;
  const issuedAtSeconds = Math.floor(issuedAtMs / 1_000);
  const parts = { keyVersion: definition.couponKeyVersion, batchNumber: batch, shard, serial, issuedAtSeconds };
  return codec.encode(parts, userId);
}

/** The coupon's life as the log has it. */
function tell(entries: Entry[], serial: number) {
  let issued: { userId: string; issuedAtMs: number } | null = null;
  const events: object[] = [];
  for (const entry of entries) {
    if (!("items" in entry)) continue;
    if (entry.kind === "issue") {
      const item = entry.items.find(([each]) => each === serial);
      if (item !== undefined) issued = { userId: item[1], issuedAtMs: entry.at };
      continue;
    }
    for (const item of entry.items as { serial: number }[]) {
      if (item.serial === serial) events.push({ number: entry.number, kind: entry.kind, at: entry.at, ...item });
    }
  }
  return { issued, events };
}
