import { askRedis, redisUrls } from "@coupon/stack";
import { expect, test } from "vitest";
import { startRedisCluster } from "../src/index.ts";

test("three masters serve all slots, each its own", async () => {
  const cluster = await startRedisCluster({ masters: 3 });
  try {
    expect(redisUrls(cluster.url)).toHaveLength(3);
    const replies = await Promise.all(cluster.nodes.map(({ port }) => askRedis(port, "SET", "{a}key", "value")));
    const texts = replies.map(String);
    expect(texts.filter((text) => text === "+OK\r\n")).toHaveLength(1);
    expect(texts.filter((text) => text.startsWith("-MOVED 15495 "))).toHaveLength(2);
  } finally {
    await cluster.stop();
  }
});
