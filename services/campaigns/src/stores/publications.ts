import type { ManagementTransaction, Prisma } from "@coupon/database/prisma";
import type { BatchDefinition } from "@coupon/domain";

/** A definition on its way to Kafka. */
export interface PublicationRecord {
  publicationId: bigint;
  definition: BatchDefinition;
}

/** Puts a definition into the outbox, to be published once the transaction has taken hold. */
export async function insertPublication(
  tx: ManagementTransaction,
  definition: BatchDefinition,
  at: Date,
): Promise<void> {
  const { batchId, version } = definition;
  const data = { batchId, version, definition: definition as unknown as Prisma.InputJsonObject, createdAt: at };
  await tx.publication.create({ data });
}

/** The oldest definitions of the outbox, in the order in which they were put there. */
export async function oldestPublications(tx: ManagementTransaction, limit: number): Promise<PublicationRecord[]> {
  const rows = await tx.publication.findMany({ orderBy: { publicationId: "asc" }, take: limit });
  return rows.map(({ publicationId, definition }) => ({
    publicationId,
    definition: definition as unknown as BatchDefinition,
  }));
}

export async function deletePublications(tx: ManagementTransaction, ids: bigint[]): Promise<void> {
  await tx.publication.deleteMany({ where: { publicationId: { in: ids } } });
}

export async function countPublications(tx: ManagementTransaction): Promise<number> {
  return await tx.publication.count();
}

/** Whether a definition of the batch still waits in the outbox. */
export async function isWaiting(tx: ManagementTransaction, batchId: string): Promise<boolean> {
  return (await tx.publication.findFirst({ where: { batchId }, select: { publicationId: true } })) !== null;
}

const LOCK = 5_201_712_345_200n;

/** Makes this transaction the only publisher until it ends; false where another one is. */
export async function becomePublisher(tx: ManagementTransaction): Promise<boolean> {
  const [row] = await tx.$queryRaw<{ locked: boolean }[]>`SELECT pg_try_advisory_xact_lock(${LOCK}) AS locked`;
  return row?.locked === true;
}
