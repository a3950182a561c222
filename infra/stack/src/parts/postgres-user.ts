import { execa } from "execa";
import type { PostgresBinaries } from "../install/postgres-binaries.ts";
import { StackFailure } from "../stack-failure.ts";

const NAME = "postgres";

/**
 * Leaves the program the one capability to look into any folder. access(2), by which PostgreSQL looks for its own
 * programs, heeds capabilities of a user that isn't root only under no_setuid_fixup; at exec all others are gone.
 */
const OVERRIDE = ["--securebits=+no_setuid_fixup", "--inh-caps=+dac_override", "--ambient-caps=+dac_override"];

/** Whom the server runs as; PostgreSQL refuses to run as root. */
export interface ServerUser {
  /** Undefined: as whoever runs the stack. */
  readonly uid?: number;
  readonly gid?: number;
  /** The checkout lies where that user can't look (a 0700 folder of root's): it runs with CAP_DAC_OVERRIDE. */
  readonly override: boolean;
}

async function idOf(flag: "-u" | "-g"): Promise<number | undefined> {
  const result = await execa("id", [flag, NAME], { reject: false });
  return result.exitCode === 0 ? Number(result.stdout) : undefined;
}

async function makeUser(): Promise<void> {
  const words = ["--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin", NAME];
  const result = await execa("useradd", words, { reject: false, all: true });
  if (result.exitCode === 0) return;
  throw new StackFailure(
    "part_failed",
    "PostgreSQL doesn't run as root and the user `postgres` can't be made: make it with `useradd postgres` or run as another user.",
    String(result.all),
  );
}

/** The command and arguments that run `program` as that user. */
export function startsAs(user: ServerUser, program: string, args: readonly string[]): [string, readonly string[]] {
  if (user.uid === undefined) return [program, args];
  const capabilities = user.override ? OVERRIDE : [];
  const identity = [`--reuid=${user.uid}`, `--regid=${user.gid}`, "--clear-groups"];
  return ["setpriv", [...identity, ...capabilities, "--", program, ...args]];
}

async function mayReach(user: ServerUser, binaries: PostgresBinaries, directory: string): Promise<boolean> {
  const [command, args] = startsAs(user, "test", ["-x", binaries.postgres, "-a", "-x", directory]);
  return (await execa(command, args, { reject: false, cwd: "/" })).exitCode === 0;
}

/** Decides whom to run the server as, and makes the user `postgres` when root runs the stack and it is missing. */
export async function serverUser(binaries: PostgresBinaries, directory: string): Promise<ServerUser> {
  if (process.getuid?.() !== 0) return { override: false };
  if ((await idOf("-u")) === undefined) await makeUser();
  const uid = await idOf("-u");
  const gid = await idOf("-g");
  if (uid === undefined || gid === undefined) {
    throw new StackFailure(
      "part_failed",
      "The user `postgres` can't be found: make it with `useradd postgres` and start again.",
    );
  }
  for (const override of [false, true]) {
    if (await mayReach({ uid, gid, override }, binaries, directory)) return { uid, gid, override };
  }
  throw new StackFailure(
    "part_failed",
    `PostgreSQL runs as the user \`postgres\`, who may not look into ${directory} or at ${binaries.postgres}: move the checkout to where everybody may, or set DATABASE_URL to a running server.`,
  );
}
