import type { Answer, World } from "./world.ts";

export const templateBody = {
  name: "Ten off",
  benefit: { kind: "amount_off", amount: 1_000, currency: "CNY" },
  validity: { days: 30, mode: "calendar" },
  timeZone: "Asia/Shanghai",
  refundPolicy: "restore",
};

export const campaignBody = {
  name: "Spring",
  startsAt: "2026-03-01T00:00:00.000Z",
  endsAt: "2026-06-01T00:00:00.000Z",
  budget: { amount: 1_000_000, currency: "CNY" },
};

export const batchTerms = {
  name: "Spring, ten off",
  stock: { total: 100, perUser: 2 },
  issueWindow: { from: "2026-03-01T00:00:00.000Z", until: "2026-04-01T00:00:00.000Z" },
  callers: [{ callerId: "shop", may: ["issue", "redeem", "reverse", "read"] }],
  timeZone: "Asia/Shanghai",
  shards: 2,
};

/** Brings batches to where a test begins, through the API, and fails where a step on the way does. */
export class Desk {
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
  }

  async template(change: object = {}): Promise<Answer> {
    return await this.#must(201, "operator", "/ops/v1/templates", { body: { ...templateBody, ...change } });
  }

  async campaign(change: object = {}): Promise<Answer> {
    return await this.#must(201, "operator", "/ops/v1/campaigns", { body: { ...campaignBody, ...change } });
  }

  async draft(change: object = {}, campaign: object = {}): Promise<Answer> {
    const { templateId } = (await this.template()).body;
    const { campaignId } = (await this.campaign(campaign)).body;
    const body = { campaignId, templateId, ...batchTerms, ...change };
    return await this.#must(201, "operator", "/ops/v1/batches", { body });
  }

  async inReview(change: object = {}, campaign: object = {}): Promise<Answer> {
    return await this.act(await this.draft(change, campaign), "operator", "submit");
  }

  async approved(change: object = {}, campaign: object = {}): Promise<Answer> {
    return await this.act(await this.inReview(change, campaign), "approver", "approve");
  }

  async issuing(change: object = {}, campaign: object = {}): Promise<Answer> {
    return await this.act(await this.approved(change, campaign), "operator", "start");
  }

  async act(batch: Answer, who: "operator" | "approver", action: string): Promise<Answer> {
    return await this.#must(200, who, `/ops/v1/batches/${batch.body.batchId}/${action}`, { ifMatch: batch.etag });
  }

  /** What a campaign's approved batches hold of its budget. */
  async reserved(campaignId: string): Promise<number> {
    const campaign = await this.#world.call("viewer", "GET", `/ops/v1/campaigns/${campaignId}`);
    return campaign.body.reserved.amount;
  }

  async #must(status: number, who: "operator" | "approver", path: string, ask: object): Promise<Answer> {
    const answer = await this.#world.call(who, "POST", path, ask);
    if (answer.status !== status) throw new Error(`${path} answered ${answer.status} ${JSON.stringify(answer.body)}`);
    return answer;
  }
}
