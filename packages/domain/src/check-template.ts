import { Findings } from "./definition-checks.ts";
import type { FieldError } from "./field-error.ts";
import { isItemId } from "./ids.ts";
import type { Benefit, Scope, Template, Validity } from "./model.ts";
import { AMOUNT_MAX, BASIS_POINTS_WHOLE } from "./money.ts";

export const NAME_CHARACTERS_MAX = 200;
export const VALIDITY_DAYS_MAX = 3_650;
export const SCOPE_IDS_MAX = 1_000;

/**
 * What is wrong with a template whose shape and types have been checked; empty where nothing is.
 *
 * @param base JSON pointer of the template in the request, "" for the request itself
 */
export function checkTemplate(template: Template, base = ""): FieldError[] {
  const findings = new Findings(base);
  findings.text("/name", template.name, NAME_CHARACTERS_MAX);
  checkBenefit(findings, template.benefit);
  if (template.minimumSpend !== undefined) {
    findings.integer("/minimumSpend/amount", template.minimumSpend.amount, 1, AMOUNT_MAX);
    if (template.minimumSpend.currency !== template.benefit.currency) {
      findings.refuse("/minimumSpend/currency", "is not the benefit's currency");
    }
  }
  checkValidity(findings, template.validity);
  findings.timeZone("/timeZone", template.timeZone);
  if (template.scope !== undefined) checkScope(findings, template.scope);
  return findings.errors;
}

function checkBenefit(findings: Findings, benefit: Benefit): void {
  findings.currency("/benefit/currency", benefit.currency);
  if (benefit.kind === "amount_off") {
    findings.integer("/benefit/amount", benefit.amount, 1, AMOUNT_MAX);
    return;
  }
  findings.integer("/benefit/basisPointsOff", benefit.basisPointsOff, 1, BASIS_POINTS_WHOLE);
  findings.integer("/benefit/maxAmount", benefit.maxAmount, 1, AMOUNT_MAX);
}

function checkValidity(findings: Findings, validity: Validity): void {
  if ("from" in validity) {
    findings.window("/validity", validity);
    return;
  }
  findings.integer("/validity/days", validity.days, 1, VALIDITY_DAYS_MAX);
  if (validity.delayDays !== undefined) {
    findings.integer("/validity/delayDays", validity.delayDays, 0, VALIDITY_DAYS_MAX);
  }
}

function checkScope(findings: Findings, scope: Scope): void {
  for (const list of ["productIds", "categoryIds", "sellerIds"] as const) {
    const ids = scope[list];
    if (ids === undefined) continue;
    const pointer = `/scope/${list}`;
    if (ids.length < 1 || ids.length > SCOPE_IDS_MAX) {
      findings.refuse(pointer, `has 1 to ${SCOPE_IDS_MAX} ids`);
      continue;
    }
    for (const [index, id] of ids.entries()) {
      if (!isItemId(id)) findings.refuse(`${pointer}/${index}`, "is not 1 to 128 visible ASCII characters");
    }
    findings.unique(pointer, ids, "");
  }
}
