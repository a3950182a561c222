import { StringDecoder } from "node:string_decoder";
import { copyOut } from "../../copy-out.ts";
import type { Connection } from "../../pool.ts";

export interface Streaming {
  connection: Connection;
  /** How long the server may be silent between two parts; undefined: as the pool limits a statement. */
  silenceMs?: number;
}

/** Rows as lines of COPY's text format: an order of magnitude less work for the driver than rows of values. */
export async function copyLines(
  { connection, silenceMs }: Streaming,
  query: string,
  onLine: (line: string) => void,
): Promise<void> {
  const decoder = new StringDecoder("utf8");
  let rest = "";
  for await (const part of copyOut(connection, `COPY (${query}) TO STDOUT`, silenceMs)) {
    const lines = (rest + decoder.write(part)).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) onLine(line);
  }
  if (rest !== "") onLine(rest);
}

const ESCAPES: Record<string, string> = { b: "\b", f: "\f", n: "\n", r: "\r", t: "\t", v: "\v" };

export function unescaped(text: string): string {
  return text.includes("\\") ? text.replace(/\\(.)/g, (_, letter: string) => ESCAPES[letter] ?? letter) : text;
}
