import { setTimeout as sleep } from "node:timers/promises";
import { eventually, type FaultProxy } from "@coupon/testkit";
import type { Platform } from "./platform.ts";
import type { Fault, Target, WireName } from "./schedule.ts";

/** Does what the fault says, and undoes it where it ends by itself; resolves when it is over. */
export async function inject(platform: Platform, fault: Fault): Promise<void> {
  switch (fault.kind) {
    case "kill":
      return slotOf(platform, fault.target).restart("SIGKILL", fault.downMs);
    case "term":
      return slotOf(platform, fault.target).restart("SIGTERM", fault.downMs);
    case "stop":
      slotOf(platform, fault.target).signal("SIGSTOP");
      await sleep(fault.forMs);
      return slotOf(platform, fault.target).signal("SIGCONT");
    case "redis-wiped":
      return whenRedisIsThere(() => wipe(platform));
    case "redis-cut-short":
      return platform.parts.cutRedisShort(fault.keptShare, fault.downMs);
    case "clock-step":
      return whenRedisIsThere(() => stepClocks(platform, fault.minutes * 60_000));
    case "database-sessions-killed":
      return killSessions(platform);
    case "broker-restart":
      return platform.parts.restartBroker(fault.downMs);
    default:
      return spoilWire(wireOf(platform, fault.wire), fault);
  }
}

async function spoilWire(wire: FaultProxy, fault: Extract<Fault, { wire: WireName }>): Promise<void> {
  switch (fault.kind) {
    case "cut":
      return wire.cutAll();
    case "cut-within":
      // It comes when so many bytes have come, which may be never.
      void wire.cutAfterBytes(fault.bytes, fault.direction);
      return;
    case "delay":
      wire.delay(fault.delayMs);
      await sleep(fault.forMs);
      return wire.delay(0);
    case "refuse":
      wire.refuse(true);
      await sleep(fault.forMs);
      return wire.refuse(false);
    case "drop-replies":
      wire.dropReplies(true);
      await sleep(fault.forMs);
      // What comes after a reply that is missing would be taken for it.
      wire.cutAll();
      return wire.dropReplies(false);
  }
}

function slotOf({ slots }: Platform, target: Target) {
  const slot = slots.get(target);
  if (slot === undefined) throw new RangeError(`there is no ${target}`);
  return slot;
}

function wireOf({ redisWires, parts }: Platform, name: WireName): FaultProxy {
  if (name === "kafka") return parts.kafkaWire;
  const wire = redisWires[Number(name.split("-")[1])];
  if (wire === undefined) throw new RangeError(`there is no wire ${name}`);
  return wire;
}

async function keysLike({ redis }: Platform, pattern: string): Promise<string[]> {
  const keys: string[] = [];
  let cursor = "0";
  do {
    const [next, found] = (await redis.call("SCAN", cursor, "MATCH", pattern, "COUNT", 1_000)) as [string, string[]];
    keys.push(...found);
    cursor = next;
  } while (cursor !== "0");
  return keys;
}

/** Another fault may have Redis away for a moment; a step that is done again steps once more, which is as good. */
async function whenRedisIsThere(work: () => Promise<void>): Promise<void> {
  await eventually(() => work().then(() => true));
}

/** Everything at one stroke, the leases and the orders' ties with it. */
async function wipe(platform: Platform): Promise<void> {
  const keys = await keysLike(platform, `${platform.prefix}*`);
  if (keys.length > 0) await platform.redis.del(...keys);
}

async function stepClocks(platform: Platform, byMs: number): Promise<void> {
  for (const header of await keysLike(platform, `${platform.prefix}{*}:h`)) {
    // Only where there is a shard: a field alone would be half of one.
    const script = "if redis.call('EXISTS', KEYS[1]) == 1 then redis.call('HINCRBY', KEYS[1], 'off', ARGV[1]) end";
    await platform.redis.eval(script, 1, header, byMs);
  }
}

async function killSessions({ pool }: Platform): Promise<void> {
  await pool.query(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
     WHERE datname = current_database() AND application_name IN ('ledger', 'issuing')`,
  );
}

/** Takes every fault back that is still on. */
export function calmWires({ redisWires, parts }: Platform): void {
  for (const wire of [...redisWires, parts.kafkaWire]) {
    wire.delay(0);
    wire.refuse(false);
    wire.dropReplies(false);
    // A cut that has not come yet comes now; a cut within more bytes than ever flow never does.
    void wire.cutAfterBytes(Number.MAX_SAFE_INTEGER);
  }
}
