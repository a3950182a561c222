import { spawn } from "node:child_process";
import { once } from "node:events";
import { expect, test } from "vitest";

const kit = new URL("../src/index.ts", import.meta.url).href;

/** Runs a service of this code in a process of its own; sends `signal` when it has printed "up". */
async function run(start: string, signal?: NodeJS.Signals, more = "") {
  const code = `import { runService, StartFailure } from ${JSON.stringify(kit)};
    await runService({ name: "sample", start: async () => { ${start} } ${more} });`;
  const child = spawn(process.execPath, ["--input-type=module", "--no-warnings", "-e", code], { stdio: "pipe" });
  let out = "";
  let err = "";
  child.stdout.on("data", (chunk: Buffer) => {
    out += chunk.toString();
    if (signal !== undefined && out.includes("up")) child.kill(signal);
  });
  child.stderr.on("data", (chunk: Buffer) => {
    err += chunk.toString();
  });
  const [status] = await once(child, "exit");
  return { status, out, err };
}

const up = `const timer = setInterval(() => {}, 1000); console.log("up");`;

test("a reason not to start is one sentence on standard error and status 1", async () => {
  const { status, out, err } = await run(`throw new StartFailure("PORT is missing; set it to a TCP port.");`);
  expect({ status, out, err }).toEqual({
    status: 1,
    out: "",
    err: "sample can't start: PORT is missing; set it to a TCP port.\n",
  });
});

test("an unexpected error at the start is told with its stack", async () => {
  const { status, err } = await run(`throw new TypeError("oops");`);
  expect(status).toBe(1);
  expect(err).toMatch(/^sample can't start: TypeError: oops\n +at /);
});

test.each(["SIGTERM", "SIGINT"] as const)("%s closes and ends with status 0", async (signal) => {
  const { status, out } = await run(
    `${up} return { close: async () => { clearInterval(timer); console.log("closed"); } };`,
    signal,
  );
  expect([status, out]).toEqual([0, "up\nclosed\n"]);
});

test("closing that hangs is cut off with status 1", async () => {
  const { status, err } = await run(
    `${up} return { close: () => new Promise(() => {}) };`,
    "SIGTERM",
    ", closeWithinMs: 100",
  );
  expect(status).toBe(1);
  expect(err).toContain("killed by timeout (100ms)");
});

test("an uncaught error is told, closes, and ends with status 1", async () => {
  const start = `setTimeout(() => { throw new Error("stray"); }, 10); return { close: async () => console.log("closed") };`;
  const { status, out, err } = await run(start);
  expect([status, out]).toEqual([1, "closed\n"]);
  expect(err).toContain("stray");
});
