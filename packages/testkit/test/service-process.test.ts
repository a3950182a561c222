import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { StackFailure } from "@coupon/stack";
import { expect, test } from "vitest";
import { startServiceProcess, temporaryFolder } from "../src/index.ts";

const folder = temporaryFolder("service-test");

function write(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

const SERVICE = `
import { createServer } from "node:http";
const server = createServer((request, response) => response.end(process.env.GREETING));
server.listen(Number(process.env.PORT), "127.0.0.1");
process.once("SIGTERM", () => {
  console.log("draining");
  server.close(() => process.exit(0));
  server.closeAllConnections();
});
`;

test("runs a service, drains it and keeps what it wrote", async () => {
  const service = await startServiceProcess({ main: write("service.ts", SERVICE), env: { GREETING: "hello" } });
  expect(await (await fetch(service.url)).text()).toBe("hello");
  await service.stop();
  expect(service.output()).toBe("draining\n");
  expect(service.child.exit).toEqual({ code: 0, signal: null });
});

test("kills a service at once when asked to", async () => {
  const service = await startServiceProcess({ main: write("service.ts", SERVICE) });
  service.kill("SIGKILL");
  expect(await service.child.exited).toEqual({ code: null, signal: "SIGKILL" });
});

test("says what a service wrote that ends instead of serving", async () => {
  const main = write("broken.ts", 'console.error("no database"); process.exit(1);');
  const error = await startServiceProcess({ main }).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(StackFailure);
  expect((error as StackFailure).message).toContain("ended while starting");
  expect((error as StackFailure).detail).toBe("no database");
});
