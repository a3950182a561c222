import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createFaultProxy, eventually, type FaultProxy, freePorts, type Running, startKafka } from "@coupon/testkit";

/** A broker of this file's own, reached through a proxy, that may be stopped, killed and started again. */
export interface OwnBroker {
  readonly proxy: FaultProxy;
  /** The proxy's address, which the broker advertises too. */
  readonly address: string;
  readonly broker: Running;
  /** Lets the process stand still, as a long pause of the machine would; resolves once every thread does. */
  freeze(): Promise<void>;
  thaw(): void;
  kill(): Promise<void>;
  /** Starts it again with its data. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

export async function startOwnBroker(): Promise<OwnBroker> {
  const directory = mkdtempSync(join(tmpdir(), "coupon-events-"));
  const [port = 0, controllerPort = 0] = await freePorts(2);
  const proxy = await createFaultProxy({ port });
  const address = `${proxy.host}:${proxy.port}`;
  const start = () =>
    startKafka({
      directory,
      port,
      controllerPort,
      ephemeral: true,
      heapMiB: 256,
      settings: [`advertised.listeners=PLAINTEXT://${address}`],
    });
  let broker = await start();
  return {
    proxy,
    address,
    get broker() {
      return broker;
    },
    async freeze() {
      broker.kill("SIGSTOP");
      await eventually(() => standsStill(broker.pid));
    },
    thaw: () => broker.kill("SIGCONT"),
    async kill() {
      broker.kill("SIGKILL");
      await broker.child.exited;
    },
    async restart() {
      broker = await start();
    },
    async stop() {
      broker.kill("SIGCONT");
      await broker.stop();
      await proxy.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

function standsStill(pid: number): boolean {
  const threads = readdirSync(`/proc/${pid}/task`);
  return threads.every((thread) =>
    readFileSync(`/proc/${pid}/task/${thread}/stat`, "utf8").split(") ")[1]?.startsWith("T"),
  );
}
