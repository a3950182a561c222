import type { Writable } from "node:stream";
import { from as copyFrom } from "pg-copy-streams";
import type { Connection } from "../pool.ts";

/** Copies rows in PostgreSQL's binary format into `target`, a table with its columns. @throws any error of the driver */
export function copyInto(connection: Connection, target: string, rows: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    const stream: Writable = connection.query(copyFrom(`COPY ${target} FROM STDIN BINARY`));
    stream.once("error", reject);
    stream.once("finish", resolve);
    stream.end(rows);
  });
}
