import { type ManagementTransaction, Prisma } from "@coupon/database/prisma";
import type { BatchDefinition, BatchState, Stock, Template } from "@coupon/domain";
import type { Page, PageAsk } from "./page.ts";
import { pageArguments, toPage } from "./page.ts";

/** A batch as operators see it, with how far its newest version has got. */
export interface BatchRecord {
  batchId: string;
  batchNumber: number;
  /** Of the record: its ETag, and the version of the definition that is published. */
  version: number;
  campaignId: string;
  templateId: string;
  name: string;
  state: BatchState;
  revoked: boolean;
  revokedAt: Date | null;
  sandbox: boolean;
  stock: Stock;
  issueWindow: { from: string; until: string };
  callers: BatchDefinition["callers"];
  funding: BatchDefinition["funding"];
  timeZone: string;
  shards: number;
  couponKeyVersion: number;
  /** As it was when the batch was submitted; null while it is a draft. */
  frozen: { template: Template; version: number } | null;
  /** Newest version handed to the publisher; null where the batch was never published. */
  publishedVersion: number | null;
  /** Newest version that every shard is known to have in force. */
  confirmedVersion: number | null;
  /** A decrease of the stock that the shards have not settled yet: the total before it, and its version. */
  decrease: { from: number; version: number } | null;
  /** Everyone who created, changed or submitted it. */
  authors: string[];
  approvedBy: string | null;
  createdBy: string;
  createdAt: Date;
  updatedAt: Date;
}

export type NewBatch = Omit<BatchRecord, "batchNumber">;

export interface BatchFilter {
  campaignId?: string | undefined;
  state?: BatchState | undefined;
}

/** Writes a new batch, which gets the next batch number. */
export async function insertBatch(tx: ManagementTransaction, batch: NewBatch): Promise<BatchRecord> {
  const { batchId, campaignId, templateId, createdBy, createdAt } = batch;
  const data = { batchId, campaignId, templateId, createdBy, createdAt, ...changeableColumns(batch) };
  return fromRow(await tx.batch.create({ data }));
}

export async function findBatch(tx: ManagementTransaction, batchId: string): Promise<BatchRecord | null> {
  const row = await tx.batch.findUnique({ where: { batchId } });
  return row === null ? null : fromRow(row);
}

/** Reads a batch and keeps it from changing until the transaction ends. */
export async function lockBatch(tx: ManagementTransaction, batchId: string): Promise<BatchRecord | null> {
  await tx.$executeRaw`SELECT FROM management.batch WHERE batch_id = ${batchId} FOR UPDATE`;
  return await findBatch(tx, batchId);
}

export async function listBatches(
  tx: ManagementTransaction,
  ask: PageAsk,
  filter: BatchFilter,
): Promise<Page<BatchRecord>> {
  const where = {
    ...(filter.campaignId === undefined ? {} : { campaignId: filter.campaignId }),
    ...(filter.state === undefined ? {} : { state: filter.state }),
  };
  const rows = await tx.batch.findMany(pageArguments("batchId", ask, where));
  return toPage(rows.map(fromRow), ask, ({ batchId }) => batchId);
}

/**
 * Replaces version `from` by the record, in one conditional update; false where that is not the version any
 * more. What shards report (`confirmedVersion`) is left as it is, and so is an open decrease unless told:
 * both change without a new version.
 */
export async function replaceBatch(
  tx: ManagementTransaction,
  from: number,
  next: BatchRecord,
  decrease: BatchRecord["decrease"] | "as_is" = "as_is",
): Promise<boolean> {
  const { campaignId, templateId } = next;
  const { count } = await tx.batch.updateMany({
    where: { batchId: next.batchId, version: from },
    data: {
      ...{ campaignId, templateId, ...changeableColumns(next) },
      ...(decrease === "as_is" ? {} : decreaseColumns(decrease)),
    },
  });
  return count === 1;
}

/** Notes that every shard has a version in force; one that is known already, or older, changes nothing. */
export async function confirmVersion(tx: ManagementTransaction, batchId: string, version: number): Promise<void> {
  await tx.batch.updateMany({
    where: {
      batchId,
      version: { gte: version },
      OR: [{ confirmedVersion: null }, { confirmedVersion: { lt: version } }],
    },
    data: { confirmedVersion: version },
  });
}

export interface PublishedBatch {
  batchId: string;
  publishedVersion: number;
  confirmedVersion: number | null;
  decreaseVersion: number | null;
}

/** How far published batches have got, by their ids, from the one after `after` on. */
export async function publishedBatches(
  tx: ManagementTransaction,
  after: string,
  limit: number,
): Promise<PublishedBatch[]> {
  const rows = await tx.batch.findMany({
    where: { batchId: { gt: after }, publishedVersion: { not: null } },
    orderBy: { batchId: "asc" },
    take: limit,
    select: { batchId: true, publishedVersion: true, confirmedVersion: true, decreaseVersion: true },
  });
  return rows.map(({ publishedVersion, ...row }) => ({ ...row, publishedVersion: publishedVersion ?? 0 }));
}

/** Ends the wait for a decrease of the stock that the shards gave back whole; false where none of that version is open. */
export async function closeDecrease(tx: ManagementTransaction, batchId: string, version: number): Promise<boolean> {
  const { count } = await tx.batch.updateMany({
    where: { batchId, decreaseVersion: version },
    data: decreaseColumns(null),
  });
  return count === 1;
}

/** What is published of a batch, and held in process by issuing. */
export function definitionOf(batch: BatchRecord, template: Template): BatchDefinition {
  const { batchId, batchNumber, version, campaignId, name, sandbox, state, revoked, stock, issueWindow } = batch;
  const { callers, funding, timeZone, shards, couponKeyVersion, revokedAt } = batch;
  return {
    ...{ batchId, batchNumber, version, campaignId, name, sandbox, state, revoked, template, stock, issueWindow },
    ...{ callers, funding, timeZone, shards, couponKeyVersion },
    ...(revokedAt === null ? {} : { revokedAt: revokedAt.toISOString() }),
  };
}

function changeableColumns(batch: NewBatch) {
  const { stock, issueWindow, frozen } = batch;
  return {
    version: batch.version,
    name: batch.name,
    state: batch.state,
    revoked: batch.revoked,
    revokedAt: batch.revokedAt,
    sandbox: batch.sandbox,
    stockTotal: BigInt(stock.total),
    stockPerDay: stock.perDay === undefined ? null : BigInt(stock.perDay),
    perUser: stock.perUser,
    perUserPerDay: stock.perUserPerDay ?? null,
    windowFrom: new Date(issueWindow.from),
    windowUntil: new Date(issueWindow.until),
    callers: batch.callers as unknown as Prisma.InputJsonArray,
    funding: batch.funding as unknown as Prisma.InputJsonArray,
    timeZone: batch.timeZone,
    shards: batch.shards,
    couponKeyVersion: batch.couponKeyVersion,
    template: frozen === null ? Prisma.DbNull : (frozen.template as unknown as Prisma.InputJsonObject),
    templateVersion: frozen?.version ?? null,
    publishedVersion: batch.publishedVersion,
    authors: batch.authors,
    approvedBy: batch.approvedBy,
    updatedAt: batch.updatedAt,
  };
}

function decreaseColumns(decrease: BatchRecord["decrease"]) {
  return {
    decreaseFrom: decrease === null ? null : BigInt(decrease.from),
    decreaseVersion: decrease?.version ?? null,
  };
}

type BatchRow = Prisma.BatchGetPayload<object>;

function fromRow(row: BatchRow): BatchRecord {
  const { stockTotal, stockPerDay, perUser, perUserPerDay, windowFrom, windowUntil, ...rest } = row;
  const { template, templateVersion, decreaseFrom, decreaseVersion, ...plain } = rest;
  return {
    ...plain,
    // The columns below are written by this file alone, with values that were checked.
    state: row.state as BatchState,
    callers: row.callers as unknown as BatchRecord["callers"],
    funding: row.funding as unknown as BatchRecord["funding"],
    stock: {
      total: Number(stockTotal),
      ...(stockPerDay === null ? {} : { perDay: Number(stockPerDay) }),
      perUser,
      ...(perUserPerDay === null ? {} : { perUserPerDay }),
    },
    issueWindow: { from: windowFrom.toISOString(), until: windowUntil.toISOString() },
    frozen: templateVersion === null ? null : { template: template as unknown as Template, version: templateVersion },
    decrease:
      decreaseFrom === null || decreaseVersion === null
        ? null
        : { from: Number(decreaseFrom), version: decreaseVersion },
  };
}
