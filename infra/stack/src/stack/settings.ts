import { StackFailure } from "../stack-failure.ts";

const DEFAULT_PORT_BASE = 8_080;
const PORT_BASE_MAX = 65_000;

function numberFrom(name: string, fallback: number, most: number): number {
  const text = process.env[name];
  if (text === undefined || text === "") return fallback;
  const value = Number(text);
  if (Number.isInteger(value) && value >= 1 && value <= most) return value;
  throw new StackFailure("setting_invalid", `${name} is "${text}": set it to a whole number from 1 to ${most}.`);
}

/** The first port of the stack's range: `PORT_BASE`, else 8080. Throws a StackFailure `setting_invalid`. */
export function portBaseSetting(): number {
  return numberFrom("PORT_BASE", DEFAULT_PORT_BASE, PORT_BASE_MAX);
}

/** How many issuing processes to run: `ISSUING_PROCESSES`, else 1. Throws a StackFailure `setting_invalid`. */
export function issuingProcessesSetting(most: number): number {
  return numberFrom("ISSUING_PROCESSES", 1, most);
}
