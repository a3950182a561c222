import { join } from "node:path";
import { startKafka } from "../parts/kafka.ts";
import type { PartName, PartOptions } from "../parts/part.ts";
import { startPostgres } from "../parts/postgres.ts";
import { startRedis } from "../parts/redis.ts";
import type { StartProcess } from "../process/keeper.ts";
import { PORT_OFFSETS } from "../services/platform.ts";

/** All parts, in the order in which they are started. */
export const PARTS: readonly PartName[] = ["postgres", "redis", "kafka"];

/** How this stack starts one of its own parts: its folder under `.local`, its port from PORT_BASE. */
export function localPart(part: PartName, local: string, portBase: number): StartProcess {
  return (onSpawn) => {
    const options: PartOptions = { directory: join(local, part), port: portBase + PORT_OFFSETS[part], onSpawn };
    switch (part) {
      case "redis":
        return startRedis(options);
      case "kafka":
        return startKafka({ ...options, controllerPort: portBase + PORT_OFFSETS.kafkaController });
      case "postgres":
        return startPostgres({ ...options, settings: { shared_buffers: "256MB", max_wal_size: "2GB" } });
    }
  };
}

/** The ports that a part of this stack's own needs, by what needs them. */
export function localPartPorts(part: PartName, portBase: number): [name: string, port: number][] {
  const own: [string, number] = [part, portBase + PORT_OFFSETS[part]];
  return part === "kafka" ? [own, ["kafka's controller", portBase + PORT_OFFSETS.kafkaController]] : [own];
}
