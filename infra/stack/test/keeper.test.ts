import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, expect, test } from "vitest";
import { type Running, running } from "../src/parts/part.ts";
import { Child } from "../src/process/child.ts";
import { Keeper, type KeeperEvents, type StartProcess } from "../src/process/keeper.ts";

const folder = mkdtempSync(join(tmpdir(), "keeper-"));
const BACK_OFF = { firstMs: 10, lastMs: 40, resetAfterMs: 4_000 };
let keeper: Keeper | undefined;

afterEach(() => keeper?.stop());
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Starts `node -e script`; "ready" as soon as it runs. */
function runs(script: string): StartProcess {
  return async (onSpawn): Promise<Running> => {
    const child = await Child.start({
      name: "child",
      command: process.execPath,
      args: ["-e", script],
      cwd: folder,
      logFile: join(folder, "log"),
      stopTimeoutMs: 500,
    });
    onSpawn(child);
    return running(child, 0, "");
  };
}

class Events implements KeeperEvents {
  readonly waits: number[] = [];
  readonly failures: number[] = [];
  readonly pids: number[] = [];
  #wake: () => void = () => undefined;

  spawned(_name: string, child: Child): void {
    this.pids.push(child.pid);
  }
  died(_name: string, _pid: number, _exit: unknown, restartInMs: number): void {
    this.waits.push(restartInMs);
    this.#wake();
  }
  restarted(): void {
    this.#wake();
  }
  restartFailed(_name: string, _error: unknown, restartInMs: number): void {
    this.failures.push(restartInMs);
    this.#wake();
  }
  noticed(): void {}
  async until(enough: () => boolean): Promise<void> {
    while (!enough()) await new Promise<void>((resolve) => (this.#wake = resolve));
  }
}

test("waits twice as long each time, up to the most", async () => {
  const events = new Events();
  keeper = new Keeper("child", runs("process.exit(3)"), events, BACK_OFF);
  await keeper.start();
  await events.until(() => events.waits.length === 5);
  expect(events.waits).toEqual([10, 20, 40, 40, 40]);
});

test("begins with the first wait again after the process stayed up", async () => {
  const events = new Events();
  const marker = join(folder, "lives");
  writeFileSync(marker, "");
  // Dies at once three times, then lives longer than the back-off remembers.
  const script = `const fs = require("fs"); fs.appendFileSync(${JSON.stringify(marker)}, "x");
    if (fs.readFileSync(${JSON.stringify(marker)}).length > 3) setTimeout(() => process.exit(0), 4_500)`;
  keeper = new Keeper("child", runs(script), events, BACK_OFF);
  await keeper.start();
  await events.until(() => events.waits.length === 4);
  expect(events.waits).toEqual([10, 20, 40, 10]);
});

test("goes on trying when a restart fails", async () => {
  const events = new Events();
  let starts = 0;
  const once = runs("process.exit(0)");
  const start: StartProcess = (onSpawn) => {
    starts += 1;
    return starts === 1 || starts === 4 ? once(onSpawn) : Promise.reject(new Error("not now"));
  };
  keeper = new Keeper("child", start, events, BACK_OFF);
  await keeper.start();
  await events.until(() => events.failures.length === 2 && events.waits.length === 2);
  expect([events.waits, events.failures]).toEqual([
    [10, 40],
    [20, 40],
  ]);
});

test("throws what the first start throws", async () => {
  keeper = new Keeper("child", () => Promise.reject(new Error("no such program")), new Events(), BACK_OFF);
  await expect(keeper.start()).rejects.toThrow("no such program");
});

test("a stop ends the process for good, also one that ignores SIGTERM", async () => {
  const events = new Events();
  const script = 'process.on("SIGTERM", () => {}); setInterval(() => {}, 1000)';
  keeper = new Keeper("child", runs(script), events, BACK_OFF);
  const { child } = await keeper.start();
  await keeper.stop();
  expect((await child.exited).signal).toMatch(/SIGKILL|SIGTERM/);
  expect(keeper.pid).toBeUndefined();
  expect(events.pids).toHaveLength(1);
});

test("a stop during a wait ends the wait", async () => {
  const events = new Events();
  keeper = new Keeper("child", runs("process.exit(1)"), events, { ...BACK_OFF, firstMs: 60_000, lastMs: 60_000 });
  await keeper.start();
  await events.until(() => events.waits.length === 1);
  await keeper.stop();
  expect(events.pids).toHaveLength(1);
});

test("a stop during a start ends what is being started", async () => {
  const events = new Events();
  const spawned = Promise.withResolvers<Child>();
  const start: StartProcess = (onSpawn) =>
    runs("setInterval(() => {}, 1000)")((child) => {
      onSpawn(child);
      spawned.resolve(child);
    }).then(({ child }) => child.exited.then(() => Promise.reject(new Error("ended while starting"))));
  keeper = new Keeper("child", start, events, BACK_OFF);
  const started = keeper.start().catch((error: Error) => error.message);
  const child = await spawned.promise;
  await keeper.stop();
  expect(await started).toBe("ended while starting");
  expect(child.exit).toBeDefined();
});
