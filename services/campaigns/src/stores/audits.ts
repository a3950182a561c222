import type { ManagementTransaction, Prisma } from "@coupon/database/prisma";

export type ResourceKind = "template" | "campaign" | "batch" | "coupon";

/** One change: who did what to which resource, and the resource before and after. */
export interface AuditRecord {
  at: Date;
  actor: string;
  action: string;
  resourceKind: ResourceKind;
  resourceId: string;
  /** Version that the change made; null where the resource has none. */
  version: number | null;
  request: object | null;
  before: object | null;
  after: object | null;
}

export async function insertAudit(tx: ManagementTransaction, record: AuditRecord): Promise<void> {
  const { request, before, after, ...rest } = record;
  await tx.audit.create({ data: { ...rest, ...json({ request, before, after }) } });
}

/** The change that made a version of a resource; null where there is none. */
export async function findChange(
  tx: ManagementTransaction,
  resourceKind: ResourceKind,
  resourceId: string,
  version: number,
): Promise<{ actor: string; action: string; request: unknown } | null> {
  return await tx.audit.findFirst({
    where: { resourceKind, resourceId, version },
    select: { actor: true, action: true, request: true },
  });
}

/** Absent keys stay SQL null. What is kept is plain JSON: dates become text. */
function json(values: Record<string, object | null>): Record<string, Prisma.InputJsonObject> {
  const entries = Object.entries(values).filter(([, value]) => value !== null);
  return JSON.parse(JSON.stringify(Object.fromEntries(entries))) as Record<string, Prisma.InputJsonObject>;
}
