import type { Measure, MeasureId } from "./measures.ts";

/** What is measured together. */
export interface MeasureTask {
  ids: readonly MeasureId[];
  measure(): Promise<readonly Measure[]>;
}

/** Names what could not be measured; why is its `cause`. */
export class MeasureFailed extends Error {
  override name = "MeasureFailed";

  constructor(ids: readonly MeasureId[], cause: unknown) {
    super(`${ids.join(", ")} could not be measured`, { cause });
  }
}

/**
 * Measures one after the other and hands each on as soon as it is there. The first that fails ends it, for what comes
 * after would be measured on a stack in an unknown state.
 *
 * @throws MeasureFailed
 */
export async function measureInTurn(tasks: readonly MeasureTask[], keep: (measure: Measure) => void): Promise<void> {
  for (const { ids, measure } of tasks) {
    try {
      for (const each of await measure()) keep(each);
    } catch (error) {
      throw new MeasureFailed(ids, error);
    }
  }
}
