import type { AddressInfo } from "node:net";
import { createServer, type Socket } from "node:net";
import { eventually } from "@coupon/testkit";
import { afterEach, expect, test } from "vitest";
import type { Operation } from "../owner/operation.ts";
import { Forwarder } from "./forwarder.ts";

const DEADLINE_MS = 300;
/** Four messages of 512 operations are under way at most: these are enough for three rounds of them. */
const OPERATIONS = 3 * 4 * 512;

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/** Takes connections and whatever comes over them, and never says a word: a process that was stopped. */
async function silentOwner(): Promise<string> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {}).resume();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closers.push(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const operation: Operation = {
  op: "deactivate",
  batch: 1,
  shard: 0,
  request: { serial: 0, couponId: "", reason: "lost" },
};

test("what waits for an owner that is silent is told so when its time is over, however many wait", async () => {
  const address = await silentOwner();
  const forwarder = new Forwarder({ internalToken: "t", deadlineMs: DEADLINE_MS, operationsMax: OPERATIONS });
  closers.push(() => forwarder.close());
  const startedAt = performance.now();
  const first = forwarder.submit(address, operation, DEADLINE_MS);
  const others = Array.from({ length: OPERATIONS - 1 }, () => forwarder.submit(address, operation, DEADLINE_MS));
  const answers = await Promise.all([first, ...others]);
  // A message is given up half a second after the deadline, and nothing is sent once its own time is over.
  expect(performance.now() - startedAt).toBeLessThan(DEADLINE_MS + 500 + 1_000);
  expect(new Set(answers.map(({ kind }) => kind))).toEqual(new Set(["not_owner"]));
  const attempted = answers.filter((answer) => answer.kind === "not_owner" && answer.attempted === true);
  expect(attempted.length).toBeLessThanOrEqual(4 * 512);
});

test("keeps no connections to a process that holds no lease any more, and makes new ones once it does again", async () => {
  const gone = await silentOwner();
  const stays = await silentOwner();
  const forwarder = new Forwarder({ internalToken: "t", deadlineMs: DEADLINE_MS, operationsMax: OPERATIONS });
  closers.push(() => forwarder.close());
  await Promise.all([gone, stays].map((address) => forwarder.submit(address, operation, DEADLINE_MS)));
  expect(forwarder.addresses).toEqual([gone, stays]);
  await eventually(() => {
    forwarder.keep(new Set([stays]));
    return forwarder.addresses.length === 1;
  });
  expect(forwarder.addresses).toEqual([stays]);
  expect(await forwarder.submit(gone, operation, DEADLINE_MS)).toMatchObject({ kind: "not_owner", attempted: true });
});

test("drops nothing that somebody still waits for", async () => {
  const gone = await silentOwner();
  const forwarder = new Forwarder({ internalToken: "t", deadlineMs: DEADLINE_MS, operationsMax: OPERATIONS });
  closers.push(() => forwarder.close());
  const waiting = forwarder.submit(gone, operation, DEADLINE_MS);
  forwarder.keep(new Set());
  expect(forwarder.addresses).toEqual([gone]);
  await waiting;
  await eventually(() => {
    forwarder.keep(new Set());
    return forwarder.addresses.length === 0;
  });
});
