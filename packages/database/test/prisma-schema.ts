import { readFileSync } from "node:fs";
import { resolve } from "node:path";

/** A column as Prisma believes it to be. */
export interface PrismaColumn {
  name: string;
  /** As `information_schema` would say it: udt name, with the precision in brackets where it has one. */
  type: string;
  nullable: boolean;
  generated: boolean;
}

export interface PrismaTable {
  schema: string;
  table: string;
  columns: PrismaColumn[];
  primaryKey: string[];
  unique: string[][];
}

const scalars: Record<string, string> = {
  String: "text",
  Int: "int4",
  BigInt: "int8",
  Boolean: "bool",
  Json: "jsonb",
  Float: "float8",
  DateTime: "timestamp(3)",
};

/** The tables of prisma/schema.prisma, read from its text: the generated client says nothing of nulls and types. */
export function readPrismaTables(): PrismaTable[] {
  const text = readFileSync(resolve(import.meta.dirname, "../prisma/schema.prisma"), "utf8");
  return [...text.matchAll(/^model (\w+) \{\n([\s\S]*?)^\}/gm)].map(([, name, body]) =>
    readModel(name ?? "", body ?? ""),
  );
}

function readModel(name: string, body: string): PrismaTable {
  const lines = body.split("\n").map((line) => line.replace(/\/\/.*$/, "").trim());
  const fields = lines.flatMap((line) => readField(line) ?? []);
  const named = new Map(fields.map((field) => [field.field, field.column.name]));
  const block = (attribute: string) =>
    lines
      .map((line) => new RegExp(`^@@${attribute}\\(\\[([^\\]]*)\\]`).exec(line)?.[1])
      .filter((list) => list !== undefined)
      .map((list) => list.split(",").map((field) => named.get(field.trim()) ?? field.trim()));
  const inline = (attribute: string) =>
    fields.filter((field) => field.attributes.includes(attribute)).map((field) => [field.column.name]);
  return {
    schema: /@@schema\("([^"]+)"\)/.exec(body)?.[1] ?? "public",
    table: /@@map\("([^"]+)"\)/.exec(body)?.[1] ?? name,
    columns: fields.map((field) => field.column),
    primaryKey: [...inline("@id"), ...block("id")][0] ?? [],
    unique: [...inline("@unique"), ...block("unique")],
  };
}

function readField(line: string): { field: string; attributes: string[]; column: PrismaColumn } | null {
  const [, field, type, list, optional, rest] = /^(\w+)\s+(\w+)(\[\])?(\?)?(.*)$/.exec(line) ?? [];
  if (field === undefined || type === undefined || rest === undefined) return null;
  const scalar = scalars[type];
  // A type that is no scalar is another model: a relation, which has no column of its own.
  if (scalar === undefined) return null;
  const native = /@db\.(\w+)(\(\d+\))?/.exec(rest);
  const base = native === null ? scalar : `${native[1]?.toLowerCase()}${native[2] ?? ""}`;
  const column = {
    name: /@map\("([^"]+)"\)/.exec(rest)?.[1] ?? field,
    type: list === undefined ? base : `_${base}`,
    nullable: optional !== undefined,
    generated: rest.includes("@default(autoincrement())"),
  };
  return { field, attributes: rest.match(/@\w+/g) ?? [], column };
}
