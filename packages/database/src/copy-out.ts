import { to as copyTo } from "pg-copy-streams";
import type { Connection } from "./pool.ts";

/**
 * What a `COPY … TO STDOUT` gives, in parts as they come. The driver's time-out of a query ends by a call-back that a
 * COPY never makes by itself: left alone it would fire long after the last part, on a stream that nobody listens to, and
 * so end the process.
 */
export async function* copyOut(connection: Connection, statement: string): AsyncGenerator<Buffer> {
  const stream = connection.query(copyTo(statement));
  try {
    for await (const part of stream) yield part as Buffer;
  } finally {
    (stream as { callback?: () => void }).callback?.();
  }
}
