import { randomBytes } from "node:crypto";
import type { CallerStatus } from "@coupon/domain";
import { eventually, type ServiceProcess, startServiceProcess } from "@coupon/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Answer, SignedCaller } from "./support/signed-caller.ts";
import { World } from "./support/world.ts";

const world = new World();
const { caller } = world;
const novice = {
  live: new SignedCaller("novice", "live_novice1", randomBytes(32)),
  test: new SignedCaller("novice", "test_novice1", randomBytes(32)),
};
let ledger: ServiceProcess;
let version = 1;

beforeAll(async () => {
  await world.start();
  ledger = await startServiceProcess({ main: "services/ledger/src/main.ts", env: world.env });
  const { baseUrl } = await world.issuing({ LEDGER_URL: ledger.url });
  novice.live.baseUrl = baseUrl;
  novice.test.baseUrl = baseUrl;
});
afterAll(async () => {
  await world.close();
  await ledger.stop();
});

const order = {
  amount: 5_000,
  currency: "CNY",
  lines: [{ lineId: "1", productId: "p", quantity: 1, unitAmount: 5_000 }],
};

const redeem = (by: SignedCaller, userId: string, couponId: unknown, orderId: string) =>
  by.call("POST", `/v1/orders/${orderId}/redeem`, { userId, couponIds: [couponId], order });
const told = ({ status, body }: Answer) => [status, body.code];

async function putOn(status: CallerStatus): Promise<void> {
  version += 1;
  await world.publishCaller(caller, { status, version });
}

async function batchOf(callerId: string, sandbox = false): Promise<string> {
  const callers = [{ callerId, may: ["issue", "redeem", "reverse", "read"] as const }];
  const { batchId } = await world.publishBatch({
    ...{ sandbox, stock: { total: 100, perUser: 1 } },
    callers: callers.map(({ may, ...rest }) => ({ ...rest, may: [...may] })),
  });
  return batchId;
}

function claimed(by: SignedCaller, batchId: string, userId: string): Promise<Answer> {
  return eventually(async () => {
    const answer = await by.claim(batchId, userId, "k");
    return answer.status < 300 && answer;
  });
}

describe.each([
  ["suspended", "caller_suspended"],
  ["not_live", "caller_not_live"],
] as const)("a caller that is %s", (status, code) => {
  test(`claims, redeems and reads nothing: ${code}, after what is not found and what is on record`, async () => {
    const batchId = await batchOf("shop");
    const used = await claimed(caller, batchId, "used");
    const fresh = await claimed(caller, batchId, "fresh");
    const first = await redeem(caller, "used", used.body.couponId, `${status}-1`);
    expect(first.status).toBe(200);
    const readAfter = { headers: { "read-after": first.headers.get("log-position") ?? "" } };
    const reads = [
      `/v1/batches/${batchId}`,
      `/v1/coupons/${used.body.couponId}?userId=used`,
      "/v1/users/used/coupons",
      `/v1/orders/${status}-1`,
    ];
    const readAll = () => Promise.all(reads.map((path) => caller.call("GET", path, undefined, readAfter)));
    expect((await readAll()).map((answer) => answer.status)).toEqual([200, 200, 200, 200]);

    await putOn(status);
    let tries = 0;
    await eventually(async () => {
      tries += 1;
      return (await caller.claim(batchId, `later-${tries}`, "k")).body.code === code;
    });
    const refused = [403, code];
    expect(told(await redeem(caller, "fresh", fresh.body.couponId, `${status}-2`))).toEqual(refused);
    expect((await readAll()).map(told)).toEqual([refused, refused, refused, refused]);

    const nothing = [`/v1/coupons/${used.body.couponId}?userId=other`, "/v1/orders/no-such-order", "/v1/batches/none"];
    const absent = await Promise.all(nothing.map((path) => caller.call("GET", path)));
    expect(absent.map(({ status: each }) => each)).toEqual([404, 404, 404]);
    expect((await caller.claim(batchId, "used", "k")).body).toEqual(used.body);
    expect((await redeem(caller, "used", used.body.couponId, `${status}-1`)).body).toEqual(first.body);

    await putOn("live");
    await eventually(async () => (await readAll()).every((answer) => answer.status === 200));
  });
});

test("a caller that is not live yet proves itself in the sandbox", async () => {
  const keys = [novice.live, novice.test].map(({ keyId, secret }) => ({
    ...{ keyId, secret: secret.toString("base64"), revoked: false },
  }));
  await world.publishCaller(novice.live, { status: "not_live", keys });
  const [live, sandbox] = [await batchOf("novice"), await batchOf("novice", true)];
  const coupon = await claimed(novice.test, sandbox, "u");
  const done = await redeem(novice.test, "u", coupon.body.couponId, "o");
  expect(done.status).toBe(200);
  const readAfter = { headers: { "read-after": done.headers.get("log-position") ?? "" } };
  for (const path of [`/v1/batches/${sandbox}`, "/v1/users/u/coupons", "/v1/orders/o"]) {
    expect((await novice.test.call("GET", path, undefined, readAfter)).status).toBe(200);
  }
  expect(told(await novice.live.claim(live, "u", "k"))).toEqual([403, "caller_not_live"]);
  expect(told(await novice.live.call("GET", "/v1/users/u/coupons"))).toEqual([403, "caller_not_live"]);
});
