import { ShardStory } from "./shard-story.ts";
import { batchOf, World } from "./world.ts";

export const now = Date.now();
export const hour = 3_600_000;
export const iso = (ms: number) => new Date(ms).toISOString();

export const plain = batchOf(1);
const ended = batchOf(2, {
  template: { ...plain.template, validity: { from: iso(now - 9 * hour), until: iso(now - hour) } },
});
const coming = batchOf(3, {
  template: { ...plain.template, validity: { from: iso(now + hour), until: iso(now + 9 * hour) } },
});
const rolling = batchOf(4, { template: { ...plain.template, validity: { days: 1, mode: "rolling" } } });
const others = batchOf(5, { callers: [{ callerId: "rival", may: ["issue", "redeem", "read"] }] });
const unreadable = batchOf(6, { callers: [{ callerId: "shop", may: ["issue"] }] });
const sandbox = batchOf(7, { sandbox: true });
const revoked = batchOf(8, { state: "deactivated", revoked: true });
const definitions = [plain, ended, coming, rolling, others, unreadable, sandbox, revoked];
const stories = definitions.map((each) => new ShardStory(each.batchNumber, 0, now - 30 * hour));
export const [one, two, three, four, five, six, seven, eight] = stories as [
  ShardStory,
  ShardStory,
  ShardStory,
  ShardStory,
  ShardStory,
  ShardStory,
  ShardStory,
  ShardStory,
];

/** A ledger that has applied a story of each of `definitions`, of which the user anna has every coupon. */
export async function startReadWorld(): Promise<World> {
  const world = await World.create();
  await world.publish(...definitions);
  const ledger = world.start();
  for (const story of stories) await world.append(story.batch % 3, [story.rules()]);
  const far = 1_000 * hour;
  await world.append(1, [
    one.issue(["anna"]),
    one.later(1_000).issue(["anna"]),
    one.later(1_000).issue(["anna"]),
    one.later(1_000).issue(["anna"]),
    one.later(1_000).issue(["anna"]),
    one.lock(1, "held", far),
    one.lock(2, "lapsed", 60_000),
    one.redeem(3, "used"),
    one.deactivate(4),
  ]);
  await world.append(2, [two.later(5_000).issue(["anna"])]);
  await world.append(0, [three.later(6_000).issue(["anna"])]);
  await world.append(1, [four.issue(["anna"]), four.later(20 * hour).issue(["anna"])]);
  await world.append(2, [five.later(7_000).issue(["anna"])]);
  await world.append(0, [six.later(8_000).issue(["anna"]), six.lock(0, "unreadable", far)]);
  await world.append(1, [seven.later(9_000).issue(["anna"])]);
  await world.append(2, [eight.later(10_000).issue(["anna"])]);
  await ledger;
  await world.applied();
  return world;
}

/** The id of a coupon of one of `definitions`. */
export function couponIdIn(world: World, index: number, serial: number): string {
  const definition = definitions[index] as (typeof definitions)[number];
  const coupon = stories[index]?.coupons[serial];
  if (coupon === undefined) throw new Error("no such coupon");
  return world.couponId(definition, 0, coupon);
}
