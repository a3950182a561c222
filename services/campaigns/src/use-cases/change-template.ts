import { isDeepStrictEqual } from "node:util";
import { checkTemplate, type Template } from "@coupon/domain";
import type { Resources } from "../resources.ts";
import type { TemplateBody, TemplatePatch } from "../schemas/template.ts";
import { findTemplate, replaceTemplate, type TemplateRecord } from "../stores/templates.ts";
import { done, type Outcome } from "../stores/transact.ts";
import { applyChange, type ChangeAsk, type Decision } from "./apply-change.ts";

/**
 * Replaces a template, or some of its fields. Batches that were submitted keep the one they froze. Refused:
 * `request_invalid`, `template_not_found`, `precondition_required`, `precondition_failed`.
 */
export async function changeTemplate(
  resources: Resources,
  ask: ChangeAsk,
  change: { kind: "replace"; body: TemplateBody } | { kind: "patch"; body: TemplatePatch },
): Promise<Outcome<TemplateRecord>> {
  const applied = await applyChange<TemplateRecord, TemplateRecord>(resources, ask, {
    resourceKind: "template",
    notFound: "template_not_found",
    find: (tx) => findTemplate(tx, ask.id),
    decide: (current) => {
      const definition = change.kind === "replace" ? change.body : patched(current.definition, change.body);
      return decide(current, definition, resources.now());
    },
    write: async (tx, current, next) => done((await replaceTemplate(tx, current.version, next)) ? next : null),
    view: ({ definition }) => definition,
  });
  return applied.kind === "refused" ? applied : done(applied.result.record);
}

function decide(current: TemplateRecord, definition: Template, updatedAt: Date): Decision<TemplateRecord> {
  if (isDeepStrictEqual(current.definition, definition)) return { kind: "unchanged" };
  const errors = checkTemplate(definition);
  if (errors.length > 0) return { kind: "refused", refusal: { code: "request_invalid", errors } };
  return { kind: "change", next: { ...current, definition, version: current.version + 1, updatedAt } };
}

/** The fields given replace those that are there; null takes an optional one away. */
function patched(before: Template, patch: TemplatePatch): Template {
  const { minimumSpend, scope, ...rest } = { ...before, ...patch };
  return {
    ...rest,
    ...(minimumSpend === null || minimumSpend === undefined ? {} : { minimumSpend }),
    ...(scope === null || scope === undefined ? {} : { scope }),
  };
}
