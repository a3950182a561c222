import { createServer, type Server } from "node:net";
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
  const servers: Server[] = [];
  while (servers.length < count) servers.push(await holdFreePort());
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

/** Below the ports that the kernel gives to outgoing connections, which would take a free one before its user does. */
const FIRST_PORT = 20_000;
const PORTS = 12_000;
const ATTEMPTS_MAX = 100;

async function holdFreePort(): Promise<Server> {
  for (let attempt = 1; ; attempt += 1) {
    const server = createServer();
    const port = FIRST_PORT + Math.floor(Math.random() * PORTS);
    try {
      await new Promise<void>((resolve, reject) => {
        server.once("error", reject);
        server.listen({ port, host: "127.0.0.1" }, resolve);
      });
      return server;
    } catch (error) {
      if (attempt === ATTEMPTS_MAX) throw error;
    }
  }
}
