import { writeFileSync } from "node:fs";
import { publishedSchemas } from "./schemas/published.ts";

/** Writes `schemas/*.json` anew from the schemas in the code. */
for (const [name, schema] of publishedSchemas()) {
  writeFileSync(new URL(`../schemas/${name}.json`, import.meta.url), `${JSON.stringify(schema, null, 2)}\n`);
}
