import { decodeCouponId } from "@coupon/domain";
import type { LogEntry, Operation, Place } from "@coupon/history";
import type { Result } from "./run-schedule.ts";
import { timeline } from "./timeline.ts";

const MOMENTS_MAX = 80;
const ENTRIES_MAX = 20;
const LINE_MAX = 400;
const FINDINGS_MAX = 10;

/** What findings are about: operations, the user or order that these ask for, coupons, and entries. */
interface Subject {
  operations: Set<number>;
  askedFor: Set<string>;
  /** As `batch.shard.serial`. */
  coupons: Set<string>;
  /** As `batch.shard`. */
  shards: Set<string>;
  entries: Set<string>;
}

/**
 * The part of a failing run's history that its findings are about, for a terminal: its schedule, the requests and answers of the same
 * users, orders and coupons among the faults and the changes of rules, and the entries that the findings name.
 */
export function tellHistory(result: Result): string[] {
  const { clients, ...plan } = result.schedule;
  const subject = subjectOf(result);
  const related = new Set([...result.history.operations].filter((one) => isAbout(one, subject)).map(({ id }) => id));
  const moments = timeline(result).filter(({ operation }) => operation === null || related.has(operation));
  const entries = [...result.history.log].filter((entry) => isNamed(entry, subject));
  return [
    `schedule: ${JSON.stringify(plan)}, ${clients.length} clients`,
    "what happened (ms since the beginning):",
    ...shortened(
      moments.map(({ line }) => line),
      MOMENTS_MAX,
    ),
    "entries:",
    ...shortened(entries.map(tellEntry), ENTRIES_MAX),
  ].map((line, index) => (index === 0 ? line : cut(line)));
}

function subjectOf({ violations, history }: Result): Subject {
  const findings = violations.slice(0, FINDINGS_MAX);
  const named = (pattern: RegExp) => new Set(findings.flatMap(({ detail }) => detail.match(pattern) ?? []));
  const operations = new Set(findings.flatMap((one) => ("operations" in one ? one.operations : [])));
  const places = findings.flatMap((one) => ("entries" in one ? one.entries : []));
  const asked = [...history.operations].filter(({ id }) => operations.has(id));
  return {
    operations,
    askedFor: new Set(asked.flatMap(namesIn)),
    coupons: new Set([...named(/(?<=coupon )\d+\.\d+\.\d+/g), ...asked.flatMap(couponsIn)]),
    shards: named(/(?<=shard )\d+\.\d+/g),
    entries: new Set(places.map(nameOfEntry)),
  };
}

function isAbout(operation: Operation, { operations, askedFor, coupons }: Subject): boolean {
  if (operations.has(operation.id)) return true;
  return (
    namesIn(operation).some((name) => askedFor.has(name)) || couponsIn(operation).some((name) => coupons.has(name))
  );
}

/** The order, or the users of a batch, that a request is for. */
function namesIn({ op, request }: Operation): string[] {
  if (op === "claim") return [`${request.batchId} ${request.userId}`];
  if (op === "grant") return request.grants.map(({ userId }) => `${request.batchId} ${userId}`);
  return "orderId" in request ? [request.orderId] : [];
}

function couponsIn({ request, answer }: Operation): string[] {
  const asked = "couponIds" in request ? (request.couponIds ?? []) : "couponId" in request ? [request.couponId] : [];
  const told = answer?.body.couponId;
  return [...asked, ...(told === undefined ? [] : [told])].flatMap((couponId) => {
    const parts = decodeCouponId(couponId);
    return parts === null ? [] : [`${parts.batchNumber}.${parts.shard}.${parts.serial}`];
  });
}

/** Named by a finding, about one of its coupons, or of a shard that it is about as a whole. */
function isNamed(entry: LogEntry, { entries, coupons, shards }: Subject): boolean {
  const shard = `${entry.batch}.${entry.shard}`;
  if (entries.has(nameOfEntry(entry)) || shards.has(shard)) return true;
  const serials = [...coupons]
    .filter((name) => name.startsWith(`${shard}.`))
    .map((name) => name.slice(shard.length + 1));
  return serials.some((serial) => entry.text.includes(`"serial":${serial},`) || entry.text.includes(`[${serial},`));
}

function nameOfEntry({ batch, shard, number }: Pick<Place, "batch" | "shard" | "number">): string {
  return `${batch}.${shard}.${number}`;
}

function tellEntry({ partition, offset, epoch, text }: LogEntry): string {
  return `${partition}:${offset} epoch ${epoch ?? "none"} ${text}`;
}

/** The first half and the last one, where there are too many. */
function shortened(lines: readonly string[], max: number): string[] {
  if (lines.length <= max) return [...lines];
  const half = Math.floor(max / 2);
  return [...lines.slice(0, half), `(${lines.length - 2 * half} lines more)`, ...lines.slice(-half)];
}

function cut(line: string): string {
  return line.length <= LINE_MAX ? line : `${line.slice(0, LINE_MAX)}…`;
}
