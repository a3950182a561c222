import { join } from "node:path";
import { CouponClient, OperatorClient } from "@coupon/client";
import { createPool, type Pool } from "@coupon/database";
import { type DemoCaller, type Desk, KnownIds, type LocalStack, registerCallers, signTokens } from "@coupon/demo";
import { createLogReader, type LogReader } from "@coupon/events";

/** What a run talks to a stack with. */
export interface Clients {
  desk: Desk;
  caller: DemoCaller;
  client: CouponClient;
  pool: Pool;
  reader: LogReader;
}

/** Makes a run's clients of a stack that is up, and closes them whatever becomes of the work. `name` is the run's. */
export async function withClients<Result>(
  local: LocalStack,
  name: string,
  work: (clients: Clients) => Promise<Result>,
): Promise<Result> {
  const { caller } = await registerCallers(local);
  const tokens = await signTokens(local.stack);
  const operator = new OperatorClient({ baseUrl: local.urls.campaigns, token: tokens.operatorToken });
  const approver = new OperatorClient({ baseUrl: local.urls.campaigns, token: tokens.approverToken });
  const { keyId, secret } = caller;
  const client = new CouponClient({ baseUrl: local.urls.issuing, keyId, secret });
  const { databaseUrl } = local.addresses;
  const pool = createPool({ databaseUrl, max: 2, statementTimeoutMs: 60_000, connectionTimeoutMs: 5_000 });
  const reader = createLogReader({ config: { ...local.log, clientId: name }, groupId: `${name}-${process.pid}` });
  const known = new KnownIds(join(local.stack.local, `${name}-ids.json`));
  try {
    return await work({ desk: { operator, approver, callerIds: [caller.id], known }, caller, client, pool, reader });
  } finally {
    await Promise.all([operator, approver, client, reader].map((it) => it.close()));
    await pool.end();
  }
}
