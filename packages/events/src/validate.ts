import type { BatchDefinition, CallerDefinition, Entry, Marker } from "@coupon/domain";
import type { TSchema } from "typebox";
import { Compile } from "typebox/compile";
import type { RulesApplied } from "./messages.ts";
import { batchSchema, callerSchema, rulesAppliedSchema } from "./schemas/definitions.ts";
import { entrySchemas, markerSchema } from "./schemas/entry.ts";

/** A message that does not have the form that its schema says. Names the place, never the value there. */
export class MessageInvalid extends Error {
  override readonly name = "MessageInvalid";
}

/** Each reads JSON text and returns the value, or throws MessageInvalid. Compiled once, at first use. */
export const readBatchDefinition = checked<BatchDefinition>("a batch definition", batchSchema);
/** Its secrets stay sealed. */
export const readSealedCaller = checked<CallerDefinition>("a caller definition", callerSchema);
export const readRulesApplied = checked<RulesApplied>("a rules-applied message", rulesAppliedSchema);
export const readMarker = checked<Marker>("a marker", markerSchema);

const entryReaders = new Map<string, (text: string) => Entry>(
  Object.entries(entrySchemas).map(([kind, schema]) => [kind, checked<Entry>(`a ${kind} entry`, schema)]),
);

/** Reads and checks an entry's text: for tests and for readers at leisure; the way of a claim does without. */
export function readEntry(text: string): Entry {
  const kind = (parse(text, "an entry") as { kind?: unknown } | null)?.kind;
  const read = typeof kind === "string" ? entryReaders.get(kind) : undefined;
  if (read === undefined) throw new MessageInvalid("an entry has a kind that is not known");
  return read(text);
}

function checked<T>(what: string, schema: TSchema): (text: string) => T {
  let validator: ReturnType<typeof Compile> | undefined;
  return (text) => {
    validator ??= Compile(schema);
    const value = parse(text, what);
    if (validator.Check(value)) return value as T;
    const [first] = validator.Errors(value);
    throw new MessageInvalid(`${what} is not as its schema says: ${first?.instancePath || "/"} ${first?.message}`);
  };
}

function parse(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new MessageInvalid(`${what} is not JSON`);
  }
}
