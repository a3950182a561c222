import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import type { EchoSettings } from "./echo.ts";

/** An echo that listens. */
export interface EchoProcess {
  port: number;
  pid: number;
  close(): Promise<void>;
}

/** Starts an echo as a process of its own and waits until it listens. Rejects where it ends before that. */
export async function startEcho(settings: EchoSettings): Promise<EchoProcess> {
  const child = fork(join(import.meta.dirname, "echo.ts"), {
    execArgv: [],
    env: { ...process.env, NODE_ENV: "production", ECHO: JSON.stringify(settings) },
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  const gone = once(child, "exit").then(() => {
    throw new Error("The echo did not start");
  });
  await Promise.race([once(child, "message"), gone]);
  gone.catch(() => undefined);
  return { port: settings.port, pid: child.pid ?? 0, close: () => end(child) };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, "exit");
  child.kill("SIGTERM");
  await exited;
}
