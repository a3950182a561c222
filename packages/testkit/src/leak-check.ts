import type { Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

/** Kinds of `process.getActiveResourcesInfo()` that a test must not leave behind: what keeps a process alive. */
const LEAKS: ReadonlySet<string> = new Set([
  "TCPSocketWrap",
  "TCPServerWrap",
  "TLSWrap",
  "UDPWrap",
  "PipeServerWrap",
  "ProcessWrap",
  "Timeout",
  "FSEventWrap",
  "StatWatcher",
  "MessagePort",
  "Worker",
  "GetAddrInfoReqWrap",
]);

/** How many resources of each kind are open. */
export type OpenResources = ReadonlyMap<string, number>;

/** Counts what keeps this process alive now. */
export function openResources(): OpenResources {
  const counts = new Map<string, number>();
  for (const kind of process.getActiveResourcesInfo()) {
    if (LEAKS.has(kind)) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  return counts;
}

function grown(before: OpenResources): string[] {
  return [...openResources()]
    .filter(([kind, count]) => count > (before.get(kind) ?? 0))
    .map(([kind, count]) => `${count - (before.get(kind) ?? 0)} ${kind}`);
}

/** Addresses of open sockets, to tell whose connection was left. */
function describeSockets(): string {
  const { _getActiveHandles: handles } = process as unknown as { _getActiveHandles?: () => readonly unknown[] };
  const sockets = (handles?.call(process) ?? []) as readonly Partial<Socket>[];
  const ports = sockets
    .filter((socket) => socket.remotePort !== undefined)
    .map((socket) => `:${socket.localPort} → :${socket.remotePort}`);
  return ports.length === 0 ? "" : ` (${ports.join(", ")})`;
}

/**
 * Throws when more sockets, servers, timers, child processes or watchers keep this process alive than at
 * `before`, after having given closing ones `graceMs` (default 2,000) to go.
 */
export async function expectNoLeaks(before: OpenResources, graceMs = 2_000): Promise<void> {
  const deadline = performance.now() + graceMs;
  for (;;) {
    const leaks = grown(before);
    if (leaks.length === 0) return;
    if (performance.now() >= deadline) throw new Error(`left open at the end: ${leaks.join(", ")}${describeSockets()}`);
    await sleep(20);
  }
}
