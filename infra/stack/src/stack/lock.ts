import { createHash } from "node:crypto";
import { realpathSync } from "node:fs";
import { connect, createServer } from "node:net";
import { StackFailure } from "../stack-failure.ts";

/** Held while a stack runs in a folder. */
export interface StackLock {
  release(): Promise<void>;
}

/**
 * Sees to it that one stack at a time runs in a folder. The lock is an abstract Unix socket named after the
 * folder: the kernel takes it back with the process however that ends, so a stale lock can't exist.
 * Throws a StackFailure `stack_running` that names the holder.
 */
export async function lockStack(root: string): Promise<StackLock> {
  const digest = createHash("sha256").update(realpathSync(root)).digest("hex").slice(0, 24);
  const name = `\0coupon-stack-${digest}`;
  const server = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.end(String(process.pid));
  });
  const taken = await new Promise<boolean>((resolve) => {
    server.once("error", () => resolve(true));
    server.listen(name, () => resolve(false));
  });
  if (taken) {
    const holder = await askHolder(name);
    const [who, how] = holder === undefined ? ["", ""] : [` (pid ${holder})`, ` or \`kill ${holder}\``];
    throw new StackFailure(
      "stack_running",
      `A stack already runs in ${root}${who}: stop it with Ctrl-C${how}, or use it: its addresses are in .local/stack.json.`,
    );
  }
  server.unref();
  return { release: () => new Promise((resolve) => server.close(() => resolve())) };
}

/** The pid of the process that holds the lock. */
function askHolder(name: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect(name);
    socket.setTimeout(1_000, () => socket.destroy());
    socket.once("data", (pid) => {
      resolve(String(pid));
      socket.destroy();
    });
    socket.on("error", () => undefined);
    socket.once("close", () => resolve(undefined));
  });
}
