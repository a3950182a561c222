import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test } from "vitest";
import { auditLedger } from "./audit.ts";

const servers: ReturnType<typeof createServer>[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

/** What the operators' API answers, one after the other. */
async function ledgerThatAnswers(...answers: [status: number, body: object][]): Promise<string> {
  const server = createServer((_, reply) => {
    const [status, body] = answers.shift() ?? [500, {}];
    reply.writeHead(status, { "content-type": "application/json", connection: "close" }).end(JSON.stringify(body));
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const run = { reconciliationId: "r1", detail: null, found: 0 };

test("an audit that ends clean says nothing", async () => {
  const url = await ledgerThatAnswers([201, { ...run, state: "queued" }], [200, { ...run, state: "clean" }]);
  expect(await auditLedger(url, "token")).toEqual([]);
});

test("one that finds something tells it", async () => {
  const found = { ...run, state: "discrepant", found: 1, discrepancies: [{ kind: "counter", batchNumber: 7 }] };
  const url = await ledgerThatAnswers([201, { ...run, state: "running" }], [200, found]);
  const [said] = await auditLedger(url, "token");
  expect(said).toMatch(/discrepant, with 1 discrepancies: .*"batchNumber":7/);
});

test.each([
  ["that fails", [200, { ...run, state: "failed", detail: "not compared with Redis" }], /not compared with Redis/],
  ["that is refused", [403, { code: "role_missing" }], /answered with 403 .*role_missing/],
] as const)("one %s is a finding", async (_, answer, said) => {
  const url = await ledgerThatAnswers([201, { ...run, state: "running" }], [answer[0], answer[1]]);
  expect((await auditLedger(url, "token"))[0]).toMatch(said);
});
