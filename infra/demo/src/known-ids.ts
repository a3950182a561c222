import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

/**
 * Remembers under which ids the platform made what a run asked for, so that the next run on the same data finds it
 * again instead of making it twice. The operators' API gives ids itself and has no idempotency keys.
 */
export class KnownIds {
  readonly #file: string;
  #ids: Record<string, string>;

  constructor(file: string) {
    this.#file = file;
    this.#ids = existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as Record<string, string>) : {};
  }

  get(name: string): string | undefined {
    return this.#ids[name];
  }

  /** Holds from here on, but for a crash before the next `save`. */
  set(name: string, id: string): void {
    this.#ids[name] = id;
  }

  /** For data that was thrown away since. */
  forgetAll(): void {
    this.#ids = {};
    this.save();
  }

  /** Writes the file whole or not at all. */
  save(): void {
    mkdirSync(dirname(this.#file), { recursive: true });
    const incoming = `${this.#file}.new`;
    writeFileSync(incoming, JSON.stringify(this.#ids));
    renameSync(incoming, this.#file);
  }
}
