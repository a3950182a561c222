import type { ManagedBatch } from "@coupon/client";
import type { BatchDefinition } from "@coupon/domain";
import { freePorts } from "@coupon/stack";
import type { BenchContext } from "./context.ts";
import type { EchoSettings } from "./echo.ts";
import { type EchoProcess, startEcho } from "./processes.ts";

export interface Echoes extends AsyncDisposable {
  signed: EchoProcess;
  bare: EchoProcess;
}

/** Starts both echoes, each a process of its own, so that neither pays for the other. */
export async function startEchoes(context: BenchContext, batch: ManagedBatch): Promise<Echoes> {
  const [signedPort = 0, barePort = 0] = await freePorts(2);
  const { id, keyId, secret } = context.caller;
  const definition = definitionOf(batch);
  const settings: EchoSettings = { port: signedPort, definition, key: { callerId: id, keyId, secretBase64: secret } };
  const signed = await startEcho(settings);
  const bare = await startEcho({ port: barePort, definition });
  return {
    signed,
    bare,
    async [Symbol.asyncDispose]() {
      await Promise.all([signed.close(), bare.close()]);
    },
  };
}

/** What the batch's coupons look like, so that the echo's answers have the length of the claim's. */
function definitionOf(batch: ManagedBatch): BatchDefinition {
  const { batchId, batchNumber, campaignId, name, stock, issueWindow, callers, timeZone } = batch;
  return {
    batchId,
    batchNumber,
    version: 1,
    campaignId,
    name,
    sandbox: false,
    state: "issuing",
    revoked: false,
    template: {
      name,
      benefit: { kind: "amount_off", amount: 100, currency: "USD" },
      validity: issueWindow,
      timeZone,
      refundPolicy: "restore",
    },
    stock,
    issueWindow,
    callers,
    funding: [],
    timeZone,
    shards: batch.shards ?? 1,
    couponKeyVersion: 1,
  };
}
