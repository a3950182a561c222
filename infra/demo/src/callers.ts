import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { signRequest } from "@coupon/client";
import { createTablePublisher, readSecretsKey } from "@coupon/events";
import { request } from "undici";
import type { LocalStack } from "./local-stack.ts";

/** A front-end business's registration as a run uses it. `secret` is base64; the HMAC key is what it decodes to. */
export interface DemoCaller {
  id: string;
  keyId: string;
  secret: string;
}

const acceptedWithinMs = 15_000;

/**
 * Registers the demonstration's two callers, by publishing their definitions as the admission service will, and waits
 * until issuing accepts their signatures. Repeating it changes nothing.
 *
 * @throws Error where issuing does not accept them within 15 s
 */
export async function registerCallers(local: LocalStack): Promise<{ caller: DemoCaller; otherCaller: DemoCaller }> {
  const { demoCallerSecret, callerSecretsKey } = local.stack.secrets;
  const caller = { id: "demo-shop", keyId: "live_demo_shop", secret: demoCallerSecret };
  const otherSecret = createHash("sha256").update(`other caller of ${demoCallerSecret}`).digest("base64");
  const otherCaller = { id: "other-shop", keyId: "live_other_shop", secret: otherSecret };
  const config = { ...local.log, clientId: "demo" };
  const publisher = createTablePublisher({ config, source: "/demo", secretsKey: readSecretsKey(callerSecretsKey) });
  try {
    for (const { id, keyId, secret } of [caller, otherCaller]) {
      const keys = [{ keyId, secret, revoked: false }];
      await publisher.publishCaller({ callerId: id, version: 1, name: id, status: "live", keys });
    }
  } finally {
    await publisher.close();
  }
  for (const it of [caller, otherCaller]) await untilAccepted(local.urls.issuing, it);
  return { caller, otherCaller };
}

async function untilAccepted(issuing: string, caller: DemoCaller): Promise<void> {
  const deadline = performance.now() + acceptedWithinMs;
  const path = "/v1/batches/none";
  let status = 0;
  while (performance.now() < deadline) {
    const headers = signRequest({ method: "GET", path, keyId: caller.keyId, secret: caller.secret });
    const response = await request(issuing + path, { headers });
    await response.body.dump();
    status = response.statusCode;
    if (status === 404) return;
    await sleep(50);
  }
  throw new Error(`Issuing does not accept the caller ${caller.id}: it answers ${status}`);
}
