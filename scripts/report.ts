import { existsSync, readFileSync } from "node:fs";
import { relative } from "node:path";

/** Tests of one package, counted from vitest's JSON report. */
export interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

interface VitestReport {
  readonly success: boolean;
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly numTodoTests: number;
  readonly testResults: readonly FileReport[];
}

interface FileReport {
  readonly name: string;
  readonly status: string;
  readonly message: string;
  readonly assertionResults: readonly {
    readonly status: string;
    readonly fullName: string;
    readonly failureMessages: readonly string[];
  }[];
}

function readReport(path: string): VitestReport {
  return JSON.parse(readFileSync(path, "utf8")) as VitestReport;
}

/** Whether a file failed for another reason than one of its tests. */
function isBroken({ status, assertionResults }: FileReport): boolean {
  return status === "failed" && assertionResults.every((test) => test.status !== "failed");
}

/**
 * Counts a report. What failed without being a test counts as one failure each: a file that can't be loaded or
 * whose hooks fail (a leak, for one), a run that failed though all of its tests passed, a report that is missing,
 * and a run without any test.
 */
export function countReport(path: string): Counts {
  if (!existsSync(path)) return { passed: 0, failed: 1, skipped: 0 };
  const report = readReport(path);
  const brokenFiles = report.testResults.filter(isBroken).length;
  const passed = report.numPassedTests;
  const failed = report.numFailedTests + brokenFiles;
  const wrong = failed === 0 && (!report.success || passed === 0);
  return { passed, failed: wrong ? 1 : failed, skipped: report.numPendingTests + report.numTodoTests };
}

/** One line for each failed test or broken file of a report: where, which and the first line of why. */
export function failuresOf(path: string): string[] {
  if (!existsSync(path)) return [];
  return readReport(path).testResults.flatMap((file) => {
    const where = relative(process.cwd(), file.name);
    if (isBroken(file)) return [`${where}: ${firstLine(file.message)}`];
    return file.assertionResults
      .filter(({ status }) => status === "failed")
      .map(({ fullName, failureMessages }) => `${where}: ${fullName}: ${firstLine(failureMessages[0] ?? "")}`);
  });
}

function firstLine(text: string): string {
  return text.split("\n", 1)[0] ?? "";
}

/** Adds counts up. */
export function addCounts(counts: readonly Counts[]): Counts {
  return counts.reduce(
    (sum, next) => ({
      passed: sum.passed + next.passed,
      failed: sum.failed + next.failed,
      skipped: sum.skipped + next.skipped,
    }),
    { passed: 0, failed: 0, skipped: 0 },
  );
}

/** `N passed, N failed`, and `, N skipped` when there are any. */
export function sentenceOf({ passed, failed, skipped }: Counts): string {
  return `${passed} passed, ${failed} failed${skipped === 0 ? "" : `, ${skipped} skipped`}`;
}
