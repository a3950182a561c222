import type { BatchDefinition, Entitlement, RefusalCode } from "@coupon/domain";

/** Who reads: a caller, and whether with a key of the sandbox; null where that was not said. */
export interface Reader {
  callerId: string;
  sandbox: boolean | null;
  /** What the front, which knows the caller's standing, says to every read of what there is; null where it may read. */
  refusal: RefusalCode | null;
}

/** The batches that campaigns publishes, held in process. A definition is never changed in place. */
export class Batches {
  readonly #byId = new Map<string, BatchDefinition>();
  readonly #byNumber = new Map<number, BatchDefinition>();
  readonly #byCaller = new Map<string, Map<number, BatchDefinition>>();

  put(definition: BatchDefinition): void {
    const before = this.#byId.get(definition.batchId);
    if (before !== undefined) this.remove(before.batchId);
    this.#byId.set(definition.batchId, definition);
    this.#byNumber.set(definition.batchNumber, definition);
    for (const { callerId } of definition.callers) {
      const batches = this.#byCaller.get(callerId) ?? new Map<number, BatchDefinition>();
      this.#byCaller.set(callerId, batches.set(definition.batchNumber, definition));
    }
  }

  remove(batchId: string): void {
    const definition = this.#byId.get(batchId);
    if (definition === undefined) return;
    this.#byId.delete(batchId);
    this.#byNumber.delete(definition.batchNumber);
    for (const { callerId } of definition.callers) this.#byCaller.get(callerId)?.delete(definition.batchNumber);
  }

  byId(batchId: string): BatchDefinition | undefined {
    return this.#byId.get(batchId);
  }

  byNumber(batchNumber: number): BatchDefinition | undefined {
    return this.#byNumber.get(batchNumber);
  }

  /** Batches whose coupons the reader may list. */
  *readableBy(reader: Reader): Generator<BatchDefinition> {
    for (const definition of this.#byCaller.get(reader.callerId)?.values() ?? []) {
      if (sees(definition, reader) && may(definition, reader, "read")) yield definition;
    }
  }
}

/**
 * Whether the reader knows of the batch at all: another caller's batch, and a live batch under a sandbox key
 * or the reverse, look as if they did not exist.
 */
export function sees(definition: BatchDefinition, { callerId, sandbox }: Reader): boolean {
  if (sandbox !== null && sandbox !== definition.sandbox) return false;
  return definition.callers.some((caller) => caller.callerId === callerId);
}

/** Why the reader may not read what there is of these batches; null where it may. */
export function readVerdict(reader: Reader, definitions: readonly BatchDefinition[]): RefusalCode | null {
  if (reader.refusal !== null) return reader.refusal;
  return definitions.every((definition) => may(definition, reader, "read")) ? null : "operation_not_permitted";
}

/** Whether the batch entitles the reader to this. */
function may(definition: BatchDefinition, { callerId }: Reader, operation: Entitlement): boolean {
  return definition.callers.some((caller) => caller.callerId === callerId && caller.may.includes(operation));
}
