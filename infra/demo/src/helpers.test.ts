import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { expect, test } from "vitest";
import { Figures } from "./figures.ts";
import { KnownIds } from "./known-ids.ts";
import { mapLimited } from "./map-limited.ts";

test("figures show what was expected where it differs, and remember it", () => {
  const lines: string[] = [];
  const figures = new Figures((line) => lines.push(line));
  expect(figures.check("coupons", 3_894, 3_894)).toBe(true);
  expect(figures.check("refusal", "coupon_redeemed", "coupon_locked")).toBe(false);
  expect(lines).toEqual(["  ✓ coupons: 3,894", "  ✗ refusal: coupon_locked, expected coupon_redeemed"]);
  expect([figures.checked, figures.wrong]).toEqual([2, 1]);
});

test("no more than the limit are under way, results keep their order, and an error stops the rest", async () => {
  let now = 0;
  let most = 0;
  const doubled = await mapLimited([1, 2, 3, 4, 5, 6, 7], 3, async (it) => {
    most = Math.max(most, ++now);
    await setImmediate();
    now -= 1;
    return it * 2;
  });
  expect(doubled).toEqual([2, 4, 6, 8, 10, 12, 14]);
  expect(most).toBe(3);
  const begun: number[] = [];
  const failing = mapLimited([1, 2, 3, 4, 5], 2, async (it) => {
    begun.push(it);
    await setImmediate();
    if (it === 2) throw new Error("no");
  });
  await expect(failing).rejects.toThrow("no");
  expect(begun.length).toBeLessThan(5);
});

test("ids are there again after they were saved", () => {
  const folder = mkdtempSync(join(tmpdir(), "known-"));
  const file = join(folder, "deeper", "ids.json");
  const ids = new KnownIds(file);
  ids.set("campaign 26", "cmp_1");
  expect(new KnownIds(file).get("campaign 26")).toBeUndefined();
  ids.save();
  expect(new KnownIds(file).get("campaign 26")).toBe("cmp_1");
  rmSync(folder, { recursive: true });
});
