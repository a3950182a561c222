import { createPrisma, type PrismaClient } from "@coupon/database/prisma";
import { createTestDatabase } from "@coupon/database/testing";
import type { LogConfig } from "@coupon/events";
import { createTestLog } from "@coupon/events/testing";
import { createIssuer, type Issuer } from "@coupon/testkit";
import { Agent, request } from "undici";
import { type RunningCampaigns, startCampaigns } from "../../src/compose.ts";
import { readConfig } from "../../src/config.ts";
import { StandInOwner } from "./stand-in-owner.ts";
import { StubService } from "./stub-service.ts";

export const INTERNAL_TOKEN = "a-secret-between-our-services";

export interface Answer {
  status: number;
  etag: string;
  headers: Record<string, string | string[] | undefined>;
  // biome-ignore lint/suspicious/noExplicitAny: what a test expects of an answer is what it asserts
  body: any;
}

export interface Ask {
  body?: unknown;
  /** Sent as it is, instead of `body`. */
  text?: string;
  ifMatch?: string;
  headers?: Record<string, string>;
}

export interface WorldOptions {
  /** Another log than one under a prefix of its own on the run's broker. */
  log?: { config: LogConfig; remove(): Promise<void> };
  /** Where campaigns finds the database, given where it is. */
  databaseUrl?: (databaseUrl: string) => string;
  env?: Record<string, string>;
}

/** Campaigns with a database and topics of its own, people with roles, and owners that confirm. */
export class World {
  readonly ledger = new StubService();
  readonly issuing = new StubService();
  readonly people = { operator: "", second: "", approver: "", viewer: "", both: "", nobody: "" };
  env: Record<string, string> = {};
  #url = "";
  #owner: StandInOwner | null = null;
  #prisma: PrismaClient | null = null;
  #campaigns: RunningCampaigns | null = null;
  readonly #agent = new Agent({ connections: 64 });
  readonly #closers: (() => Promise<unknown>)[] = [];

  async start(options: WorldOptions = {}): Promise<this> {
    const database = await createTestDatabase();
    this.#closers.push(() => database.drop());
    const log = options.log ?? (await createTestLog());
    this.#closers.push(() => log.remove());
    const issuer = await createIssuer();
    this.#closers.push(() => issuer.close());
    await this.#meetPeople(issuer);
    this.#owner = new StandInOwner(log.config);
    this.#closers.push(() => this.owner.close());
    await this.owner.start();
    this.#prisma = createPrisma({ databaseUrl: database.databaseUrl });
    this.#closers.push(() => this.prisma.$disconnect());
    this.#closers.push(() => this.ledger.close());
    this.#closers.push(() => this.issuing.close());
    this.env = {
      PORT: "0",
      DATABASE_URL: options.databaseUrl?.(database.databaseUrl) ?? database.databaseUrl,
      KAFKA_BROKERS: log.config.brokers.join(","),
      TOPIC_PREFIX: log.config.topicPrefix,
      PARTITIONS: String(log.config.partitions),
      LEDGER_URL: await this.ledger.start(),
      // The first of its processes is away.
      ISSUING_INTERNAL_URL: `http://127.0.0.1:9,${await this.issuing.start()}`,
      INTERNAL_TOKEN,
      ...issuer.env,
      LOG_LEVEL: "silent",
      ...options.env,
    };
    this.#closers.push(() => this.stopCampaigns());
    await this.startCampaigns();
    return this;
  }

  /** Another instance of campaigns in the world of another one. */
  async join(world: World): Promise<void> {
    Object.assign(this.people, world.people);
    this.env = world.env;
    this.#closers.push(() => this.stopCampaigns());
    await this.startCampaigns();
  }

  async startCampaigns(): Promise<void> {
    this.#campaigns = await startCampaigns(readConfig(this.env));
    this.#url = this.#campaigns.url;
  }

  async stopCampaigns(): Promise<void> {
    await this.#campaigns?.close();
    this.#campaigns = null;
  }

  get url(): string {
    return this.#url;
  }

  get owner(): StandInOwner {
    return present(this.#owner);
  }

  /** A way into the database past the service. */
  get prisma(): PrismaClient {
    return present(this.#prisma);
  }

  async call(who: keyof World["people"] | null, method: string, path: string, ask: Ask = {}): Promise<Answer> {
    const text = ask.text ?? (ask.body === undefined ? null : JSON.stringify(ask.body));
    const answer = await request(this.#url + path, {
      method: method as "GET",
      dispatcher: this.#agent,
      headers: {
        ...(who === null ? {} : { authorization: `Bearer ${this.people[who]}` }),
        ...(text === null ? {} : { "content-type": "application/json" }),
        ...(ask.ifMatch === undefined ? {} : { "if-match": ask.ifMatch }),
        ...ask.headers,
      },
      body: text,
    });
    const read = await answer.body.text();
    return {
      status: answer.statusCode,
      etag: String(answer.headers.etag ?? ""),
      headers: answer.headers,
      body: read === "" || !String(answer.headers["content-type"]).includes("json") ? read : JSON.parse(read),
    };
  }

  async close(): Promise<void> {
    await this.#agent.destroy();
    for (const closer of this.#closers.splice(0).reverse()) await closer();
  }

  async #meetPeople(issuer: Issuer): Promise<void> {
    this.people.operator = await issuer.token("olga", ["operator"]);
    this.people.second = await issuer.token("oskar", ["operator"]);
    this.people.approver = await issuer.token("anna", ["approver"]);
    this.people.viewer = await issuer.token("vera", ["viewer"]);
    this.people.both = await issuer.token("boris", ["operator", "approver"]);
    this.people.nobody = await issuer.token("nemo", ["gardener"]);
  }
}

function present<Value>(value: Value | null): Value {
  if (value === null) throw new Error("the world has not been started");
  return value;
}
