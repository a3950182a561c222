import { hash, randomUUID } from "node:crypto";
import type { RedisConnection } from "./connect.ts";
import { RedisUnavailable } from "./errors.ts";
import { Gathered } from "./gathered.ts";
import { createKeys } from "./keys.ts";
import { loadScript, runScript } from "./scripts.ts";

/**
 * Ties an order to the coupons that it was first asked with, across shards, for as long as it is kept: the same
 * order with other coupons is a conflict. `order` is callerId + "/" + orderId; a coupon is named as one likes, but by
 * everybody alike, and the order of the names is of no account.
 */
export interface OrderGuard {
  /**
   * `first` made the tie, `same` found it, `other` found one to other coupons; `unavailable`: Redis can't be asked.
   * `unsure`: Redis may have lost ties, and nothing was done; once the ledger has said which coupons the order holds or
   * has used, and it has been tied to those, it is asked again with `checked`.
   */
  claim(order: string, coupons: readonly string[], keptMs: number, checked?: boolean): Promise<Claim>;
  /**
   * Takes back the claim that resolved with `untilMs`: the order stays tied for as long as the other claims on it last.
   * Where Redis can't be asked the tie runs out.
   */
  giveBack(order: string, coupons: readonly string[], untilMs: number): Promise<void>;
  /** Unties the order from these coupons, whoever relies on it. Where Redis can't be asked the tie runs out by itself. */
  forget(order: string, coupons: readonly string[]): Promise<void>;
  /**
   * Ties orders again where Redis may have lost ties; asked until it resolves `complete`. `read` gives every order that
   * holds or has used a coupon, and is called only where something is to be restored. One call at a time.
   * @throws RedisUnavailable, and what `read` throws
   */
  restore(read: () => AsyncIterable<OrderTie[]>): Promise<Restored>;
}

export interface Claim {
  outcome: TieOutcome;
  /** Until when the order is tied by it, by Redis' clock; 0 where it made or found no tie to these coupons. */
  untilMs: number;
}

export type TieOutcome = "first" | "same" | "other" | "unsure" | "unavailable";

/** Whom an order is tied to. */
export interface OrderTie {
  order: string;
  coupons: readonly string[];
  keptMs: number;
}

/** `complete`: nothing is unsure now. `busy`: somebody else is at it, or Redis lost it again meanwhile. */
export interface Restored {
  kind: "complete" | "busy";
  orders: number;
}

interface Tie {
  hash: string;
  names: string;
  /** Time to live of a claim. */
  keptMs: number;
  checked: boolean;
}

interface Untie {
  hash: string;
  names: string;
  /** Null where the order is untied whoever relies on it. */
  untilMs: number | null;
}

const tieScript = loadScript("orders-tie");
const untieScript = loadScript("orders-untie");
const restoreScript = loadScript("orders-restore");

/** Orders in one script call: 512 take Redis about 1 ms. */
const ORDERS_MAX = 512;
/** Characters of a base64url hash: 132 bits, for ties are many and live long. The first is the order's tag. */
const HASH_CHARACTERS = 22;
const TAGS = [..."ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"];
/** So long a restoration that has come to an end without saying so keeps others away. */
const RESTORING_MS = 10_000;
const UNAVAILABLE: Claim = { outcome: "unavailable", untilMs: 0 };
const OUTCOMES: Record<string, TieOutcome> = { f: "first", s: "same", o: "other", u: "unsure" };

/**
 * The ties of one turn of the event loop go to Redis in one script call: a call for each was a fifth of a
 * redemption's processor time on both sides. On a Cluster, where their keys lie in different slots, each is sent
 * by itself.
 */
export function createOrderGuard({ redis, prefix }: { redis: RedisConnection; prefix: string }): OrderGuard {
  const keys = createKeys(prefix);
  const token = randomUUID();
  const size = redis.isCluster ? 1 : ORDERS_MAX;
  const ties = new Gathered<Tie, Claim>(size, async (gathered) => {
    const named = gathered.flatMap(({ hash: of }) => [keys.order(of), keys.orderMark(of.charAt(0))]);
    const args = gathered.flatMap(({ names, keptMs, checked }) => [names, keptMs, checked ? "1" : "0"]);
    const reply = await unlessAway(runScript(redis, tieScript, named, args) as Promise<string>);
    return reply === null ? gathered.map(() => UNAVAILABLE) : claimsOf(reply, gathered);
  });
  const unties = new Gathered<Untie, void>(size, async (gathered) => {
    const named = gathered.map(({ hash: of }) => keys.order(of));
    const args = gathered.flatMap(({ names, untilMs }) => [names, untilMs ?? ""]);
    await unlessAway(runScript(redis, untieScript, named, args));
    return gathered.map(() => undefined);
  });
  return {
    claim: (order, coupons, keptMs, checked = false) => ties.ask({ ...nameTie(order, coupons), keptMs, checked }),
    giveBack: (order, coupons, untilMs) => unties.ask({ ...nameTie(order, coupons), untilMs }),
    forget: (order, coupons) => unties.ask({ ...nameTie(order, coupons), untilMs: null }),
    restore: (read) => restore({ redis, keys, token }, read),
  };
}

interface Restoring {
  redis: RedisConnection;
  keys: ReturnType<typeof createKeys>;
  /** Of this guard: where one attempt fails, its next one goes on at once. */
  token: string;
}

async function restore({ redis, keys, token }: Restoring, read: () => AsyncIterable<OrderTie[]>): Promise<Restored> {
  const ask = async (what: string, tag: string, orders: OrderTie[] = []): Promise<string> => {
    const named = orders.map(({ order }) => keys.order(shortHash(order)));
    const args = orders.flatMap(({ coupons, keptMs }) => [namesOf(coupons), keptMs]);
    const all = [what, token, RESTORING_MS, ...args];
    return (await runScript(redis, restoreScript, [keys.orderMark(tag), ...named], all)) as string;
  };
  const replies = await Promise.all(TAGS.map(async (tag) => ({ tag, reply: await ask("begin", tag) })));
  const begun = new Set(replies.flatMap(({ tag, reply }) => (reply === "begun" ? [tag] : [])));
  const done: Restored = { kind: replies.some(({ reply }) => reply === "busy") ? "busy" : "complete", orders: 0 };
  if (begun.size === 0) return done;
  for await (const many of read()) {
    const byTag = Map.groupBy(many, ({ order }) => shortHash(order).charAt(0));
    // Of those without an order in this lot the mark is kept, too.
    for (const tag of begun) {
      const orders = byTag.get(tag) ?? [];
      if ((await ask("put", tag, orders)) !== "begun") begun.delete(tag);
      else done.orders += orders.length;
    }
  }
  for (const tag of begun) if ((await ask("finish", tag)) !== "begun") begun.delete(tag);
  return begun.size === replies.filter(({ reply }) => reply === "begun").length ? done : { ...done, kind: "busy" };
}

/** Reads a reply of the script that ties. */
function claimsOf(reply: string, ties: readonly Tie[]): Claim[] {
  const end = reply.indexOf(" ");
  const nowMs = Number(reply.slice(0, end));
  return ties.map(({ keptMs }, index) => {
    const outcome = OUTCOMES[reply.charAt(end + 1 + index)] ?? "other";
    return { outcome, untilMs: outcome === "first" || outcome === "same" ? nowMs + keptMs : 0 };
  });
}

function nameTie(order: string, coupons: readonly string[]): Pick<Tie, "hash" | "names"> {
  return { hash: shortHash(order), names: namesOf(coupons) };
}

function namesOf(coupons: readonly string[]): string {
  return shortHash([...coupons].sort().join("\n"));
}

function shortHash(text: string): string {
  return hash("sha256", text, "base64url").slice(0, HASH_CHARACTERS);
}

/** Null where Redis can't be asked. */
async function unlessAway<T>(asked: Promise<T>): Promise<T | null> {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof RedisUnavailable) return null;
    throw error;
  }
}
