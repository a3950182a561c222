import { randomBytes } from "node:crypto";
import {
  chownSync,
  existsSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { execa } from "execa";
import { type PostgresBinaries, postgresBinaries } from "../install/postgres-binaries.ts";
import { assertPortFree, freePorts } from "../net/ports.ts";
import { probePostgres } from "../probes/postgres.ts";
import { Child } from "../process/child.ts";
import { identify, processesIn } from "../process/proc.ts";
import { stopOrphansIn } from "../process/stop-orphans.ts";
import { StackFailure } from "../stack-failure.ts";
import { type PartOptions, type Running, running, untilReady } from "./part.ts";
import { type ServerUser, serverUser, startsAs } from "./postgres-user.ts";

/** Settings of a local PostgreSQL beyond where it lives. */
export interface PostgresOptions extends PartOptions {
  /** More server settings, e.g. `{shared_buffers: "256MB"}`. */
  readonly settings?: Readonly<Record<string, string>>;
}

/** The database and its owner, made with the data directory. */
const DATABASE = "coupon";
/** Fast shutdown: sessions are ended, nothing is lost. */
const STOP_SIGNAL = "SIGINT";

/** Fast and forgetful, for tests: what a crash of the machine would lose is of no use to them. */
const EPHEMERAL_SETTINGS = { fsync: "off", full_page_writes: "off", synchronous_commit: "off" };

interface Home {
  readonly directory: string;
  readonly data: string;
  readonly password: string;
  readonly user: ServerUser;
  readonly binaries: PostgresBinaries;
}

function readPassword(path: string): string {
  if (!existsSync(path)) writeFileSync(path, randomBytes(18).toString("base64url"), { mode: 0o600 });
  return readFileSync(path, "utf8");
}

function ownedByServer(path: string, user: ServerUser): void {
  if (user.uid !== undefined && user.gid !== undefined) chownSync(path, user.uid, user.gid);
}

async function run(home: Home, program: string, args: readonly string[], input = ""): Promise<void> {
  const [command, words] = startsAs(home.user, program, args);
  const result = await execa(command, words, { reject: false, all: true, input, cwd: "/" });
  if (result.exitCode === 0) return;
  throw new StackFailure(
    "part_failed",
    `PostgreSQL's data in ${home.directory} can't be made: see the detail.`,
    String(result.all),
  );
}

/** Makes the data directory with its database, whole or not at all. */
async function initialise(home: Home): Promise<void> {
  if (existsSync(home.data)) return;
  const incoming = join(home.directory, "data.new");
  rmSync(incoming, { recursive: true, force: true });
  mkdirSync(incoming, { mode: 0o700 });
  const passwordFile = join(home.directory, "password");
  for (const path of [incoming, passwordFile]) ownedByServer(path, home.user);
  await run(home, home.binaries.initdb, [
    `--pgdata=${incoming}`,
    `--username=${DATABASE}`,
    "--auth=scram-sha-256",
    `--pwfile=${passwordFile}`,
    "--encoding=UTF8",
    "--locale=C",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    "--no-instructions",
  ]);
  const single = ["--single", "-D", incoming, "postgres"];
  await run(home, home.binaries.postgres, single, `create database ${DATABASE}\n`);
  renameSync(incoming, home.data);
}

/**
 * After a kill -9 `postmaster.pid` stays behind. PostgreSQL clears it by itself, unless its pid has been
 * given to some other process since (usual after a container's restart): only then it is removed here, and
 * only when no process works in the data directory any more.
 */
function removeStalePidFile(data: string): void {
  const path = join(data, "postmaster.pid");
  if (!existsSync(path)) return;
  const pid = Number(readFileSync(path, "utf8").split("\n")[0]);
  if (identify(pid) !== undefined && processesIn(data).length === 0) rmSync(path);
}

function serverArguments(options: PostgresOptions, data: string, port: number): string[] {
  const settings: Record<string, string> = {
    listen_addresses: "127.0.0.1",
    // No socket file in /tmp that a kill would leave behind.
    unix_socket_directories: "",
    max_connections: "200",
    timezone: "UTC",
    log_timezone: "UTC",
    ...(options.ephemeral === true ? EPHEMERAL_SETTINGS : {}),
    ...options.settings,
  };
  const flags = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  return ["-D", data, "-p", String(port), ...flags];
}

/**
 * Starts PostgreSQL on loopback, with a database and an owner named `coupon`, and resolves once it takes
 * sessions. Data in `directory` is kept, also over a kill -9. As root the server runs as the user `postgres`,
 * which is made when missing. Throws StackFailures `part_missing`, `port_in_use`, `part_failed`.
 */
export async function startPostgres(options: PostgresOptions): Promise<Running> {
  mkdirSync(options.directory, { recursive: true });
  const directory = realpathSync(options.directory);
  const binaries = postgresBinaries();
  const home: Home = {
    directory,
    data: join(directory, "data"),
    password: readPassword(join(directory, "password")),
    user: await serverUser(binaries, directory),
    binaries,
  };
  await stopOrphansIn(home.data, STOP_SIGNAL);
  const port = options.port ?? (await freePorts(1))[0] ?? 0;
  await assertPortFree(port, "PostgreSQL");
  await initialise(home);
  removeStalePidFile(home.data);
  const [command, args] = startsAs(home.user, binaries.postgres, serverArguments(options, home.data, port));
  const logFile = join(directory, "postgres.log");
  const child = await Child.start({
    name: "postgres",
    command,
    args,
    cwd: "/",
    logFile,
    stopSignal: STOP_SIGNAL,
    stopTimeoutMs: 30_000,
    dieWithParent: options.ephemeral === true,
  });
  options.onSpawn?.(child);
  const url = `postgres://${DATABASE}:${home.password}@127.0.0.1:${port}/${DATABASE}`;
  await untilReady(child, async () => (await probePostgres(new URL(url))) === "ready", {
    timeoutMs: options.readyTimeoutMs,
    advice: `read ${logFile}.`,
  });
  return running(child, port, url);
}
