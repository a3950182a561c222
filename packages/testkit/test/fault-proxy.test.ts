import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createFaultProxy, eventually, type FaultProxy } from "../src/index.ts";

let server: Server;
let proxy: FaultProxy;
let received = "";
const clients = new Set<Client>();

/** Answers every line with itself in capitals. */
beforeEach(async () => {
  received = "";
  server = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.on("data", (chunk) => {
      received += chunk;
      socket.write(String(chunk).toUpperCase());
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  proxy = await createFaultProxy({ port: (server.address() as { port: number }).port });
});

afterEach(async () => {
  for (const client of clients) client.socket.destroy();
  clients.clear();
  await proxy.close();
  await new Promise((resolve) => server.close(resolve));
});

class Client {
  readonly socket: Socket;
  readonly closed: Promise<unknown>;
  text = "";
  error: string | undefined;

  constructor() {
    this.socket = connect(proxy.port, proxy.host);
    this.socket.on("data", (chunk) => {
      this.text += chunk;
    });
    this.socket.on("error", (error: NodeJS.ErrnoException) => {
      this.error = error.code;
    });
    this.closed = new Promise((resolve) => this.socket.once("close", resolve));
    clients.add(this);
  }

  async exchange(line: string, answer = line.toUpperCase()): Promise<void> {
    this.text = "";
    this.socket.write(line);
    await eventually(() => this.text === answer);
  }
}

test("passes bytes both ways and counts them", async () => {
  const client = new Client();
  await client.exchange("hello");
  expect([proxy.bytes, proxy.connections, proxy.accepted]).toEqual([{ up: 5, down: 5 }, 1, 1]);
});

test("passes an end on, and forgets the connection", async () => {
  const client = new Client();
  await client.exchange("hello");
  client.socket.end("bye");
  await client.closed;
  expect([received, client.text]).toEqual(["hellobye", "HELLOBYE"]);
  await eventually(() => proxy.connections === 0);
});

test("a cut resets every connection, and lets new ones in", async () => {
  const [first, second] = [new Client(), new Client()];
  await Promise.all([first.exchange("one"), second.exchange("two")]);
  proxy.cutAll();
  await Promise.all([first.closed, second.closed]);
  expect([first.error, second.error]).toEqual(["ECONNRESET", "ECONNRESET"]);
  await new Client().exchange("three");
});

test("a cut after bytes lets the server have exactly those", async () => {
  const client = new Client();
  await client.exchange("hello");
  const cut = proxy.cutAfterBytes(3);
  client.socket.write("world");
  await Promise.all([cut, client.closed]);
  await eventually(() => received === "hellowor");
});

test("a cut after bytes of the reply lets the client have exactly those, the server the whole request", async () => {
  const client = new Client();
  const cut = proxy.cutAfterBytes(2, "down");
  client.socket.write("hello");
  await Promise.all([cut, client.closed]);
  expect([received, client.text.length <= 2]).toEqual(["hello", true]);
});

test("dropped replies: the server has the request, the client never hears of it", async () => {
  const client = new Client();
  await client.exchange("first");
  proxy.dropReplies(true);
  client.text = "";
  client.socket.write("second");
  await eventually(() => received === "firstsecond");
  proxy.dropReplies(false);
  await client.exchange("third", "THIRD");
});

test("a pause keeps bytes back, also of connections made meanwhile, and a resume lets them go", async () => {
  const old = new Client();
  await old.exchange("old");
  proxy.pause();
  const young = new Client();
  old.socket.write("1");
  young.socket.write("2");
  await eventually(() => proxy.connections === 2);
  expect(received).toBe("old");
  proxy.resume();
  await eventually(() => old.text === "OLD1" && young.text === "2");
});

test("a delay holds bytes back and keeps their order", async () => {
  const client = new Client();
  await client.exchange("now");
  proxy.delay(60);
  const since = performance.now();
  client.text = "";
  for (const letter of "abcdef") client.socket.write(letter);
  await eventually(() => client.text === "ABCDEF", { intervalMs: 1 });
  // Once there and once back; timers may fire a millisecond early.
  expect(performance.now() - since).toBeGreaterThan(115);
  proxy.delay(0);
  await client.exchange("again");
});

test("order is kept where a delay shrinks while bytes are held back", async () => {
  const client = new Client();
  await client.exchange("now");
  client.text = "";
  for (const [i, letter] of [..."abcdef"].entries()) {
    proxy.delay(60 - i * 12);
    await new Promise<void>((resolve) => client.socket.write(letter, () => resolve()));
    // The proxy has read it when the event loop has gone round.
    for (let turn = 0; turn < 3; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  }
  await eventually(() => client.text.length === 6);
  expect(client.text).toBe("ABCDEF");
});

test("a server that is away refuses, and open connections go on", async () => {
  const open = new Client();
  await open.exchange("hello");
  proxy.refuse(true);
  const late = new Client();
  await late.closed;
  await open.exchange("still here");
  proxy.refuse(false);
  await new Client().exchange("back");
});

test("a dead server behind it resets the client", async () => {
  await new Promise((resolve) => server.close(resolve));
  const client = new Client();
  await client.closed;
  expect(client.text).toBe("");
  server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
});

test("much data passes whole, against the reader's pace", async () => {
  const client = new Client();
  const letters = "x".repeat(4 << 20);
  client.socket.write(letters);
  await eventually(() => client.text.length === letters.length, { timeoutMs: 20_000 });
  expect([proxy.bytes.up, proxy.bytes.down]).toEqual([letters.length, letters.length]);
});

test("cuts after a request: the server gets it whole, and its answer reaches nobody", async () => {
  const client = new Client();
  await client.exchange("before");
  received = "";
  client.text = "";
  proxy.cutAfterRequest();
  client.socket.write("the request");
  await client.closed;
  await eventually(() => received === "the request");
  expect(client.text).toBe("");
  await new Client().exchange("after");
});

test("sends a request once more over a connection of its own, without a second answer", async () => {
  const client = new Client();
  proxy.repeatRequest("again", 5);
  await client.exchange("other");
  await client.exchange("again");
  await eventually(() => received === "otheragainagain");
  await client.exchange("third");
  expect(received).toBe("otheragainagainthird");
});

test("doubles replies frame by frame, however they were cut up", async () => {
  const frame = (text: string): Buffer => Buffer.concat([Buffer.from([0, 0, 0, text.length]), Buffer.from(text)]);
  const replies = Buffer.concat([frame("ONE"), frame("THREE")]);
  const framing = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.on("data", () => {
      socket.write(replies.subarray(0, 9));
      setImmediate(() => socket.write(replies.subarray(9)));
    });
  });
  framing.listen(0, "127.0.0.1");
  await once(framing, "listening");
  await proxy.close();
  proxy = await createFaultProxy({ port: (framing.address() as { port: number }).port }, 0, { framed: true });
  const client = new Client();
  await client.exchange("x", String(replies));
  proxy.doubleReplies(true);
  await client.exchange("x", String(Buffer.concat([frame("ONE"), frame("ONE"), frame("THREE"), frame("THREE")])));
  client.socket.destroy();
  await proxy.close();
  await new Promise((resolve) => framing.close(resolve));
});

test("leads new connections elsewhere and leaves open ones where they are", async () => {
  const other = createServer((socket) => socket.on("error", () => undefined).on("data", () => socket.write("other")));
  other.listen(0, "127.0.0.1");
  await once(other, "listening");
  const old = new Client();
  await old.exchange("hello");
  proxy.retarget({ port: (other.address() as { port: number }).port });
  await old.exchange("still here");
  const late = new Client();
  await late.exchange("hello", "other");
  late.socket.destroy();
  await new Promise((resolve) => other.close(resolve));
});

test("heals: what was held back goes on, and nothing is spoiled any more", async () => {
  const client = new Client();
  await client.exchange("hello");
  proxy.dropReplies(true);
  proxy.refuse(true);
  proxy.cutAfterRequest();
  proxy.pause();
  proxy.heal();
  await client.exchange("healed");
  await new Client().exchange("another");
});
