import { createServer, type IncomingHttpHeaders, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, it } from "vitest";
import { Reconciliations } from "../src/stores/reconciliations.ts";
import { World } from "./support/world.ts";

/** Where issuing's first process is away. */
const NOBODY = "http://127.0.0.1:9";
let world: World;
let issuing: Server;
const asked: { path: string; headers: IncomingHttpHeaders }[] = [];

beforeAll(async () => {
  issuing = createServer((request, response) => {
    asked.push({ path: request.url ?? "", headers: request.headers });
    response.writeHead(200, { "content-type": "application/json" }).end("{}");
  });
  await new Promise<void>((resolve) => issuing.listen(0, "127.0.0.1", resolve));
  world = await World.create();
  const second = `http://127.0.0.1:${(issuing.address() as AddressInfo).port}`;
  await world.start({ ISSUING_INTERNAL_URL: `${NOBODY},${second}` });
});
afterAll(async () => {
  await world.close();
  issuing.closeAllConnections();
  await new Promise((resolve) => issuing.close(resolve));
});

it("brings an approved correction to a process of issuing that is there, within the trace of its approval", async () => {
  const store = new Reconciliations(world.pool);
  const run = await store.create({ trigger: "operator", startedBy: "olga", batch: 1, shard: 0 });
  const proposed = await store.propose({
    reconciliationId: run?.reconciliationId ?? "",
    ...{ batch: 1, shard: 0, stores: ["redis"], serials: [], reason: "planted" },
    ...{ proposedBy: "olga", discrepancyIds: [] },
  });
  const path = `/reconciliations/${run?.reconciliationId}/corrections/${proposed?.correctionId}/approve`;
  const trace = "4bf92f3577b34da6a3ce929d0e0e4736";
  const headers = { "if-match": '"1"', traceparent: `00-${trace}-00f067aa0ba902b7-01` };
  expect((await world.post(path, undefined, "paul", ["approver"], headers)).status).toBe(200);
  expect(asked).toMatchObject([{ path: "/internal/v1/corrections" }]);
  expect(asked[0]?.headers.traceparent).toMatch(new RegExp(`^00-${trace}-[0-9a-f]{16}-01$`));
});
