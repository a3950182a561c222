import { randomBytes } from "node:crypto";
import {
  type BatchAction,
  type BatchBody,
  CouponClient,
  expectValue,
  type ManagedBatch,
  OperatorClient,
  type Stock,
} from "@coupon/client";
import { createPool, type Pool } from "@coupon/database";
import type { Template } from "@coupon/domain";
import { eventually, freePorts, type ServiceProcess, startServiceProcess, uniqueName } from "@coupon/testkit";
import { OwnPlatform } from "../../src/own-platform/own-platform.ts";

/** Which processes a world has. Two of campaigns do the same work side by side. */
export type ProcessName = "issuing" | "ledger" | "campaigns-1" | "campaigns-2";

const GIVE_BACK_EVERY_MS = 50;

/** Real processes of issuing, ledger and campaigns over the shared stores, and who works with them. */
export class BooksWorld extends OwnPlatform {
  readonly #ports = new Map<string, number>();
  readonly #processes = new Map<ProcessName, ServiceProcess>();
  #clients: { shop: CouponClient; operator: OperatorClient; approver: OperatorClient; pool: Pool } | null = null;

  constructor() {
    const key = () => randomBytes(32);
    const keys = { shop: key(), hash: key(), coupons: key(), callers: key() };
    super("g", (process.env.KAFKA_BROKERS ?? "").split(","), keys);
  }

  get shopClient(): CouponClient {
    return this.#made().shop;
  }

  /** A way into the database past the services. */
  get pool(): Pool {
    return this.#made().pool;
  }

  async start(): Promise<void> {
    await this.open();
    const [issuing = 0, internal = 0, ledger = 0, first = 0, second = 0] = await freePorts(5);
    const ports = { issuing, internal, ledger, "campaigns-1": first, "campaigns-2": second };
    for (const [name, port] of Object.entries(ports)) this.#ports.set(name, port);
    Object.assign(this.env, {
      KAFKA_BROKERS: this.log.brokers.join(","),
      ISSUING_INTERNAL_URL: `http://127.0.0.1:${internal}`,
      LEDGER_URL: `http://127.0.0.1:${ledger}`,
    });
    const pool = createPool({
      ...{ databaseUrl: this.databaseUrl, max: 4, statementTimeoutMs: 10_000, connectionTimeoutMs: 5_000 },
      applicationName: "test",
    });
    this.onClose(() => pool.end());
    await Promise.all(
      ["issuing", "ledger", "campaigns-1", "campaigns-2"].map((name) => this.begin(name as ProcessName)),
    );
    const url = (name: string) => `http://127.0.0.1:${this.#ports.get(name)}`;
    const shop = this.clientThatTries();
    const [operator, approver] = await Promise.all(
      ["operator", "approver"].map(async (role) => {
        const token = await this.opened.issuer.token(`the-${role}`, [role]);
        return new OperatorClient({ baseUrl: url("campaigns-1"), token });
      }),
    );
    if (operator === undefined || approver === undefined) throw new Error("nobody is there");
    for (const client of [shop, operator, approver]) this.onClose(() => client.close());
    this.#clients = { shop, operator, approver, pool };
  }

  /** A client of the shop's, to be closed by whoever asks for it. @param attemptsMax of each call; the SDK's by default */
  clientThatTries(attemptsMax?: number): CouponClient {
    const { keyId, secret } = this.shop;
    return new CouponClient({
      ...{ baseUrl: `http://127.0.0.1:${this.#ports.get("issuing")}`, keyId, secret: secret.toString("base64") },
      ...(attemptsMax === undefined ? {} : { attemptsMax }),
    });
  }

  /** Starts a process in its place, also where one was killed. */
  async begin(name: ProcessName): Promise<void> {
    const [service = ""] = name.split("-");
    const own = {
      issuing: {
        INTERNAL_PORT: String(this.#ports.get("internal")),
        PROCESS_ID: uniqueName("p"),
        LEASE_TTL_MS: "3000",
      },
      ledger: { SWEEP_EVERY_MS: "50", EXPIRY_GRACE_MS: "200", GROUP_SESSION_TIMEOUT_MS: "2000" },
      campaigns: { GIVE_BACK_EVERY_MS: String(GIVE_BACK_EVERY_MS) },
    }[service];
    const running = await startServiceProcess({
      main: `services/${service}/src/main.ts`,
      port: this.#ports.get(name) ?? 0,
      env: { ...this.env, ...own },
    });
    this.#processes.set(name, running);
  }

  /** kill -9, and waits until it is gone. */
  async kill(...names: ProcessName[]): Promise<void> {
    await Promise.all(
      names.map(async (name) => {
        const running = this.#processes.get(name);
        this.#processes.delete(name);
        running?.kill("SIGKILL");
        await running?.child.exited;
      }),
    );
  }

  /** An issuing batch, the one of a campaign whose budget is what the batch may cost at most. */
  async issuingBatch(template: Template, stock: Stock, budget: number): Promise<ManagedBatch> {
    const { operator } = this.#made();
    const window = { from: instantIn(-3_600_000), until: instantIn(86_400_000) };
    const { currency } = template.benefit;
    const campaign = {
      name: "Spring",
      startsAt: window.from,
      endsAt: window.until,
      budget: { amount: budget, currency },
    };
    const { campaignId } = expectValue(await operator.campaigns.create(campaign));
    const { templateId } = expectValue(await operator.templates.create(template));
    return this.anotherBatch({
      ...{
        campaignId,
        templateId,
        name: "Half off",
        stock,
        issueWindow: window,
        timeZone: template.timeZone,
        shards: 2,
      },
      callers: [{ callerId: this.shop.callerId, may: ["issue", "redeem", "reverse", "read"] }],
      funding: [
        { party: "brand", basisPoints: 6_667 },
        { party: "store", basisPoints: 3_333 },
      ],
    });
  }

  /** @throws CallFailed where a step on the way to issuing is refused */
  async anotherBatch(body: BatchBody): Promise<ManagedBatch> {
    const { batchId } = expectValue(await this.#made().operator.batches.create(body));
    await this.act(batchId, "submit");
    await this.act(batchId, "approve");
    return this.act(batchId, "start");
  }

  async act(batchId: string, action: BatchAction): Promise<ManagedBatch> {
    const { operator, approver } = this.#made();
    const who = action === "approve" ? approver : operator;
    return expectValue(await who.batches.act(batchId, action, "*"));
  }

  async stats(batchId: string): Promise<{ issued: number; redeemed: number; reversed: number; cost: number }> {
    const { issued, redeemed, reversed, cost } = expectValue(await this.#made().operator.batches.stats(batchId));
    return { issued, redeemed, reversed, cost: typeof cost === "number" ? cost : cost.amount };
  }

  /** What a campaign holds of its budget, and what its batches do, which must be the same. */
  async reserved(campaignId: string): Promise<number> {
    const { rows } = await this.pool.query<{ reserved: number; held: number }>(
      `SELECT c.reserved, coalesce(sum(r.amount), 0)::bigint AS held
       FROM management.campaign c LEFT JOIN management.budget_reservation r USING (campaign_id)
       WHERE campaign_id = $1 GROUP BY c.reserved`,
      [campaignId],
    );
    const { reserved, held } = rows[0] ?? { reserved: -1, held: -2 };
    if (reserved !== held) throw new Error(`the campaign holds ${reserved}, its batches hold ${held}`);
    return reserved;
  }

  /** Amounts that a batch gave back, in their order. */
  async givenBack(batchId: string): Promise<number[]> {
    const { rows } = await this.pool.query<{ amount: number }>(
      `SELECT (request ->> 'givenBack')::bigint AS amount FROM management.audit
       WHERE resource_id = $1 AND action = 'give_back_unused' ORDER BY audit_id`,
      [batchId],
    );
    return rows.map(({ amount }) => amount);
  }

  async metric(name: ProcessName, metric: string): Promise<number> {
    const text = await (await fetch(`http://127.0.0.1:${this.#ports.get(name)}/metrics`)).text();
    const values = [...text.matchAll(new RegExp(`^${metric}(?:\\{.*\\})? (\\d+)$`, "gm"))];
    return values.reduce((sum, [, value]) => sum + Number(value), 0);
  }

  /** Waits until both processes that give back have looked at every batch since now. */
  async looksOver(): Promise<void> {
    const { rows } = await this.pool.query<{ batches: number }>(
      "SELECT count(*)::integer AS batches FROM management.budget_reservation",
    );
    // A look that was under way, and two whole rounds.
    const looks = 1 + 2 * (rows[0]?.batches ?? 0);
    await Promise.all(
      (["campaigns-1", "campaigns-2"] as const).map(async (name) => {
        const from = await this.metric(name, "breaker_calls_total");
        await eventually(async () => (await this.metric(name, "breaker_calls_total")) >= from + looks);
      }),
    );
  }

  /** Keeps a campaign from changing until it is let go. */
  async holdCampaign(campaignId: string): Promise<{ release(): Promise<void> }> {
    const connection = await this.pool.connect();
    await connection.query("BEGIN");
    await connection.query("SELECT FROM management.campaign WHERE campaign_id = $1 FOR UPDATE", [campaignId]);
    return {
      async release() {
        await connection.query("ROLLBACK");
        connection.release();
      },
    };
  }

  /** Waits until sessions of the services wait for locks in the database. */
  async sessionsWait(count: number): Promise<void> {
    await eventually(async () => {
      const { rows } = await this.pool.query<{ waiting: number }>(
        `SELECT count(*)::integer AS waiting FROM pg_stat_activity
         WHERE datname = current_database() AND wait_event_type = 'Lock'`,
      );
      return rows[0]?.waiting === count;
    });
  }

  override async close(): Promise<void> {
    await this.kill(...this.#processes.keys());
    await super.close();
  }

  #made(): { shop: CouponClient; operator: OperatorClient; approver: OperatorClient; pool: Pool } {
    if (this.#clients === null) throw new Error("the world has not been started");
    return this.#clients;
  }
}

export function instantIn(ms: number): string {
  return new Date(Date.now() + ms).toISOString();
}
