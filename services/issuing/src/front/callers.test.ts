import { expect, test } from "vitest";
import { Callers } from "./callers.ts";

const keyOf = (keyId: string) => ({ keyId, secret: "aGlkZGVu", revoked: false });
const shop = { callerId: "shop", version: 1, name: "Shop", status: "live" } as const;

test("a key's id says whether it is live or for the sandbox; one that says neither is not known", () => {
  const callers = new Callers();
  callers.put({ ...shop, keys: ["live_1", "test_1", "shop_1", "LIVE_1", "livelihood"].map(keyOf) });
  expect(callers.key("live_1")).toMatchObject({ callerId: "shop", sandbox: false });
  expect(callers.key("test_1")).toMatchObject({ callerId: "shop", sandbox: true });
  for (const keyId of ["shop_1", "LIVE_1", "livelihood"]) expect(callers.key(keyId)).toBeUndefined();
});

test("a newer definition's keys replace the older one's", () => {
  const callers = new Callers();
  callers.put({ ...shop, keys: [keyOf("live_1"), keyOf("live_2")] });
  callers.put({ ...shop, version: 2, status: "suspended", keys: [keyOf("live_2")] });
  expect(callers.key("live_1")).toBeUndefined();
  expect(callers.key("live_2")).toMatchObject({ caller: { status: "suspended" } });
  callers.remove("shop");
  expect(callers.key("live_2")).toBeUndefined();
});
