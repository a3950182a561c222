import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { resolve } from "node:path";

/**
 * Makes the Prisma client in src/generated, unless the one that is there was made from the same schema by
 * the same Prisma: a second run takes no time, so that everything which needs the client can just ask.
 */
const root = resolve(import.meta.dirname, "..");
const stamp = resolve(root, "src/generated/made-from");
const require = createRequire(import.meta.url);

const digest = createHash("sha256")
  .update(readFileSync(resolve(root, "prisma/schema.prisma")))
  .update(readFileSync(require.resolve("prisma/package.json")))
  .digest("hex");

if (readStamp() !== digest) {
  const prisma = resolve(require.resolve("prisma/package.json"), "..", "build/index.js");
  const { status, stderr, stdout } = spawnSync(process.execPath, [prisma, "generate"], {
    cwd: root,
    encoding: "utf8",
    // Prisma would download an engine that generating does not use, and look for news of itself.
    env: {
      ...process.env,
      PRISMA_SCHEMA_ENGINE_BINARY: "/bin/true",
      PRISMA_HIDE_UPDATE_MESSAGE: "1",
      CHECKPOINT_DISABLE: "1",
    },
  });
  if (status !== 0) {
    console.error(`The Prisma client could not be generated:\n${stdout}${stderr}`);
    process.exit(1);
  }
  writeFileSync(stamp, digest);
}

function readStamp(): string | null {
  try {
    return readFileSync(stamp, "utf8");
  } catch {
    return null;
  }
}
