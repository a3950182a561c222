import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { EntryKind } from "@coupon/domain";
import { eventually, type Running as Part, startKafka } from "@coupon/testkit";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import {
  again,
  type Change,
  type ChangeName,
  changeNames,
  givenBy,
  prepareChanges,
  refusalIn,
  send,
} from "./support/changes.ts";
import { tallyLog } from "./support/log-tally.ts";
import { proxyTo, through } from "./support/proxied.ts";
import { World } from "./support/world.ts";

/** Every call that changes something, while a store is away: what is written, and that it is written once. */
const closers: (() => Promise<unknown> | unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

const kinds = {
  ...{ claim: "issue", grants: "issue", lock: "lock", redeem: "redeem", release: "release" },
  reversals: "reverse",
} as const satisfies Record<ChangeName, EntryKind>;
type Kind = (typeof kinds)[ChangeName];

const nothing: Record<Kind, number> = { issue: 0, lock: 0, redeem: 0, release: 0, reverse: 0 };
/** Both a claim and a grant issue. */
const oneOfEach: Record<Kind, number> = { issue: 2, lock: 1, redeem: 1, release: 1, reverse: 1 };

interface Prepared {
  world: World;
  changes: Record<ChangeName, Change>;
  /** What has been written since the changes were prepared. */
  written(): Promise<Record<Kind, number>>;
}

type Env = Record<string, string>;

/** @param env of the process, or what makes it from the world's own */
async function prepare(env: Env | ((own: Env) => Env), kafka?: string): Promise<Prepared> {
  const world = new World(kafka);
  closers.push(() => world.close());
  await world.start();
  const given = typeof env === "function" ? env(world.env) : env;
  // On a busy machine this process stands still for longer than a short lease, and would say `shard_recovering`.
  const long = { LEASE_TTL_MS: "30000" };
  await world.issuing({ REQUEST_DEADLINE_MS: "3000", RECOVERY_PATIENCE_MS: "300", ...long, ...given });
  const { batchId } = await world.publishBatch({ stock: { total: 1_000, perUser: 2 } });
  // A broker that has just started on a busy machine takes longer than a short append time-out for its first appends.
  await eventually(async () => (await world.caller.claim(batchId, "first", "first")).status < 300, {
    timeoutMs: 30_000,
  });
  const changes = await prepareChanges(world.caller, batchId);
  const before = await tallyLog(world.logConfig);
  const written = async () => {
    const now = await tallyLog(world.logConfig);
    const since = (kind: Kind) => [kind, (now[kind] ?? 0) - (before[kind] ?? 0)] as const;
    return Object.fromEntries((Object.keys(nothing) as Kind[]).map(since)) as Record<Kind, number>;
  };
  return { world, changes, written };
}

async function ofEach<Value>(what: (name: ChangeName) => Promise<Value>): Promise<Record<ChangeName, Value>> {
  const values = await Promise.all(changeNames.map(async (name) => [name, await what(name)] as const));
  return Object.fromEntries(values) as Record<ChangeName, Value>;
}

/** Sends one until it is made, and once more: one outcome. */
async function expectMade({ world, changes }: Prepared, name: ChangeName): Promise<void> {
  const repeated = again(changes[name]);
  const made = await eventually(
    async () => {
      const answer = await send(world.caller, repeated);
      return refusalIn(answer) === null ? answer : false;
    },
    { timeoutMs: 30_000 },
  );
  expect(givenBy(await send(world.caller, again(repeated)))).toEqual(givenBy(made));
}

test("while Redis is away each is told not now, writes nothing, and is made once when it is back", async () => {
  const proxy = await proxyTo(closers, process.env.REDIS_URL ?? "");
  const prepared = await prepare({ REDIS_URL: through(proxy, process.env.REDIS_URL) });
  const { world, changes, written } = prepared;
  proxy.refuse(true);
  proxy.cutAll();
  const refusals = await ofEach(async (name) => refusalIn(await send(world.caller, changes[name])));
  for (const [name, refusal] of Object.entries(refusals)) {
    expect(refusal, name).toMatchObject({ status: 503, retryable: true, retryAfterSeconds: 1 });
    expect(["shard_recovering", "log_unavailable", "deadline_exceeded"], name).toContain(refusal?.code);
  }
  expect(await written()).toEqual(nothing);
  proxy.refuse(false);
  await ofEach((name) => expectMade(prepared, name));
  expect(await written()).toEqual(oneOfEach);
});

test("while PostgreSQL is away each is made, but a reversal that has to be looked up, which writes nothing", async () => {
  const proxy = await proxyTo(closers, process.env.DATABASE_URL ?? "");
  const prepared = await prepare((own) => ({ DATABASE_URL: through(proxy, own.DATABASE_URL) }));
  const { world, changes, written } = prepared;
  proxy.refuse(true);
  proxy.cutAll();
  const { couponIds: _, ...lookedUp } = changes.reversals.body;
  const unnamed = await send(world.caller, { ...changes.reversals, body: lookedUp });
  expect([unnamed.status, unnamed.body.code]).toEqual([503, "ledger_unavailable"]);
  expect(await written()).toEqual(nothing);
  const refusals = await ofEach(async (name) => refusalIn(await send(world.caller, changes[name])));
  expect(refusals).toEqual(Object.fromEntries(changeNames.map((name) => [name, null])));
  await ofEach((name) => expectMade(prepared, name));
  expect(await written()).toEqual(oneOfEach);
});

describe("while Kafka is silent the outcome is unknown, and then it is one", () => {
  const own: typeof closers = [];
  let kafka: Part;
  let prepared: Prepared;
  beforeAll(async () => {
    const directory = mkdtempSync(join(tmpdir(), "issuing-kafka-"));
    own.push(() => rmSync(directory, { recursive: true, force: true }));
    kafka = await startKafka({ directory, ephemeral: true });
    own.push(() => kafka.stop());
    prepared = await prepare({ APPEND_TIMEOUT_MS: "700" }, kafka.url);
    own.push(...closers.splice(0));
  });
  afterAll(async () => {
    for (const close of own.reverse()) await close();
  });

  test.each(changeNames)("%s", async (name) => {
    const { world, changes, written } = prepared;
    const before = await written();
    kafka.kill("SIGSTOP");
    const refusal = refusalIn(await send(world.caller, changes[name]));
    kafka.kill("SIGCONT");
    expect(refusal).toMatchObject({ status: 503, retryable: true, outcome: "unknown" });
    expect(["log_unavailable", "deadline_exceeded"]).toContain(refusal?.code);
    await expectMade(prepared, name);
    const kind = kinds[name];
    expect(await written()).toEqual({ ...before, [kind]: before[kind] + 1 });
  });
});
