import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { startServiceProcess, temporaryFolder } from "@coupon/testkit";
import { expect, test } from "vitest";
import { endProcess } from "./end-process.ts";

/** A process that is ready, and does this on SIGTERM. */
async function service(onTerm: string, stopTimeoutMs = 20_000) {
  const main = join(temporaryFolder("drains"), "main.mjs");
  writeFileSync(
    main,
    `import { createServer } from "node:http";
     process.on("SIGTERM", () => { ${onTerm} });
     createServer((_, reply) => reply.end()).listen(process.env.PORT);`,
  );
  return startServiceProcess({ main, stopTimeoutMs });
}

test("a process that drains is gone, and nothing is said", async () => {
  expect(await endProcess("issuing-0", await service("process.exit(0)"), "SIGTERM")).toBe("");
});

test("one that hangs is killed, and named", async () => {
  const hangs = await service("", 300);
  expect(await endProcess("issuing-0", hangs, "SIGTERM")).toMatch(/^issuing-0 did not drain/);
  expect(await hangs.child.exited).toMatchObject({ signal: "SIGKILL" });
});

test("one that is killed by SIGKILL is as it should be", async () => {
  expect(await endProcess("issuing-0", await service(""), "SIGKILL")).toBe("");
});
