import type { TSchema } from "typebox";
import { batchSchema, callerSchema, rulesAppliedSchema } from "./definitions.ts";
import { entrySchemas, markerSchema } from "./entry.ts";

/**
 * Every message's schema by the name of its file in `schemas/`, as it is published for readers in other
 * languages (JSON Schema draft 7). `src/generate-schemas.ts` writes the files; a test holds them equal.
 */
export function publishedSchemas(): Map<string, object> {
  const entries = Object.entries(entrySchemas).map(([kind, schema]) => [`entry.${kind}.v1`, schema] as const);
  const all: (readonly [string, TSchema])[] = [
    ...entries,
    ["marker.v1", markerSchema],
    ["batch.v1", batchSchema],
    ["caller.v1", callerSchema],
    ["rules-applied.v1", rulesAppliedSchema],
  ];
  return new Map(
    all.map(([name, schema]) => [
      name,
      { $schema: "http://json-schema.org/draft-07/schema#", $id: `urn:coupon:${name}`, ...schema },
    ]),
  );
}
