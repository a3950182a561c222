import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect, createServer, type Server } from "node:net";
import { afterEach, expect, test } from "vitest";
import { eventually, expectNoLeaks, type OpenResources, openResources } from "../src/index.ts";

const cleanUps: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0)) await cleanUp();
});

/** What is open before a test; passing timers of the test runner's are waited for. */
function atRest(): Promise<OpenResources> {
  return eventually(() => {
    const open = openResources();
    return open.has("Timeout") ? undefined : open;
  });
}

async function listening(): Promise<Server> {
  const server = createServer((socket) => socket.on("error", () => undefined)).listen(0, "127.0.0.1");
  await once(server, "listening");
  return server;
}

function closed(server: Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()));
}

test("a server left listening is a leak, until it is closed", async () => {
  const before = await atRest();
  const server = await listening();
  await expect(expectNoLeaks(before, 50)).rejects.toThrow("left open at the end: 1 TCPServerWrap");
  await closed(server);
  await expectNoLeaks(before);
});

test("a socket left open is a leak, and its ports are named", async () => {
  const server = await listening();
  cleanUps.push(() => closed(server));
  const before = await atRest();
  const { port } = server.address() as { port: number };
  const socket = connect(port, "127.0.0.1");
  cleanUps.unshift(() => socket.destroy());
  await once(socket, "connect");
  await expect(expectNoLeaks(before, 50)).rejects.toThrow(new RegExp(`TCPSocketWrap.*→ :${port}`));
});

test("a timer left running is a leak; one that keeps nothing alive is none", async () => {
  const before = await atRest();
  const idle = setInterval(() => undefined, 60_000);
  cleanUps.push(() => clearInterval(idle));
  // The test runner's own timers come and go.
  await expect(expectNoLeaks(before, 50)).rejects.toThrow(/\d Timeout/);
  idle.unref();
  await expectNoLeaks(before, 10_000);
});

test("a child process left running is a leak", async () => {
  const before = await atRest();
  const child = spawn("sleep", ["60"], { stdio: "ignore" });
  cleanUps.push(async () => {
    child.kill("SIGKILL");
    await once(child, "exit");
  });
  await expect(expectNoLeaks(before, 50)).rejects.toThrow("1 ProcessWrap");
});

test("what is about to close gets the time to", async () => {
  const before = await atRest();
  const timer = setTimeout(() => undefined, 100);
  await expectNoLeaks(before, 10_000);
  clearTimeout(timer);
});
