import { to as copyTo } from "pg-copy-streams";
import type { Connection } from "./pool.ts";

/**
 * What a `COPY … TO STDOUT` gives, in parts as they come. The driver's time-out of a query ends by a call-back that a
 * COPY never makes by itself: left alone it would fire long after the last part, on a stream that nobody listens to, and
 * so end the process.
 *
 * @param silenceMs how long the server may take from one part to the next, instead of the driver's time-out for them all.
 * After that the connection is of no use any more
 */
export async function* copyOut(connection: Connection, statement: string, silenceMs?: number): AsyncGenerator<Buffer> {
  const stream = connection.query(copyTo(statement));
  const endTimeout = () => (stream as { callback?: () => void }).callback?.();
  let silence: NodeJS.Timeout | undefined;
  if (silenceMs !== undefined) {
    endTimeout();
    // What ends the connection later on is told to a stream that nobody reads any more.
    stream.on("error", () => {});
    silence = setTimeout(() => stream.destroy(new Error("Query read timeout")), silenceMs);
  }
  try {
    for await (const part of stream) {
      yield part as Buffer;
      silence?.refresh();
    }
  } finally {
    clearTimeout(silence);
    endTimeout();
  }
}
