import { plantedBugs } from "./bugs.ts";

/** The planted bugs as `docs/history-checker.md` lists them. */
export function bugsTable(): string {
  const rows = plantedBugs.map(
    ({ id, what, file, and, phases, found }) =>
      `| ${id} | ${what} | ${quoted(and === undefined ? [file] : [file, and.file])} | ${phases.join(", ")} | ${quoted(found)} |`,
  );
  return ["| bug | what it does | file | reached by | found as |", "|---|---|---|---|---|", ...rows].join("\n");
}

function quoted(names: readonly string[]): string {
  return names.map((one) => `\`${one}\``).join(", ");
}
