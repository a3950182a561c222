import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { LogConfig } from "@coupon/events";
import { createTestLog } from "@coupon/events/testing";
import { freePorts, type Running, startKafka } from "@coupon/testkit";

/** A broker of one test's own, that may go away and come back with its data. */
export class OwnBroker {
  #directory = "";
  #ports: number[] = [];
  #running: Running | null = null;

  async start(): Promise<{ config: LogConfig; remove(): Promise<void> }> {
    this.#directory = await mkdtemp(join(tmpdir(), "coupon-campaigns-"));
    this.#ports = await freePorts(2);
    await this.comeBack();
    const { config } = await createTestLog({ brokers: [`127.0.0.1:${this.#ports[0]}`] });
    return { config, remove: async () => undefined };
  }

  async goAway(): Promise<void> {
    await this.#running?.stop();
    this.#running = null;
  }

  async comeBack(): Promise<void> {
    const [port = 0, controllerPort = 0] = this.#ports;
    this.#running = await startKafka({
      ...{ directory: this.#directory, port, controllerPort, ephemeral: true, heapMiB: 256 },
    });
  }

  async close(): Promise<void> {
    await this.goAway();
    await rm(this.#directory, { recursive: true, force: true });
  }
}
