/** A specification of `spec/`, and what has to hold in every state of it. */
export interface Specification {
  readonly module: "Recovery" | "Ledger" | "StockTransfer";
  readonly invariants: readonly string[];
  /** Names of things that can be exchanged for one another: TLC looks at one of each such states only. */
  readonly sets: Readonly<Record<string, readonly string[]>>;
}

export type Constants = Readonly<Record<string, number | boolean | readonly string[]>>;

/** One run of the checker: bounds, what may happen, and which guards are taken out. */
export interface Check {
  readonly name: string;
  readonly specification: Specification;
  readonly constants: Constants;
  readonly off: readonly string[];
  /** The invariant that has to break; null where all must hold in every state. */
  readonly breaks: string | null;
}

/** The text of TLC's configuration file. */
export function configurationOf({ specification, constants, off }: Check): string {
  const { sets, invariants } = specification;
  const members = Object.values(sets).flat();
  const lines = [
    ...Object.entries(sets).map(([name, values]) => `${name} = {${values.join(", ")}}`),
    ...members.map((member) => `${member} = ${member}`),
    ...Object.entries(constants).map(([name, value]) => `${name} = ${textOf(value)}`),
    `Off = ${textOf(off)}`,
  ];
  const symmetry = members.length > 0 ? "SYMMETRY Symmetry\n" : "";
  return `CONSTANTS\n${lines.map((line) => `  ${line}\n`).join("")}SPECIFICATION Spec\n${symmetry}INVARIANTS ${invariants.join(" ")}\n`;
}

function textOf(value: number | boolean | readonly string[]): string {
  if (typeof value === "boolean") return value ? "TRUE" : "FALSE";
  return typeof value === "number" ? String(value) : `{${value.map((one) => `"${one}"`).join(", ")}}`;
}
