import { rmSync } from "node:fs";
import { join } from "node:path";
import { writePrivate } from "./secrets.ts";

/** What `.local/stack.json` holds; the fields and their meaning are those of API.md. */
export interface StackDescription {
  readonly [field: string]: unknown;
  readonly redisUrl: string;
  readonly kafkaBrokers: string;
  readonly databaseUrl: string;
  readonly pids: Readonly<Record<string, number | readonly number[]>>;
}

/** `.local/stack.json`: readable by its owner alone, for it holds tokens. */
export class StackFile {
  readonly path: string;

  constructor(local: string) {
    this.path = join(local, "stack.json");
  }

  write(description: StackDescription): void {
    writePrivate(this.path, description);
  }

  remove(): void {
    rmSync(this.path, { force: true });
  }
}
