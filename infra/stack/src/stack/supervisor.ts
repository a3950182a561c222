import type { Running } from "../parts/part.ts";
import { Keeper, type KeeperEvents, type StartProcess } from "../process/keeper.ts";
import type { ProcessRecord } from "../process/process-record.ts";
import type { StackEvent } from "./events.ts";
import { withoutPassword } from "./existing-parts.ts";

/** One kept process and the service or part that it belongs to. */
interface Member {
  readonly group: string;
  readonly keeper: Keeper;
}

/** Keeps all processes of a stack, knows their pids and ends them in reverse order. */
export class Supervisor {
  readonly #members: Member[] = [];
  readonly #record: ProcessRecord;
  readonly #emit: (event: StackEvent) => void;
  readonly #onPids: () => void;
  #stopped = false;

  constructor(record: ProcessRecord, emit: (event: StackEvent) => void, onPids: () => void) {
    this.#record = record;
    this.#emit = emit;
    this.#onPids = onPids;
  }

  /** Starts a process, waits until it is ready and keeps it from then on. */
  async start(group: string, name: string, start: StartProcess): Promise<Running> {
    const keeper = new Keeper(name, start, this.#events());
    this.#members.push({ group, keeper });
    if (this.#stopped) throw new Error(`${name} isn't started: the stack is stopping`);
    this.#emit({ kind: "starting", name });
    const since = performance.now();
    const running = await keeper.start();
    this.#emit({ kind: "ready", name, url: withoutPassword(running.url), tookMs: performance.now() - since });
    return running;
  }

  /** Pids of live processes by service or part; several of one service as an array. */
  pids(): Record<string, number | readonly number[]> {
    const pids: Record<string, number | readonly number[]> = {};
    for (const { group, members } of this.#groups()) {
      const live = members.flatMap(({ keeper }) => keeper.pid ?? []);
      if (live.length > 0) pids[group] = members.length > 1 ? live : (live[0] ?? 0);
    }
    return pids;
  }

  /** Ends everything: the groups one after the other, last started first; a group's processes together. */
  async stop(): Promise<void> {
    this.#stopped = true;
    for (const { members } of this.#groups().reverse()) {
      await Promise.all(members.map(({ keeper }) => keeper.stop()));
    }
  }

  #groups(): { group: string; members: Member[] }[] {
    return [...Map.groupBy(this.#members, ({ group }) => group)].map(([group, members]) => ({ group, members }));
  }

  #events(): KeeperEvents {
    return {
      spawned: (name, child) => {
        this.#record.add(name, child.identity);
        this.#onPids();
      },
      died: (name, pid, exit, restartInMs) => {
        this.#emit({ kind: "died", name, pid, exit, restartInMs });
        this.#onPids();
      },
      restarted: (name, pid) => {
        this.#emit({ kind: "restarted", name, pid });
        this.#onPids();
      },
      noticed: (name, notice) => this.#emit({ kind: "noticed", name, notice }),
      restartFailed: (name, error, restartInMs) => this.#emit({ kind: "restart_failed", name, error, restartInMs }),
    };
  }
}
