import type { Correction } from "@coupon/domain";
import { type Breaker, createBreaker, createInternalHttp } from "@coupon/service-kit";
import type { Registry } from "prom-client";

/** Issuing's internal API: a shard's owner alone writes into its log. */
export interface IssuingCalls {
  /**
   * Has an approved correction written into a shard's log; resolves once the entry is durable. May be repeated. False
   * where issuing can't be reached or the shard is recovering: it may have been written all the same. `traceparent` is of
   * the trace that it is part of, if there is one.
   */
  correct(batch: number, shard: number, correction: Correction, traceparent?: string): Promise<boolean>;
  close(): Promise<void>;
}

const CONNECTIONS_MAX = 2;

/** @param addresses of issuing's processes, joined by commas: any of them brings it to the owner */
export function createIssuingCalls(options: {
  addresses: string;
  token: string;
  timeoutMs: number;
  registry: Registry;
}): IssuingCalls {
  const { addresses, token, timeoutMs, registry } = options;
  const http = createInternalHttp({ addresses, token, timeoutMs, connectionsMax: CONNECTIONS_MAX });
  const post = async (body: object, traceparent?: string): Promise<void> => {
    const answer = await http.request("POST", "/internal/v1/corrections", { body, traceparent });
    if (answer.status === 200) return;
    throw new Error(`issuing answered ${answer.status}: ${JSON.stringify(answer.body).slice(0, 300)}`);
  };
  const breaker: Breaker<[object, string?], void> = createBreaker(post, { name: "issuing", timeoutMs, registry });
  return {
    async correct(batch, shard, correction, traceparent) {
      return (await breaker.call({ batch, shard, correction }, traceparent)).ok;
    },
    async close() {
      breaker.close();
      await http.close();
    },
  };
}
