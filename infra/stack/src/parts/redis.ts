import { mkdirSync, realpathSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { findProgram } from "../install/find-program.ts";
import { assertPortFree, freePorts } from "../net/ports.ts";
import { probeRedis } from "../probes/redis.ts";
import { Child } from "../process/child.ts";
import { stopOrphansIn } from "../process/stop-orphans.ts";
import { StackFailure } from "../stack-failure.ts";
import { type PartOptions, type Running, running, untilReady } from "./part.ts";

/** Settings of a local Redis beyond where it lives. */
export interface RedisOptions extends PartOptions {
  /** Run as a node of a Redis Cluster; its bus listens on `clusterBusPort`. */
  readonly clusterBusPort?: number;
  /** More lines of `redis.conf`, e.g. `maxmemory 64mb`. */
  readonly settings?: readonly string[];
}

/**
 * `appendfsync everysec`: after a crash of the machine Redis may come back with up to a second less. That
 * costs nothing here, for the log and not Redis is the record: an owner whose expected number doesn't match
 * reopens the shard and redoes the entries. A kill of the process alone loses nothing, because the kernel
 * has the bytes. `always` would put an fsync before every script's reply and buy no promise.
 *
 * A rewrite of that file comes at 512 MiB, 3.4 s to read back (150 MB/s): at Redis' own 64 MiB a rewrite fell into
 * every other 5 s of redemptions at full speed, and took longer than Redis itself, 34 µs of processor time each.
 */
function configuration(options: RedisOptions, port: number, data: string): string {
  const durability = options.ephemeral === true ? ["appendonly no"] : ["appendonly yes", "appendfsync everysec"];
  const cluster =
    options.clusterBusPort === undefined
      ? []
      : [
          "cluster-enabled yes",
          "cluster-config-file nodes.conf",
          "cluster-node-timeout 2000",
          `cluster-port ${options.clusterBusPort}`,
        ];
  return [
    "bind 127.0.0.1",
    "protected-mode yes",
    `port ${port}`,
    `dir ${JSON.stringify(data)}`,
    "daemonize no",
    'save ""',
    ...durability,
    "aof-use-rdb-preamble yes",
    "auto-aof-rewrite-min-size 512mb",
    "maxmemory-policy noeviction",
    "hash-max-listpack-entries 512",
    "hash-max-listpack-value 1024",
    "enable-debug-command local",
    ...cluster,
    ...(options.settings ?? []),
    "",
  ].join("\n");
}

/** The Redis (or Valkey) server of this machine. Throws a StackFailure `part_missing`. */
export function redisServer(): string {
  const program = findProgram("redis-server", "valkey-server");
  if (program !== undefined) return program;
  throw new StackFailure(
    "part_missing",
    "Redis is missing: install it with `apt-get install redis-server` or set REDIS_URL to a running one.",
  );
}

/** How Redis 7 says that it can't read back what it wrote: not that it may not, nor that another version wrote it. */
const DAMAGE =
  /(?:Bad file format|Unexpected end of file|Unknown command '.*') reading the append only file|Internal error in RDB reading|Wrong signature trying to load DB|FATAL AOF MANIFEST FILE ERROR|Unable to obtain the AOF file .* No such file/;

/**
 * Starts Redis on loopback and resolves once it answers PING. Data in `directory` is kept and read back. Where Redis
 * won't start because its append-only file is damaged, that is set aside, and it starts empty with a notice: nothing
 * rests on what Redis has, and the owners rebuild it. With `ephemeral` the append-only file is off, unless `settings`
 * says otherwise. Throws StackFailures `part_missing`, `port_in_use`, `part_failed`.
 */
export async function startRedis(options: RedisOptions): Promise<Running> {
  const program = redisServer();
  const data = join(options.directory, "data");
  mkdirSync(data, { recursive: true });
  const workingDirectory = realpathSync(data);
  await stopOrphansIn(workingDirectory, "SIGTERM");
  const port = options.port ?? (await freePorts(1))[0] ?? 0;
  await assertPortFree(port, "Redis");
  writeFileSync(join(options.directory, "redis.conf"), configuration(options, port, workingDirectory));
  try {
    return await launch(options, program, workingDirectory, port);
  } catch (error) {
    if (!(error instanceof StackFailure && DAMAGE.test(error.detail))) throw error;
    const kept = setAside(options.directory);
    const notice = `its append-only file is damaged and is kept in ${kept}; it starts empty, and is rebuilt from the log and PostgreSQL.`;
    return { ...(await launch(options, program, workingDirectory, port)), notice };
  }
}

async function launch(options: RedisOptions, program: string, cwd: string, port: number): Promise<Running> {
  const logFile = join(options.directory, "redis.log");
  const child = await Child.start({
    ...{ name: "redis", command: program, args: [join(options.directory, "redis.conf")], cwd, logFile },
    dieWithParent: options.ephemeral === true,
  });
  options.onSpawn?.(child);
  const url = `redis://127.0.0.1:${port}`;
  await untilReady(child, async () => (await probeRedis(new URL(url))) === "ready", {
    timeoutMs: options.readyTimeoutMs,
    advice: `read ${logFile}; Redis 7 or later is needed.`,
  });
  return running(child, port, url);
}

/** Moves the append-only files out of Redis' way, for whoever wants to know what happened to them. */
function setAside(directory: string): string {
  const kept = join(directory, `damaged-${new Date().toISOString().replaceAll(":", "")}`);
  renameSync(join(directory, "data", "appendonlydir"), kept);
  return kept;
}
