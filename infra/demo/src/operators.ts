import type { Template } from "@coupon/domain";
import { Agent, request } from "undici";

/** What the operators' API answers of a resource; `etag` is the version that was read. */
export type Versioned<Fields> = Fields & { etag: string };

export interface CampaignDraft {
  name: string;
  startsAt: string;
  endsAt: string;
  budget: { amount: number; currency: string };
}

export interface BatchDraft {
  campaignId: string;
  templateId: string;
  name: string;
  stock: { total: number; perDay?: number; perUser: number; perUserPerDay?: number };
  issueWindow: { from: string; until: string };
  callers: { callerId: string; may: ("issue" | "redeem" | "reverse" | "read")[] }[];
  timeZone: string;
  shards?: number;
}

export interface CampaignView extends CampaignDraft {
  campaignId: string;
  reserved: { amount: number; currency: string };
}

export interface BatchView extends BatchDraft {
  batchId: string;
  batchNumber: number;
  state: string;
}

export type BatchAction = "submit" | "approve" | "reject" | "start" | "pause" | "resume" | "end";

/** An answer of the operators' API that is not a success. */
export class OperatorsFailure extends Error {
  override readonly name = "OperatorsFailure";
  readonly status: number;
  /** Code of the refusal; "" where the answer has none. */
  readonly code: string;

  constructor(what: string, status: number, body: string) {
    const problem = readProblem(body);
    super(`${what} was answered with ${status} ${problem.code} ${problem.detail}`.trim());
    this.status = status;
    this.code = problem.code;
  }
}

/** Typed calls of the operators' API of campaigns, as one person. */
export class Operators {
  readonly #base: string;
  readonly #token: string;
  readonly #agent = new Agent({ connections: 16, headersTimeout: 30_000, bodyTimeout: 30_000 });

  constructor(campaignsUrl: string, token: string) {
    this.#base = `${campaignsUrl}/ops/v1`;
    this.#token = token;
  }

  createTemplate(template: Template): Promise<Versioned<{ templateId: string }>> {
    return this.#call("POST", "/templates", template);
  }

  createCampaign(campaign: CampaignDraft): Promise<Versioned<CampaignView>> {
    return this.#call("POST", "/campaigns", campaign);
  }

  createBatch(batch: BatchDraft): Promise<Versioned<BatchView>> {
    return this.#call("POST", "/batches", batch);
  }

  readCampaign(campaignId: string): Promise<Versioned<CampaignView>> {
    return this.#call("GET", `/campaigns/${campaignId}`);
  }

  readBatch(batchId: string): Promise<Versioned<BatchView>> {
    return this.#call("GET", `/batches/${batchId}`);
  }

  /** Moves a batch through its states; `etag` is that of the version that the decision was made on. */
  act(batchId: string, action: BatchAction, etag: string): Promise<Versioned<BatchView>> {
    return this.#call("POST", `/batches/${batchId}/${action}`, undefined, etag);
  }

  async close(): Promise<void> {
    await this.#agent.close();
  }

  async #call<Fields>(method: "GET" | "POST", path: string, body?: unknown, etag?: string): Promise<Versioned<Fields>> {
    const headers: Record<string, string> = { authorization: `Bearer ${this.#token}` };
    if (body !== undefined) headers["content-type"] = "application/json";
    if (etag !== undefined) headers["if-match"] = etag;
    const response = await request(this.#base + path, {
      method,
      headers,
      dispatcher: this.#agent,
      body: body === undefined ? null : JSON.stringify(body),
    });
    const text = await response.body.text();
    if (response.statusCode >= 300) throw new OperatorsFailure(`${method} ${path}`, response.statusCode, text);
    return { ...(JSON.parse(text) as Fields), etag: String(response.headers.etag ?? "") };
  }
}

function readProblem(body: string): { code: string; detail: string } {
  try {
    const { code, detail, title, errors } = JSON.parse(body);
    return { code: code ?? "", detail: [detail ?? title ?? "", errors ? JSON.stringify(errors) : ""].join(" ").trim() };
  } catch {
    return { code: "", detail: body.slice(0, 200) };
  }
}
