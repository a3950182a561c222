import { plantedBugs } from "./bugs.ts";

/** The planted bugs as `docs/history-checker.md` lists them. */
export function bugsTable(): string {
  const rows = plantedBugs.map(
    ({ id, what, file, phases, found }) =>
      `| ${id} | ${what} | \`${file}\` | ${phases.join(", ")} | ${found.map((one) => `\`${one}\``).join(", ")} |`,
  );
  return ["| bug | what it does | file | reached by | found as |", "|---|---|---|---|---|", ...rows].join("\n");
}
