import { PassThrough } from "node:stream";
import { expect, test } from "vitest";
import { createLogger } from "../src/index.ts";

test("secrets are redacted at the top and two levels down, and nothing else is", () => {
  const lines = new PassThrough();
  const logger = createLogger({ name: "sample", destination: lines });
  logger.info({ secret: "s0" }, "below the level");
  logger.warn({
    secret: "s1",
    key: { secret: "s2", keyId: "live_a" },
    request: { headers: { authorization: "s3", signature: "s4", cookie: "s5", host: "h" } },
  });
  const line = (lines.read() as Buffer).toString();
  expect(line).not.toMatch(/s[0-5]"/);
  expect(JSON.parse(line)).toMatchObject({
    level: "warn",
    name: "sample",
    key: { keyId: "live_a", secret: "[redacted]" },
    request: { headers: { host: "h" } },
  });
});
