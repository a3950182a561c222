import type { Correction } from "@coupon/domain";
import { type Breaker, createBreaker } from "@coupon/service-kit";
import type { Registry } from "prom-client";
import { Pool } from "undici";

/** Issuing's internal API: a shard's owner alone writes into its log. */
export interface IssuingCalls {
  /**
   * Has an approved correction written into a shard's log; resolves once the entry is durable. May be repeated. False
   * where issuing can't be reached or the shard is recovering: it may have been written all the same.
   */
  correct(batch: number, shard: number, correction: Correction): Promise<boolean>;
  close(): Promise<void>;
}

const CONNECTIONS_MAX = 2;

export function createIssuingCalls(options: {
  baseUrl: string;
  token: string;
  timeoutMs: number;
  registry: Registry;
}): IssuingCalls {
  const { baseUrl, token, timeoutMs, registry } = options;
  const pool = new Pool(new URL(baseUrl).origin, {
    connections: CONNECTIONS_MAX,
    connect: { timeout: Math.min(timeoutMs, 1_000) },
    headersTimeout: timeoutMs,
    bodyTimeout: timeoutMs,
  });
  const post = async (body: string): Promise<void> => {
    const answer = await pool.request({
      ...{ method: "POST", path: "/internal/v1/corrections", body },
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    });
    const text = await answer.body.text();
    if (answer.statusCode !== 200) throw new Error(`issuing answered ${answer.statusCode}: ${text.slice(0, 300)}`);
  };
  const breaker: Breaker<[string], void> = createBreaker(post, { name: "issuing", timeoutMs, registry });
  return {
    async correct(batch, shard, correction) {
      return (await breaker.call(JSON.stringify({ batch, shard, correction }))).ok;
    },
    async close() {
      breaker.close();
      await pool.destroy();
    },
  };
}
