import { createServer, type IncomingHttpHeaders } from "node:http";
import { type AddressInfo, createServer as createTcpServer } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { createInternalHttp, type InternalHttp } from "../src/index.ts";

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

interface Peer {
  url: string;
  asked: { path: string; headers: IncomingHttpHeaders }[];
  answer: { status: number; text: string };
  stop(): Promise<void>;
}

async function peer(): Promise<Peer> {
  const server = createServer((request, response) => {
    own.asked.push({ path: request.url ?? "", headers: request.headers });
    response.writeHead(own.answer.status).end(own.answer.text);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const stop = async (): Promise<void> => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const own: Peer = { url, asked: [], answer: { status: 200, text: "{}" }, stop };
  closers.push(stop);
  return own;
}

/** Takes a connection and cuts it at the first byte. */
async function cutter(): Promise<string> {
  const server = createTcpServer((socket) => {
    socket.on("error", () => {}).on("data", () => socket.resetAndDestroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closers.push(() => new Promise((resolve) => server.close(resolve)));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function httpTo(...addresses: string[]): InternalHttp {
  const http = createInternalHttp({ addresses: addresses.join(","), token: "a-secret", timeoutMs: 2_000 });
  closers.push(() => http.close());
  return http;
}

describe("calls between our own services", () => {
  test("the next address is asked where one can't be reached, and stays the first", async () => {
    const [first, second] = [await peer(), await peer()];
    const http = httpTo(first.url, second.url);
    await http.request("GET", "/1");
    await first.stop();
    await http.request("GET", "/2");
    await http.request("GET", "/3");
    const paths = ({ asked }: Peer) => asked.map(({ path }) => path);
    expect([paths(first), paths(second)]).toEqual([["/1"], ["/2", "/3"]]);
    expect(second.asked[0]?.headers.authorization).toBe("Bearer a-secret");
  });

  test("and where a connection is cut before there is an answer", async () => {
    const live = await peer();
    const http = httpTo(await cutter(), live.url);
    expect(await http.request("POST", "/", { body: {} })).toEqual({ status: 200, body: {}, attempted: true });
  });

  test("throws where none can be reached", async () => {
    const dead = await peer();
    await dead.stop();
    await expect(httpTo(dead.url, await cutter()).request("GET", "/")).rejects.toThrow();
  });

  test("an answer is an answer, also one that nobody wants: no other is asked", async () => {
    const [first, second] = [await peer(), await peer()];
    const http = httpTo(first.url, second.url);
    first.answer = { status: 404, text: '{"code":"coupon_not_found"}' };
    expect(await http.request("GET", "/")).toMatchObject({ status: 404, body: { code: "coupon_not_found" } });
    first.answer = { status: 500, text: '{"code":"internal_error"}' };
    await expect(http.request("GET", "/")).rejects.toThrow("500");
    expect(second.asked).toEqual([]);
  });

  test("a 503 that is a refusal of ours is an answer, any other one is a failure", async () => {
    const live = await peer();
    const http = httpTo(live.url);
    live.answer = { status: 503, text: '{"code":"ledger_behind"}' };
    expect(await http.request("GET", "/")).toMatchObject({ status: 503, body: { code: "ledger_behind" } });
    for (const text of ["", "<html>", '{"code":"toString"}']) {
      live.answer = { status: 503, text };
      await expect(http.request("GET", "/")).rejects.toThrow("503");
    }
  });

  test("traceparent goes along where there is one", async () => {
    const live = await peer();
    const http = httpTo(live.url);
    await http.request("GET", "/", { traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01" });
    await http.request("GET", "/");
    const sent = live.asked.map(({ headers }) => headers.traceparent);
    expect(sent).toEqual(["00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", undefined]);
  });
});
