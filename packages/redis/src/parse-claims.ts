import type { ClaimOutcome } from "./shard-calls.ts";

const SIMPLE: Record<string, ClaimOutcome> = {
  n: { kind: "not_permitted" },
  s: { kind: "batch_not_started" },
  p: { kind: "batch_paused" },
  e: { kind: "batch_ended" },
  k: { kind: "batch_deactivated" },
};

const LIMITS = {
  u: "user_limit_reached",
  v: "user_daily_limit_reached",
  y: "daily_stock_exhausted",
  x: "stock_exhausted",
} as const;

/** Reads the outcomes of claim.lua (its header has the letters). */
export function parseClaimOutcomes(text: string): ClaimOutcome[] {
  let at = text.indexOf(";");
  let serial = Number(text.slice(0, at));
  at += 1;
  const outcomes: ClaimOutcome[] = [];
  while (at < text.length) {
    const letter = text.charAt(at);
    at += 1;
    if (letter === "i") {
      outcomes.push({ kind: "issued", serial });
      serial += 1;
      continue;
    }
    const simple = SIMPLE[letter];
    if (simple !== undefined) {
      outcomes.push(simple);
      continue;
    }
    const dot = text.indexOf(".", at);
    const end = text.indexOf(";", dot);
    outcomes.push(counted(letter, Number(text.slice(at, dot)), Number(text.slice(dot + 1, end))));
    at = end + 1;
  }
  return outcomes;
}

function counted(letter: string, first: number, second: number): ClaimOutcome {
  if (letter === "r") return { kind: "replayed", serial: first, issuedAtSeconds: second };
  const kind = LIMITS[letter as keyof typeof LIMITS];
  if (kind === undefined) throw new Error(`claim.lua answered ${JSON.stringify(letter)}`);
  return { kind, used: first, max: second };
}
