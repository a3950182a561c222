import { type CallSettings, makeCall } from "./call.ts";
import { query, segment } from "./coupon-calls.ts";
import type * as Ops from "./operator-types.ts";
import { eachItem } from "./pages.ts";
import type { Result } from "./result.ts";
import { type ConnectionOptions, connect } from "./signed-caller.ts";
import type { Page } from "./types.ts";

export interface OperatorClientOptions extends ConnectionOptions {
  /** Origin of the campaigns service. */
  baseUrl: string;
  /** A bearer token, or what gives one; asked for each attempt. */
  token: string | (() => string | Promise<string>);
}

interface OperatorCall {
  method: "GET" | "POST" | "PUT" | "PATCH";
  path: string;
  body?: unknown;
  etag?: string | undefined;
}

/** Create, read, list and change one kind of resource. A change names the `etag` of the version it was made for. */
export interface ResourceCalls<Body, Resource> {
  create(body: Body): Promise<Result<Resource>>;
  get(id: string): Promise<Result<Resource>>;
  /** All of them, page by page as they are asked for. @throws {CallFailed} when a page is refused. */
  list(options?: Ops.PageOptions): AsyncGenerator<Resource, void>;
  /** Changes some fields. */
  change(id: string, etag: string, change: Ops.Change<Body>): Promise<Result<Resource>>;
  replace(id: string, etag: string, body: Body): Promise<Result<Resource>>;
}

export interface BatchCalls extends ResourceCalls<Ops.BatchBody, Ops.ManagedBatch> {
  /** Moves a batch on in its state machine. */
  act(id: string, action: Ops.BatchAction, etag: string, body?: object): Promise<Result<Ops.ManagedBatch>>;
  /** Kills a batch; with `revoke` also the coupons that it has issued. */
  deactivate(id: string, etag: string, body: { issued: "keep" | "revoke" }): Promise<Result<Ops.ManagedBatch>>;
  /** Changes the total stock if it still is `from`. */
  changeStock(id: string, etag: string, change: Ops.StockChange): Promise<Result<Ops.ManagedBatch>>;
  stats(id: string): Promise<Result<Ops.BatchStats>>;
}

/**
 * The operators' API. Reads are repeated; a change is repeated only after a refusal that says nothing was
 * done, for a change that was made answers its repetition with `precondition_failed`.
 */
export class OperatorClient {
  readonly templates: ResourceCalls<Ops.TemplateBody, Ops.Template>;
  readonly campaigns: ResourceCalls<Ops.CampaignBody, Ops.Campaign>;
  readonly batches: BatchCalls;
  readonly #settings: CallSettings;
  readonly #token: () => string | Promise<string>;

  /** @throws {TypeError} when the URL is not an origin. */
  constructor(options: OperatorClientOptions) {
    const { token } = options;
    this.#settings = connect(options.baseUrl, options);
    this.#token = typeof token === "string" ? () => token : token;
    this.templates = this.#resource("templates");
    this.campaigns = this.#resource("campaigns");
    this.batches = this.#batches();
  }

  /** Kills one coupon. */
  deactivateCoupon(couponId: string, body: { reason: string }): Promise<Result<unknown>> {
    return this.#call({ method: "POST", path: `/ops/v1/coupons/${segment(couponId)}/deactivate`, body });
  }

  /** Waits for calls under way and closes the connections. */
  async close(): Promise<void> {
    await this.#settings.transport.close();
  }

  #resource<Body, Resource>(name: Ops.ResourceName): ResourceCalls<Body, Resource> {
    const root = `/ops/v1/${name}`;
    const page = (cursor: string | undefined, options?: Ops.PageOptions) =>
      this.#call<Page<Resource>>({ method: "GET", path: `${root}${query({ ...options, cursor })}` });
    const at = (id: string) => `${root}/${segment(id)}`;
    return {
      create: (body) => this.#call({ method: "POST", path: root, body }),
      get: (id) => this.#call({ method: "GET", path: at(id) }),
      list: (options) => eachItem((cursor) => page(cursor, options)),
      change: (id, etag, body) => this.#call({ method: "PATCH", path: at(id), etag, body }),
      replace: (id, etag, body) => this.#call({ method: "PUT", path: at(id), etag, body }),
    };
  }

  #batches(): BatchCalls {
    const at = (id: string, action: string) => `/ops/v1/batches/${segment(id)}/${action}`;
    return {
      ...this.#resource("batches"),
      act: (id, action, etag, body) => this.#call({ method: "POST", path: at(id, action), etag, body }),
      deactivate: (id, etag, body) => this.#call({ method: "POST", path: at(id, "deactivate"), etag, body }),
      changeStock: (id, etag, body) => this.#call({ method: "POST", path: at(id, "stock-changes"), etag, body }),
      stats: (id) => this.#call({ method: "GET", path: at(id, "stats") }),
    };
  }

  #call<Value>({ method, path, body, etag }: OperatorCall): Promise<Result<Value>> {
    return makeCall<Value>(this.#settings, {
      repeatable: method === "GET",
      build: async () => {
        const headers: Record<string, string> = { authorization: `Bearer ${await this.#token()}` };
        if (etag !== undefined) headers["if-match"] = etag;
        if (body === undefined) return { method, path, headers };
        headers["content-type"] = "application/json";
        return { method, path, headers, body: JSON.stringify(body) };
      },
    });
  }
}
