import { checkTemplate } from "@coupon/domain";
import { newId } from "../new-id.ts";
import type { Resources } from "../resources.ts";
import type { TemplateBody } from "../schemas/template.ts";
import { insertAudit } from "../stores/audits.ts";
import { insertTemplate, type TemplateRecord } from "../stores/templates.ts";
import { done, type Outcome, refused, transact } from "../stores/transact.ts";

/** Creates a template. Refused: `request_invalid`. */
export async function createTemplate(
  { prisma, now }: Resources,
  actor: string,
  body: TemplateBody,
): Promise<Outcome<TemplateRecord>> {
  const errors = checkTemplate(body);
  if (errors.length > 0) return refused({ code: "request_invalid", errors });
  const at = now();
  const record: TemplateRecord = {
    templateId: newId("tpl", at.getTime()),
    version: 1,
    definition: body,
    ...{ createdBy: actor, createdAt: at, updatedAt: at },
  };
  return await transact(prisma, async (tx) => {
    await insertTemplate(tx, record);
    await insertAudit(tx, {
      ...{ at, actor, action: "create", request: body, resourceKind: "template", resourceId: record.templateId },
      ...{ version: record.version, before: null, after: body },
    });
    return done(record);
  });
}
