import type { ManagementTransaction, Prisma } from "@coupon/database/prisma";
import type { Template } from "@coupon/domain";
import type { Page, PageAsk } from "./page.ts";
import { pageArguments, toPage } from "./page.ts";

/** A template with its history. */
export interface TemplateRecord {
  templateId: string;
  version: number;
  definition: Template;
  createdBy: string;
  createdAt: Date;
  updatedAt: Date;
}

export async function insertTemplate(tx: ManagementTransaction, record: TemplateRecord): Promise<void> {
  await tx.template.create({ data: { ...record, definition: record.definition as unknown as Prisma.InputJsonObject } });
}

export async function findTemplate(tx: ManagementTransaction, templateId: string): Promise<TemplateRecord | null> {
  const row = await tx.template.findUnique({ where: { templateId } });
  return row === null ? null : fromRow(row);
}

export async function listTemplates(tx: ManagementTransaction, ask: PageAsk): Promise<Page<TemplateRecord>> {
  const rows = await tx.template.findMany(pageArguments("templateId", ask, {}));
  return toPage(rows.map(fromRow), ask, ({ templateId }) => templateId);
}

/** Replaces version `from` by the record; false where that is not the version any more. */
export async function replaceTemplate(tx: ManagementTransaction, from: number, next: TemplateRecord): Promise<boolean> {
  const { count } = await tx.template.updateMany({
    where: { templateId: next.templateId, version: from },
    data: {
      version: next.version,
      definition: next.definition as unknown as Prisma.InputJsonObject,
      updatedAt: next.updatedAt,
    },
  });
  return count === 1;
}

function fromRow(row: Omit<TemplateRecord, "definition"> & { definition: Prisma.JsonValue }): TemplateRecord {
  // The column is written by this file alone, with templates that were checked.
  return { ...row, definition: row.definition as unknown as Template };
}
