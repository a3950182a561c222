import type { Statement } from "./advance.ts";

/** One column of a bulk statement: its name, its type in `unnest`, and where its value comes from. */
export type Column<Row> = [name: string, type: string, value: (row: Row) => unknown];

/** A statement over rows; null where there are none. */
export type Bulk<Row> = (rows: readonly Row[]) => Statement | null;

/** A statement over rows that come as one array a column; `u` is the relation they make. */
export function from<Row>(columns: Column<Row>[], make: (u: string) => { name: string; text: string }): Bulk<Row> {
  const arrays = columns.map(([, type], index) => `$${index + 1}::${type}[]`).join(", ");
  const statement = make(`unnest(${arrays}) AS u (${columns.map(([name]) => name).join(", ")})`);
  return (rows) => {
    if (rows.length === 0) return null;
    return { ...statement, values: columns.map(([, , value]) => rows.map(value)) };
  };
}

export function into<Row>(table: string, columns: Column<Row>[], conflict = ""): Bulk<Row> {
  const names = columns.map(([name]) => name).join(", ");
  return from(columns, (u) => ({
    name: `ledger-${table}`,
    text: `INSERT INTO ledger.${table} (${names}) SELECT ${names} FROM ${u} ${conflict}`,
  }));
}
