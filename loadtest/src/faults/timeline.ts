import type { Operation } from "@coupon/history";
import type { Fault } from "./fault.ts";
import type { Result } from "./run-schedule.ts";

/** A moment of a run; `operation` is the id of the request that was sent or answered, null of a fault or of rules. */
export interface Moment {
  line: string;
  operation: number | null;
}

/** Faults, rules, requests and answers in order of time, in milliseconds since the workload began. */
export function timeline({ history, faults, beganAtMs }: Result): Moment[] {
  const events: [ms: number, text: string, operation: number | null][] = [];
  const at = (ms: number, text: string, operation: number | null = null): void => {
    events.push([ms, text, operation]);
  };
  for (const { fault, fromMs, toMs, note } of faults) {
    at(fromMs, `FAULT begins: ${tellFault(fault)}`);
    at(toMs, `FAULT over: ${fault.kind}${note === "" ? "" : ` (${note})`}`);
  }
  for (const { versions } of history.batches) {
    for (const { definition, publishedAtMs } of versions) {
      const { batchId, version, state, stock } = definition;
      at(publishedAtMs, `RULES ${batchId} version ${version}: ${state}, ${JSON.stringify(stock)}`);
    }
  }
  for (const operation of history.operations) {
    at(
      operation.calledAtMs,
      `#${operation.id} ${operation.client} ${operation.op} ${JSON.stringify(operation.request)}`,
      operation.id,
    );
    if (operation.returnedAtMs !== null)
      at(operation.returnedAtMs, `#${operation.id} -> ${tellAnswer(operation)}`, operation.id);
  }
  return events
    .sort(([one], [other]) => one - other)
    .map(([ms, text, operation]) => ({ line: `${(ms - beganAtMs).toFixed(1).padStart(9)} ${text}`, operation }));
}

function tellFault({ atMs, ...fault }: Fault): string {
  return `${JSON.stringify(fault)}, drawn for ${atMs} ms`;
}

function tellAnswer({ answer }: Operation): string {
  if (answer === null) return "no answer";
  const { status, body, positions, replayed } = answer;
  const where = positions.map(({ partition, offset }) => `${partition}:${offset}`).join(",");
  return `${status}${replayed === true ? " replayed" : ""} ${JSON.stringify(body)} ${where}`;
}
