import { createHash } from "node:crypto";
import { realpathSync } from "node:fs";
import { connect, createServer, type Server } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { StackFailure } from "../stack-failure.ts";

/** Held while a stack runs in a folder. */
export interface StackLock {
  /** Tells others who want the lock that waiting for it makes sense. */
  announceStop(): void;
  release(): Promise<void>;
}

/** What the holder of a lock tells: its pid and whether it is about to go. */
interface Holder {
  readonly pid: string;
  readonly stopping: boolean;
}

/** Longer than the slowest stop: services drain for 20 s, then the parts end. */
const STOP_WAIT_MS = 90_000;

/**
 * Sees to it that one stack at a time runs in a folder. The lock is an abstract Unix socket named after the
 * folder: the kernel takes it back with the process however that ends, so a stale lock can't exist.
 * Waits for a holder that is stopping, after calling `onWait` with its pid.
 * Throws a StackFailure `stack_running` that names a holder that is not.
 */
export async function lockStack(root: string, onWait: (pid: string) => void = () => undefined): Promise<StackLock> {
  const digest = createHash("sha256").update(realpathSync(root)).digest("hex").slice(0, 24);
  const name = `\0coupon-stack-${digest}`;
  const deadline = performance.now() + STOP_WAIT_MS;
  let waiting = false;
  for (;;) {
    const lock = await tryLock(name);
    if (lock !== undefined) return lock;
    const holder = await askHolder(name);
    if (holder?.stopping === false || performance.now() > deadline) throw alreadyRunning(root, holder);
    if (!waiting) onWait(holder?.pid ?? "?");
    waiting = true;
    await sleep(100);
  }
}

function alreadyRunning(root: string, holder: Holder | undefined): StackFailure {
  const [who, how] = holder === undefined ? ["", ""] : [` (pid ${holder.pid})`, ` or \`kill ${holder.pid}\``];
  return new StackFailure(
    "stack_running",
    `A stack already runs in ${root}${who}: stop it with Ctrl-C${how}, or use it: its addresses are in .local/stack.json.`,
  );
}

/** The lock, or `undefined` when somebody has it. */
async function tryLock(name: string): Promise<StackLock | undefined> {
  let stopping = false;
  const server: Server = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.end(`${process.pid} ${stopping ? "stopping" : "running"}`);
  });
  const taken = await new Promise<boolean>((resolve) => {
    server.once("error", () => resolve(true));
    server.listen(name, () => resolve(false));
  });
  if (taken) return undefined;
  server.unref();
  return {
    announceStop: () => {
      stopping = true;
    },
    release: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

/** What the holder says; `undefined` when it has just gone, or is too busy to answer. */
function askHolder(name: string): Promise<Holder | undefined> {
  return new Promise((resolve) => {
    const socket = connect(name);
    socket.setTimeout(1_000, () => socket.destroy());
    socket.once("data", (answer) => {
      const [pid = "", state] = String(answer).split(" ");
      resolve({ pid, stopping: state === "stopping" });
      socket.destroy();
    });
    socket.on("error", () => undefined);
    socket.once("close", () => resolve(undefined));
  });
}
