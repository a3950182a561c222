import { createWriteStream, type WriteStream } from "node:fs";
import { finished } from "node:stream/promises";
import type { Result } from "@coupon/client";
import { Latencies } from "../generator/latencies.ts";
import type { LoggedRequest } from "../load/logged-request.ts";

/** Writes what was asked and told to a file, a line each, for the verdict; and counts refusals by code. */
export class Journal {
  readonly refusals = new Map<string, number>();
  readonly #file: WriteStream;
  /** Of the claims since whoever reads them put new ones here. */
  latencies = new Latencies();
  calls = 0;
  /** Coupons given to callers, repeats not counted again. */
  coupons = 0;

  constructor(file: string) {
    this.#file = createWriteStream(file, { flags: "w" });
  }

  /** Counts an answer of any call. Returns its value; undefined where there is none. */
  note<Value>(result: Result<Value>): Value | undefined {
    this.calls += 1;
    if (result.ok) return result.value;
    this.refused(result.refusal?.code ?? (result.outcome === "unknown" ? result.reason : ""));
    return undefined;
  }

  refused(code: string): void {
    this.refusals.set(code, (this.refusals.get(code) ?? 0) + 1);
  }

  /** Writes a claim or a redemption down. */
  log(asked: Pick<LoggedRequest, "operation" | "key" | "userId" | "couponId">, result: Result<unknown>): void {
    const outcome = result.ok ? "success" : result.outcome === "none" ? "refused" : "unknown";
    this.write({
      ...asked,
      requestId: result.requestId ?? "",
      status: result.ok ? 200 : (result.refusal?.status ?? 0),
      code: result.ok ? "" : (result.refusal?.code ?? ""),
      outcome,
    });
    if (asked.operation === "claim" && result.ok && !result.replayed) this.coupons += 1;
  }

  write(line: LoggedRequest): void {
    this.#file.write(`${JSON.stringify(line)}\n`);
  }

  async close(): Promise<void> {
    this.#file.end();
    await finished(this.#file);
  }
}
