import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const folder = fileURLToPath(new URL("..", import.meta.url));
const read = (path: string) => readFileSync(new URL(path, import.meta.url), "utf8");

test("the type of refusals names every code of docs/errors.md and no other", () => {
  const documented = [...read("../../../docs/errors.md").matchAll(/^## (\S+)$/gm)].map((match) => match[1]);
  const union = /RefusalCode = Open<(.*?)>;/s.exec(read("../src/result.ts"))?.[1] ?? "";
  expect([...union.matchAll(/"(\w+)"/g)].map((match) => match[1]).sort()).toEqual(documented.sort());
});

test("the README's quick start is valid TypeScript, of fifteen lines at most", () => {
  const code = /```ts\n(.*?)```/s.exec(read("../README.md"))?.[1] ?? "";
  expect(
    code
      .trim()
      .split("\n")
      .filter((line) => line !== "").length,
  ).toBeLessThanOrEqual(15);
  const scratch = mkdtempSync(`${folder}/test/readme-`);
  try {
    writeFileSync(`${scratch}/quick-start.ts`, code.replace("@coupon/client", "../../src/index.ts"));
    writeFileSync(`${scratch}/tsconfig.json`, '{ "extends": "../../tsconfig.json", "include": ["*.ts"] }');
    execFileSync(`${folder}/../../node_modules/.bin/tsc`, ["--noEmit", "-p", scratch], { encoding: "utf8" });
  } finally {
    rmSync(scratch, { recursive: true });
  }
});

test("what is built runs without the sources, and nothing of it imports another package but undici", () => {
  const scratch = mkdtempSync(`${folder}/test/built-`);
  try {
    execFileSync(`${folder}/../../node_modules/.bin/tsc`, ["-p", `${folder}/tsconfig.build.json`, "--outDir", scratch]);
    const script = `import * as client from ${JSON.stringify(`${scratch}/index.js`)}; console.log(typeof client.CouponClient);`;
    const out = execFileSync(process.execPath, ["--input-type=module", "-e", script], { encoding: "utf8" });
    expect(out.trim()).toBe("function");
    expect(readFileSync(`${scratch}/index.d.ts`, "utf8")).toContain("CouponClient");
    const files = execFileSync("ls", [scratch], { encoding: "utf8" }).trim().split("\n");
    const imports = files.flatMap((file) =>
      [...readFileSync(`${scratch}/${file}`, "utf8").matchAll(/from "([^".][^"]*)"/g)].map((match) => match[1]),
    );
    expect(new Set(imports.filter((name) => !name?.startsWith("node:")))).toEqual(new Set(["undici"]));
  } finally {
    rmSync(scratch, { recursive: true });
  }
});
