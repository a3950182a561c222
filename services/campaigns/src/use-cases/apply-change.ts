import { isDeepStrictEqual } from "node:util";
import type { ManagementTransaction } from "@coupon/database/prisma";
import type { Refusal, RefusalCode } from "@coupon/domain";
import { matches, type Precondition } from "@coupon/service-kit";
import type { Resources } from "../resources.ts";
import { findChange, insertAudit, type ResourceKind } from "../stores/audits.ts";
import { done, type Outcome, refused, transact } from "../stores/transact.ts";

/** A change as it was asked for. */
export interface ChangeAsk {
  id: string;
  /** null where `If-Match` was missing. */
  ifMatch: Precondition | null;
  actor: string;
  action: string;
  /** Body of the request; null where it has none. */
  request: object | null;
}

/** What a change comes to: something to write, or nothing, because all is as was asked for. */
export type Decision<Next> =
  | { kind: "change"; next: Next }
  | { kind: "unchanged" }
  | { kind: "refused"; refusal: Refusal };

/** How one kind of resource is read, judged and written. Everything runs in one transaction. */
export interface ChangeSteps<Record extends { version: number }, Next> {
  resourceKind: ResourceKind;
  notFound: RefusalCode;
  find(tx: ManagementTransaction): Promise<Record | null>;
  /** A refusal that outranks what `If-Match` says. */
  forbid?(current: Record): Refusal | null;
  decide(current: Record, tx: ManagementTransaction): Decision<Next> | Promise<Decision<Next>>;
  /** Writes what was decided if the current record is still there, and returns the new one; null where it is not. */
  write(tx: ManagementTransaction, current: Record, next: Next): Promise<Outcome<Record | null>>;
  /** The record as the audit keeps it. */
  view(record: Record): object;
}

export interface Applied<Record> {
  record: Record;
  changed: boolean;
}

/** With `If-Match: *` a change that lost a race is decided again; each attempt has lost to another change. */
const ATTEMPTS_MAX = 5;

/**
 * Changes a resource if it still has the version asked for, with its audit in the same transaction. Who
 * comes second with the same version gets `precondition_failed`; who repeats his own change, since the
 * answer was lost, gets its success again.
 *
 * @throws what the database throws; whether the change took hold is then unknown
 */
export async function applyChange<Record extends { version: number }, Next>(
  resources: Pick<Resources, "prisma" | "now">,
  ask: ChangeAsk,
  steps: ChangeSteps<Record, Next>,
): Promise<Outcome<Applied<Record>>> {
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
    const outcome = await transact(resources.prisma, (tx) => applyOnce(resources, ask, steps, tx));
    if (outcome.kind === "refused" || outcome.result !== "lost") return outcome as Outcome<Applied<Record>>;
  }
  return refused({ code: "precondition_failed" });
}

async function applyOnce<Record extends { version: number }, Next>(
  { now }: Pick<Resources, "now">,
  ask: ChangeAsk,
  steps: ChangeSteps<Record, Next>,
  tx: ManagementTransaction,
): Promise<Outcome<Applied<Record> | "lost">> {
  const current = await steps.find(tx);
  if (current === null) return refused({ code: steps.notFound });
  const forbidden = steps.forbid?.(current) ?? null;
  if (forbidden !== null) return refused(forbidden);
  if (ask.ifMatch === null) return refused({ code: "precondition_required" });
  if (!matches(ask.ifMatch, current.version)) {
    const { version } = current;
    const repeated = matches(ask.ifMatch, version - 1) && (await isRepeated(tx, ask, steps.resourceKind, version));
    return repeated ? done({ record: current, changed: false }) : refused({ code: "precondition_failed" });
  }
  const decision = await steps.decide(current, tx);
  if (decision.kind === "refused") return decision;
  if (decision.kind === "unchanged") return done({ record: current, changed: false });
  const written = await steps.write(tx, current, decision.next);
  if (written.kind === "refused") return written;
  const next = written.result;
  if (next === null) return done("lost");
  await insertAudit(tx, {
    ...{ at: now(), actor: ask.actor, action: ask.action, request: ask.request },
    ...{ resourceKind: steps.resourceKind, resourceId: ask.id, version: next.version },
    ...{ before: steps.view(current), after: steps.view(next) },
  });
  return done({ record: next, changed: true });
}

/** Whether the newest version was made by this very change of the same person. */
async function isRepeated(
  tx: ManagementTransaction,
  ask: ChangeAsk,
  resourceKind: ResourceKind,
  version: number,
): Promise<boolean> {
  const change = await findChange(tx, resourceKind, ask.id, version);
  if (change === null || change.actor !== ask.actor || change.action !== ask.action) return false;
  return isDeepStrictEqual(change.request, ask.request);
}
