import type { RedisConnection } from "./connect.ts";
import { createKeys } from "./keys.ts";
import { loadScript, runScript } from "./scripts.ts";

/** A live process and where the others reach it. */
export interface Member {
  processId: string;
  address: string;
}

/**
 * Who serves which partition, for liveness alone: no answer rests on a lease, nor on the clock it runs by (that of
 * Redis). One round trip a call; all throw RedisUnavailable.
 */
export interface Leases {
  /** Makes the process known, or known on, for `ttlMs`. */
  join(processId: string, address: string, ttlMs: number): Promise<void>;
  leave(processId: string): Promise<void>;
  /** The processes that have joined and not run out. */
  members(): Promise<Member[]>;
  /** Takes a partition that nobody has, or prolongs what the process has itself. False where another has it. */
  acquire(partition: number, processId: string, ttlMs: number): Promise<boolean>;
  /** Prolongs what the process still has, and says what that is. */
  renew(partitions: number[], processId: string, ttlMs: number): Promise<number[]>;
  /** Gives a partition up; does nothing where another has it. */
  release(partition: number, processId: string): Promise<void>;
  /** Owner of each of the partitions 0 to `partitions` - 1. */
  owners(partitions: number): Promise<(string | null)[]>;
}

const script = loadScript("lease");

export function createLeases({ redis, prefix }: { redis: RedisConnection; prefix: string }): Leases {
  const keys = createKeys(prefix);
  const run = (task: string, processId: string, ttlMs: number, ...args: (string | number)[]): Promise<unknown> =>
    runScript(redis, script, [keys.members(), keys.owners()], [task, processId, ttlMs, ...args]);
  return {
    join: async (processId, address, ttlMs) => {
      await run("join", processId, ttlMs, address);
    },
    leave: async (processId) => {
      await run("leave", processId, 0);
    },
    members: async () => {
      const flat = (await run("members", "", 0)) as string[];
      const members: Member[] = [];
      for (let i = 0; i + 1 < flat.length; i += 2) {
        members.push({ processId: flat[i] as string, address: flat[i + 1] as string });
      }
      return members;
    },
    acquire: async (partition, processId, ttlMs) => (await run("acquire", processId, ttlMs, partition)) === 1,
    renew: async (partitions, processId, ttlMs) =>
      ((await run("renew", processId, ttlMs, ...partitions)) as string[]).map(Number),
    release: async (partition, processId) => {
      await run("release", processId, 0, partition);
    },
    owners: async (partitions) => (await run("owners", "", 0, partitions)) as (string | null)[],
  };
}
