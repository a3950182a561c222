import { createServer } from "node:net";
import { listenerOf } from "../process/proc.ts";
import { StackFailure } from "../stack-failure.ts";

/** True when a server could listen on the port of the loopback interface now. */
export function portIsFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen({ port, host: "127.0.0.1", exclusive: true }, () => server.close(() => resolve(true)));
  });
}

/** Throws a StackFailure `port_in_use` that names the port, its user and what to do, unless the port is free. */
export async function assertPortFree(port: number, name: string): Promise<void> {
  if (await portIsFree(port)) return;
  const holder = listenerOf(port);
  const who = holder === undefined ? "another process" : `pid ${holder.pid} (${holder.command.slice(0, 80)})`;
  throw new StackFailure(
    "port_in_use",
    `Port ${port}, which ${name} needs, is used by ${who}: stop that or set PORT_BASE to another range.`,
  );
}

/**
 * Finds free loopback ports, all different. They are free when it returns, not reserved:
 * a part that loses its port to somebody else fails to start and says so.
 */
export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from(
      { length: count },
      () =>
        new Promise<ReturnType<typeof createServer>>((resolve, reject) => {
          const server = createServer();
          server.once("error", reject);
          server.listen({ port: 0, host: "127.0.0.1" }, () => resolve(server));
        }),
    ),
  );
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
