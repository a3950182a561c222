import { createHash } from "node:crypto";
import type { EntryKind } from "@coupon/domain";
import type { ShardAddress, ShardCalls, ShardHeader } from "@coupon/redis";
import type { CountedShard } from "./count-log.ts";

/** A shard as it was opened: ready to serve, or `rebuild`. */
export interface OpenedShard {
  address: ShardAddress;
  /** Number of the last entry, and its hash: "" before the first, and where it is to be built anew. */
  number: number;
  hash: string;
  /** Number of the last entry that counted already. */
  durable: number;
  rulesVersion: number;
  /** Entries above `durable`, which Redis had ahead of the log: they have to be sent before anything else of the shard. */
  ahead: { number: number; kind: EntryKind; text: string }[];
  /** What Redis has is missing or something else: it has to be built anew from PostgreSQL. */
  rebuild: boolean;
}

/** Redis changed under an opening: begin again. */
export class OpeningDisturbed extends Error {}

/** What the log counts of this shard is not known well enough for the Redis that is here: count it again. */
export class CountAgain extends OpeningDisturbed {}

/** The shard has been opened under a later marker than ours. */
export class LaterOwner extends OpeningDisturbed {}

/** The log has an entry whose number leaves out another: nothing here may be guessed. */
export class LogGap extends Error {}

/**
 * Brings one shard of Redis to the last counted entry, and compare-and-sets its epoch: behind, its entries are redone;
 * ahead, its outbox has to be sent again under the new epoch; missing or diverged, it is to be built anew. Repeated
 * after a failure, it goes on from what Redis has then.
 *
 * @throws {OpeningDisturbed} also as CountAgain or LaterOwner
 * @throws {LogGap}
 * @throws RedisUnavailable
 */
export async function openShard(calls: ShardCalls, epoch: number, counted: CountedShard): Promise<OpenedShard> {
  const { address, floorOf } = counted;
  const name = `shard ${address.batch}.${address.shard}`;
  if (counted.gap !== null) throw new LogGap(counted.gap);
  const [found] = await calls.readHeaders([address]);
  const header = found ?? null;
  if (header !== null && header.epoch > epoch) throw new LaterOwner(`${name} has a later owner`);
  if (floorOf !== null && header?.epoch !== floorOf) throw new CountAgain(`${name} changed while it was opened`);
  const brought = await bring(calls, counted, header);
  if (brought.kind === "rebuild") {
    // A later entry may count, so the number to build it anew at is not known.
    if (floorOf !== null) throw new CountAgain(`${name} waits for PostgreSQL`);
    return {
      address,
      number: counted.number,
      hash: "",
      durable: counted.number,
      rulesVersion: 0,
      ahead: [],
      rebuild: true,
    };
  }
  const ahead = brought.kind === "ahead" ? brought.texts.map(toEntry) : [];
  const number = ahead.at(-1)?.number ?? counted.number;
  const hash = "hash" in brought ? brought.hash : "";
  const from = brought.kind === "fresh" ? null : { epoch: header?.epoch ?? -1, number, hash };
  if (!(await calls.open(address, from, epoch))) throw new OpeningDisturbed(`${name} changed while it was opened`);
  const read = brought.kind === "ahead" ? brought.texts : counted.tail.map(({ text }) => text);
  const rulesVersion = rulesVersionAfter(header, read);
  return { address, number, hash, durable: counted.number, rulesVersion, ahead, rebuild: false };
}

type Brought =
  | { kind: "fresh" | "rebuild" }
  | { kind: "level"; hash: string }
  | { kind: "ahead"; hash: string; texts: string[] };

/** Redoes what a shard is behind, and tells what it is then and what else has to be done. */
async function bring(calls: ShardCalls, counted: CountedShard, header: ShardHeader | null): Promise<Brought> {
  if (header === null) return { kind: counted.number === 0 ? "fresh" : "rebuild" };
  const hashAtCount = counted.tail.length > 0 ? sha1(counted.tail.at(-1)?.text ?? "") : counted.hash;
  if (header.number === counted.number) {
    const isSame = hashAtCount === null || header.hash === hashAtCount;
    return isSame ? { kind: "level", hash: header.hash } : { kind: "rebuild" };
  }
  if (header.number < counted.number) {
    const missing = counted.tail.filter(({ number }) => number > header.number);
    if (missing[0]?.number !== header.number + 1) return { kind: "rebuild" };
    for (const { text, offset } of missing) {
      if (!(await calls.redo(counted.address, header.epoch, text, offset))) return { kind: "rebuild" };
    }
    return { kind: "level", hash: sha1(missing.at(-1)?.text ?? "") };
  }
  const texts = (await calls.readOutbox(counted.address)).filter((text) => toEntry(text).number > counted.number);
  const links = texts.length === header.number - counted.number && chains(texts, hashAtCount, counted.number);
  if (!links) return { kind: "rebuild" };
  return { kind: "ahead", hash: sha1(texts.at(-1) ?? ""), texts };
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

function rulesVersionAfter(header: ShardHeader | null, texts: string[]): number {
  let version = header?.rules?.version ?? 0;
  for (const text of texts) {
    if (!text.includes('"kind":"rules"')) continue;
    version = (JSON.parse(text) as { rules: { version: number } }).rules.version;
  }
  return version;
}

function toEntry(text: string): { number: number; kind: EntryKind; text: string } {
  const { number, kind } = JSON.parse(text) as { number: number; kind: EntryKind };
  return { number, kind, text };
}

function sha1(text: string): string {
  return createHash("sha1").update(text).digest("hex");
}
