import { createHash } from "node:crypto";
import { countMessage, type PartitionCount } from "@coupon/domain";
import type { EntryAppender, LogMessage, LogReader } from "@coupon/events";
import type { ShardAddress, ShardCalls, ShardHeader } from "@coupon/redis";
import type { LogBase, RecoveryReads } from "../stores/recovery-reads.ts";

/**
 * Opening a partition, which makes this process the only one whose entries count in it.
 *
 * 1. Append a marker; its offset E is the new epoch. From E on nothing of an earlier owner counts.
 * 2. Read the log up to E by the counting rule: L is the number of each shard's last counted entry.
 * 3. Bring each shard of Redis to L: behind, redo the entries; ahead, send its outbox again under E;
 *    missing or diverged, build it anew from PostgreSQL (in the background, that shard alone waits).
 * 4. Compare-and-set the shard's epoch to E, and serve.
 *
 * docs/recovery.md has the argument; packages/model/spec/Recovery.tla is the specification that is checked.
 */
export interface OpenResources {
  /** Its calls take turns with the process's sends: one produce is in flight at a time. */
  appender: Pick<EntryAppender, "append" | "appendMarker">;
  reader: Pick<LogReader, "readRange">;
  calls: ShardCalls;
  recovery: RecoveryReads;
  processId: string;
  appendTimeoutMs: number;
}

export interface OpenedShard {
  address: ShardAddress;
  /** Number of the last counted entry; what Redis has too, unless `rebuild`. */
  number: number;
  /** Hash of that entry; "" before the first, and where it is to be built anew, for the image has it. */
  hash: string;
  durableOffset: number;
  rulesVersion: number;
  /** What Redis has is missing or something else: it has to be built anew from PostgreSQL. */
  rebuild: boolean;
}

export interface Opened {
  epoch: number;
  lastOffset: number;
  shards: OpenedShard[];
}

/** What the log says of one shard: its last counted number, and the entries read on the way there. */
interface Counted {
  address: ShardAddress;
  number: number;
  /** SHA-1 of the last counted entry's text; null where it was not read and is not known. */
  hash: string | null;
  /** Where `number` is only known to be durable: the epoch of the header that says so (see LogBase). */
  floorOf: number | null;
  tail: LogMessage[];
}

/** The log has an entry whose number leaves out another: nothing here may be guessed. */
export class LogGap extends Error {}

/** Redis changed under an opening: begin again. */
export class OpeningDisturbed extends Error {}

const ENTRIES_RESENT_AT_ONCE = 64;

export async function openPartition(
  resources: OpenResources,
  partition: number,
  known: ShardAddress[],
): Promise<Opened> {
  const epoch = await resources.appender.appendMarker(
    partition,
    { v: 1, kind: "marker", owner: resources.processId, at: Date.now() },
    resources.appendTimeoutMs,
  );
  const base = await resources.recovery.logBase(partition, known);
  const counted = await countUpTo(resources.reader, partition, base, epoch);
  for (const address of known) {
    const key = `${address.batch}.${address.shard}`;
    if (!counted.has(key)) counted.set(key, { address, number: 0, hash: "", floorOf: null, tail: [] });
  }
  return bringShards(resources, partition, epoch, [...counted.values()]);
}

async function countUpTo(
  reader: OpenResources["reader"],
  partition: number,
  base: LogBase,
  epoch: number,
): Promise<Map<string, Counted>> {
  const counted = new Map<string, Counted>();
  const state: PartitionCount = { epoch: base.epoch, shards: new Map() };
  for (const { address, number, hash, floorOf } of base.shards) {
    const key = `${address.batch}.${address.shard}`;
    state.shards.set(key, number);
    counted.set(key, { address, number, hash, floorOf, tail: [] });
  }
  for await (const messages of reader.readRange(partition, base.position, epoch)) {
    for (const message of messages) countOne(state, message, counted, partition);
  }
  return counted;
}

function countOne(state: PartitionCount, message: LogMessage, counted: Map<string, Counted>, partition: number): void {
  const verdict = countMessage(state, {
    offset: message.offset,
    // What is neither marker nor entry was written under no epoch.
    epoch: message.epoch ?? Number.NaN,
    marker: message.marker !== null,
    batch: message.batch,
    shard: message.shard,
    number: message.number,
  });
  if (verdict === "gap") {
    throw new LogGap(
      `partition ${partition}: entry ${message.number} of shard ${message.batch}.${message.shard} at offset ${message.offset} leaves a gap`,
    );
  }
  if (verdict !== "counts") return;
  const key = `${message.batch}.${message.shard}`;
  let shard = counted.get(key);
  if (shard === undefined) {
    shard = { address: { batch: message.batch, shard: message.shard }, number: 0, hash: "", floorOf: null, tail: [] };
    counted.set(key, shard);
  }
  shard.number = message.number;
  shard.hash = null;
  shard.floorOf = null;
  shard.tail.push(message);
}

async function bringShards(
  resources: OpenResources,
  partition: number,
  epoch: number,
  shards: Counted[],
): Promise<Opened> {
  const headers = await resources.calls.readHeaders(shards.map(({ address }) => address));
  let lastOffset = epoch;
  const opened: OpenedShard[] = [];
  for (let i = 0; i < shards.length; i += 1) {
    const shard = shards[i] as Counted;
    const brought = await bring(resources, epoch, shard, headers[i] ?? null);
    let number = shard.number;
    if (brought.kind === "ahead") {
      lastOffset = await resend(resources, partition, epoch, shard.address, brought.texts, lastOffset);
      number = brought.number;
    }
    const header = headers[i] ?? null;
    const rebuild = brought.kind === "rebuild";
    const from = "hash" in brought ? { epoch: header?.epoch ?? -1, number, hash: brought.hash } : null;
    if (!rebuild && !(await resources.calls.open(shard.address, from, epoch))) {
      throw new OpeningDisturbed(`shard ${shard.address.batch}.${shard.address.shard} changed while it was opened`);
    }
    opened.push({
      address: shard.address,
      number,
      hash: from?.hash ?? "",
      durableOffset: number === 0 ? -1 : lastOffset,
      rulesVersion: rebuild
        ? 0
        : rulesVersionAfter(header, brought.kind === "ahead" ? brought.texts : shard.tail.map((m) => m.text)),
      rebuild,
    });
  }
  return { epoch, lastOffset, shards: opened };
}

type Brought =
  | { kind: "fresh" | "rebuild" }
  | { kind: "level"; hash: string }
  | { kind: "ahead"; hash: string; number: number; texts: string[] };

/** Redoes what a shard is behind, and tells what it is then and what else has to be done. */
async function bring(
  resources: OpenResources,
  epoch: number,
  shard: Counted,
  header: ShardHeader | null,
): Promise<Brought> {
  const name = `shard ${shard.address.batch}.${shard.address.shard}`;
  const { floorOf } = shard;
  if (floorOf !== null && header?.epoch !== floorOf) throw new OpeningDisturbed(`${name} changed while it was opened`);
  const brought = await bringTo(resources, epoch, shard, header);
  // A later entry may count, so the number to build it anew at is not known.
  if (floorOf !== null && brought.kind === "rebuild") throw new OpeningDisturbed(`${name} waits for PostgreSQL`);
  return brought;
}

async function bringTo(
  { calls }: OpenResources,
  epoch: number,
  shard: Counted,
  header: ShardHeader | null,
): Promise<Brought> {
  if (header === null) return { kind: shard.number === 0 ? "fresh" : "rebuild" };
  const hashAtCount = shard.tail.length > 0 ? sha1(shard.tail.at(-1)?.text ?? "") : shard.hash;
  if (header.number === shard.number) {
    const isSame = hashAtCount === null || header.hash === hashAtCount;
    return isSame ? { kind: "level", hash: header.hash } : { kind: "rebuild" };
  }
  if (header.number < shard.number) {
    const missing = shard.tail.filter(({ number }) => number > header.number);
    if (missing[0]?.number !== header.number + 1) return { kind: "rebuild" };
    for (const { text, offset } of missing) {
      if (!(await calls.redo(shard.address, header.epoch, text, offset))) return { kind: "rebuild" };
    }
    return { kind: "level", hash: sha1(missing.at(-1)?.text ?? "") };
  }
  if (header.epoch >= epoch)
    throw new OpeningDisturbed(`shard ${shard.address.batch}.${shard.address.shard} has a later owner`);
  const texts = (await calls.readOutbox(shard.address)).filter((text) => numberOf(text) > shard.number);
  const links = texts.length === header.number - shard.number && chains(texts, hashAtCount, shard.number);
  if (!links) return { kind: "rebuild" };
  return { kind: "ahead", number: header.number, hash: sha1(texts.at(-1) ?? ""), texts };
}

/** Whether the texts follow one another and the last counted entry without a break. */
function chains(texts: string[], hash: string | null, number: number): boolean {
  let previous = hash;
  let expected = number + 1;
  for (const text of texts) {
    const { prev, number: own } = JSON.parse(text) as { prev: string; number: number };
    if (own !== expected || (previous !== null && prev !== previous)) return false;
    previous = sha1(text);
    expected += 1;
  }
  return true;
}

async function resend(
  { appender, appendTimeoutMs }: OpenResources,
  partition: number,
  epoch: number,
  address: ShardAddress,
  texts: string[],
  lastOffset: number,
): Promise<number> {
  let last = lastOffset;
  for (let i = 0; i < texts.length; i += ENTRIES_RESENT_AT_ONCE) {
    const entries = texts.slice(i, i + ENTRIES_RESENT_AT_ONCE).map((text) => {
      const { number, kind } = JSON.parse(text) as { number: number; kind: OutgoingKind };
      return { ...address, number, kind, text };
    });
    const [offset] = await appender.append([{ partition, epoch, entries }], appendTimeoutMs);
    if (offset?.baseOffset !== last + 1)
      throw new OpeningDisturbed(`partition ${partition}: somebody wrote after our marker`);
    last += entries.length;
  }
  return last;
}

type OutgoingKind = LogMessage["kind"];

function rulesVersionAfter(header: ShardHeader | null, texts: string[]): number {
  let version = header?.rules?.version ?? 0;
  for (const text of texts) {
    if (!text.includes('"kind":"rules"')) continue;
    version = (JSON.parse(text) as { rules: { version: number } }).rules.version;
  }
  return version;
}

function numberOf(text: string): number {
  return (JSON.parse(text) as { number: number }).number;
}

function sha1(text: string): string {
  return createHash("sha1").update(text).digest("hex");
}
